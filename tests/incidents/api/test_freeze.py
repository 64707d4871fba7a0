"""Exceptions to the freeze, and proposals, by their endpoints."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from incidents import clock
from tests.factories import Crew, make_incident
from tests.incidents.api.calling import confirm

pytestmark = pytest.mark.django_db


def exemption(**changed: Any) -> dict[str, Any]:
    expires_at = (clock.now() + timedelta(hours=1)).isoformat()
    return {"measure": "merges", "subject": "PR-12", "reason": "The fix", "expires_at": expires_at, **changed}


def test_an_exception_holds_once_confirmed_and_until_revoked(
    crew: Crew, act: Any, state: Any, by_role: Callable[..., Any]
) -> None:
    incident = make_incident(crew)

    def decision() -> str:
        return (
            by_role("commander")
            .get(f"freeze/{crew.product.slug}/check", operation="merge", subject="PR-12")
            .json()["decision"]
        )

    waiting = act(incident, "api_lead", "freeze/exceptions", exemption(), 202)
    assert (waiting["act"], waiting["sentence"], decision()) == (
        "allow_exception",
        "Let PR-12 through feature merges: The fix",
        "deny",
    )
    confirm(act, incident, waiting, "commander")
    [exception] = state(incident)["freeze"]["exceptions"]
    assert (exception["subject"], exception["is_live"], decision()) == ("PR-12", True, "allow")
    act(incident, "security_lead", f"freeze/exceptions/{exception['id']}/revoke", {"reason": "Merged"})
    assert decision() == "deny"


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"environment": "nowhere", "measure": "promotions"}, 422),
        ({"environment": "prod"}, 409),
        ({"subject": "PR-*"}, 409),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 409),
        ({"expires_at": "2027-01-01T00:00:00"}, 422),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, 422),
        ({"expires_at": 1767225600}, 422),
        ({"measure": "everything"}, 422),
    ],
)
def test_an_exception_that_is_no_exception_is_refused(
    crew: Crew, act: Any, changed: dict[str, Any], status: int
) -> None:
    act(make_incident(crew), "commander", "freeze/exceptions", exemption(**changed), status)
