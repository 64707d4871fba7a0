"""Level, note, stand-down and corrections by their endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from incidents.terms import Kind, Phase
from tests.factories import Crew, make_incident
from tests.incidents.api.calling import confirm

pytestmark = pytest.mark.django_db


def test_the_level_is_raised_at_once_and_lowered_by_two(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew)

    raised = act(incident, "commander", "declare/raise-level", {"level": "L3", "reason": "Tenants mixed"})
    assert (state(incident)["scope_level"], raised["reference"]) == ("L3", incident.reference)

    waiting = act(incident, "commander", "declare/lower-level", {"level": "L2", "reason": "They were not"}, 202)
    assert state(incident)["scope_level"] == "L3"
    assert waiting["sentence"] == "Lower the scope level to L2 Code, config, schema and data: They were not"
    confirm(act, incident, waiting)
    assert state(incident)["scope_level"] == "L2"


def test_a_stand_down_waits_for_the_second_person(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew)

    waiting = act(incident, "commander", "declare/stand-down", {"reason": "A false alarm"}, 202)
    assert state(incident)["phase"] == "declared"
    done = confirm(act, incident, waiting)

    assert done["phase"] == "stood_down"
    assert state(incident)["freeze"]["active"] is False


def test_notes_go_into_the_log(crew: Crew, act: Any) -> None:
    incident = make_incident(crew)

    noted = act(incident, "communications_owner", "declare/note", {"text": "Support was told"}, 201)

    last = incident.chain.entries.last()
    assert (last.kind, last.sentence, last.hash) == (Kind.NOTE_ADDED, "Support was told", noted["evidence_sha256"])


def test_a_correction_keeps_both_values(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, summary="Lag afer deploy")
    body = {"row": "incident", "field": "summary", "value": "Lag after deploy", "reason": "Typing error"}

    act(incident, "commander", "declare/correct", body)

    assert state(incident)["summary"] == "Lag after deploy"
    entry = incident.chain.entries.last().body
    assert (entry["old"], entry["new"]) == ("Lag afer deploy", "Lag after deploy")


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"row": "follow_up", "id": 1, "field": "due_on", "value": "2027-02-31"}, 422),
        ({"row": "follow_up", "id": 1, "field": "due_on", "value": "2027-02-28"}, 200),
        ({"row": "follow_up", "id": 1, "field": "priority", "value": "P9"}, 422),
        ({"row": "follow_up", "id": 1, "field": "title", "value": "x" * 201}, 422),
        ({"row": "follow_up", "id": 9, "field": "title", "value": "x"}, 404),
        ({"row": "follow_up", "field": "title", "value": "x"}, 422),
        ({"row": "safeguard", "id": "first", "field": "link", "value": "javascript:alert(1)"}, 422),
        ({"row": "incident", "field": "phase", "value": "closed"}, 409),
        ({"row": "incident", "field": "reference", "value": "RB-1"}, 409),
    ],
)
def test_a_correction_takes_only_what_the_column_holds(
    crew: Crew, act: Any, changed: dict[str, Any], status: int
) -> None:
    incident = make_incident(crew, at=Phase.CLOSED)
    if changed.get("id") == "first":
        changed = changed | {"id": incident.safeguards.get().pk}

    act(incident, "commander", "declare/correct", {"reason": "Wrong", **changed}, status)
