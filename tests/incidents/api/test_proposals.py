"""Acts that wait for a second person: confirmed by another, declined, or overtaken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from incidents.terms import Level, Phase
from tests.factories import Crew, make_incident
from tests.incidents.api.calling import confirm

pytestmark = pytest.mark.django_db


def test_a_proposal_is_declined_with_a_reason(crew: Crew, act: Any, state: Any, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew)
    waiting = act(incident, "commander", "declare/stand-down", {"reason": "False alarm"}, 202)
    listed = by_role("commander").get(f"incidents/{incident.reference}/proposals").json()

    act(incident, "api_lead", f"proposals/{waiting['id']}/decline", {"reason": "Not needed"})

    assert listed == [waiting]
    assert state(incident)["proposals"] == []


def test_nobody_confirms_what_they_proposed(crew: Crew, act: Any) -> None:
    incident = make_incident(crew)
    waiting = act(incident, "commander", "declare/stand-down", {"reason": "False alarm"}, 202)

    refused = act(incident, "commander", f"proposals/{waiting['id']}/confirm", status=409)

    assert refused["blockers"] == ["You proposed this yourself: another person confirms it."]


def test_a_proposal_about_an_action_that_is_no_longer_planned_is_refused(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    waiver = act(incident, "data_evidence_lead", "rollback/actions/3d-preserve/waive", {"reason": "Nothing"}, 202)
    lower = act(incident, "commander", "declare/lower-level", {"level": "L1", "reason": "Small after all"}, 202)
    confirm(act, incident, lower)

    refused = act(incident, "commander", f"proposals/{waiver['id']}/confirm", status=409)

    assert refused["type"] == "urn:lastgood:refused"
    assert "3d-preserve" not in {action["key"] for action in state(incident)["actions"]}
