"""Preconditions, stages and next-cycle owners by their endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from incidents.terms import Phase, Role
from tests.factories import Crew, make_incident

pytestmark = pytest.mark.django_db


def test_lifting_is_refused_with_every_precondition_that_is_missing(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)

    refused = act(incident, "commander", "unfreeze/lift", {"stage": "merges"}, 409)

    assert refused["blockers"] == state(incident)["blockers"]
    assert "“Service health” has not run." in refused["blockers"]


def test_stages_are_lifted_and_the_freeze_comes_back(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.UNFREEZING)

    act(incident, "commander", "unfreeze/lift", {"stage": "staging"})
    assert [stage["key"] for stage in state(incident)["stages"] if stage["is_lifted"]] == ["merges", "staging"]
    act(incident, "commander", "unfreeze/lift", {"stage": "moon"}, 409)
    back = act(incident, "commander", "unfreeze/refreeze", {"reason": "Errors again"})

    assert back["phase"] == "rolling_back"
    assert not any(stage["is_lifted"] for stage in state(incident)["stages"])


def test_next_cycle_owners_are_named_and_accept(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)

    act(incident, "commander", "unfreeze/owners/api_lead/name", {"person": crew[Role.API_LEAD].email})
    act(incident, "security_lead", "unfreeze/owners/api_lead/accept", status=403)
    act(incident, "api_lead", "unfreeze/owners/api_lead/accept")

    [owner] = state(incident)["next_owners"]
    assert (owner["area"], owner["person"]["email"]) == ("api_lead", crew[Role.API_LEAD].email)
    assert owner["accepted_at"] is not None


def test_an_act_in_the_wrong_phase_is_409_and_says_when_it_is_possible(crew: Crew, act: Any) -> None:
    refused = act(make_incident(crew), "commander", "unfreeze/lift", {"stage": "merges"}, 409)

    assert refused["type"] == "urn:lastgood:refused"
    assert refused["blockers"] == [
        "“Lift a freeze measure” is possible while the incident is verifying or unfreezing; it is declared."
    ]
