"""Roles by their endpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from incidents.terms import Role
from tests.factories import Crew, make_incident

pytestmark = pytest.mark.django_db


def test_roles_are_assigned_accepted_handed_over_and_taken_over(
    crew: Crew, act: Any, state: Any, calling: Callable[..., Any]
) -> None:
    incident = make_incident(crew)
    deputy = calling(crew.deputy)

    def holder(role: str) -> tuple[str, bool]:
        found = next(row for row in state(incident)["roles"] if row["role"] == role)
        return found["holder"]["email"], found["accepted_at"] is not None

    assigned = act(incident, "commander", "roles/api_lead/assign", {"person": crew.deputy.email, "reason": "On leave"})
    assert (assigned["id"], holder("api_lead")) == ("api_lead", (crew.deputy.email, False))
    assert deputy.post(f"incidents/{incident.reference}/roles/api_lead/accept").status_code == 200
    assert holder("api_lead") == (crew.deputy.email, True)
    back = {"to": crew[Role.API_LEAD].email, "reason": "Back again"}
    assert deputy.post(f"incidents/{incident.reference}/roles/api_lead/hand-over", back).status_code == 200
    assert holder("api_lead") == (crew[Role.API_LEAD].email, False)
    over = {"reason": "The commander does not answer"}
    assert deputy.post(f"incidents/{incident.reference}/roles/commander/take-over", over).status_code == 200
    assert holder("commander") == (crew.deputy.email, True)


def test_a_role_goes_only_to_people_of_the_product(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew)

    answer = by_role("commander").post(
        f"incidents/{incident.reference}/roles/api_lead/assign", {"person": crew.outsider.email}
    )

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "field": "person",
            "message": "Nobody of this address stands ready for the product or is part of the incident.",
        }
    ]
