"""How many statements a reading takes, whatever the log and the plan have grown to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents import clock
from incidents.evidence import log
from incidents.models import Incident
from incidents.steps import cleanup, rollback, verify
from incidents.terms import GateOutcome, Kind, Level, Phase, Role, Track
from tests.factories import Crew, make_incident

pytestmark = pytest.mark.django_db


def statements(ask: Callable[[], Any]) -> int:
    ask()  # what a process keeps for good, such as content types, is read once
    with CaptureQueriesContext(connection) as queries:
        assert ask().status_code == 200
    return len(queries)


def fill_log(incident: Incident, entries: int) -> None:
    for number in range(entries):
        body = {"sentence": f"Note {number}", "incident": incident.reference}
        log.append(incident.chain, Kind.NOTE_ADDED, at=clock.now(), actor=log.SYSTEM_ACTOR, body=body)


@pytest.mark.thorough
def test_reading_an_incident_takes_the_same_statements_at_1_100_and_1000_entries(
    crew: Crew, by_role: Callable[..., Any]
) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)
    caller, found = by_role("commander"), []

    for more in (1, 99, 900):
        fill_log(incident, more)
        found.append(statements(lambda: caller.get(f"incidents/{incident.reference}")))

    assert len(set(found)) == 1
    assert found[0] <= 6


def test_reading_an_incident_takes_the_same_statements_whatever_the_plan_holds(
    crew: Crew, by_role: Callable[..., Any]
) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    caller = by_role("commander")
    before = statements(lambda: caller.get(f"incidents/{incident.reference}"))

    for number in range(5):
        action = rollback.add_action(
            incident,
            track=Track.APPLICATION,
            name=f"More {number}",
            owner=Role.API_LEAD,
            stage=1,
            destructive=True,
            by=crew.commander,
            reason="Found late",
        )
        rollback.approve(action, by=crew.commander)
        on = f"action:{action.key}"
        cleanup.attach(incident, on, owner=Role.API_LEAD, by=crew[Role.API_LEAD], text=f"Output {number}")
    after = statements(lambda: caller.get(f"incidents/{incident.reference}"))

    assert before == after


def test_reading_an_incident_takes_the_same_statements_whatever_gates_have_run(
    crew: Crew, by_role: Callable[..., Any]
) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)
    caller = by_role("commander")
    before = statements(lambda: caller.get(f"incidents/{incident.reference}"))

    gate, lead = incident.gates.get(key="ci"), crew[Role.API_LEAD]
    for number in range(3):
        cleanup.attach(incident, "gate:ci", owner=Role.API_LEAD, by=lead, text=f"Output {number}")
        verify.record_by_hand(gate, outcome=GateOutcome.FAIL, note=f"Looked {number}", by=lead)

    assert statements(lambda: caller.get(f"incidents/{incident.reference}")) == before


@pytest.mark.thorough
def test_listing_takes_at_most_four_statements_for_any_number_of_incidents_and_entries(
    crew: Crew, by_role: Callable[..., Any]
) -> None:
    caller, found = by_role("commander"), []

    for entries in (1, 99, 900):
        incident = make_incident(crew, at=Phase.STOOD_DOWN)
        fill_log(incident, entries)
        found.append(statements(lambda: caller.get("incidents")))

    assert len(set(found)) == 1
    assert found[0] <= 4
