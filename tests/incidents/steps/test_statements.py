"""How many statements a write takes, whatever the incident holds already. Transaction control is not counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.models import Incident
from incidents.steps import declare, roles, rollback
from incidents.terms import Level, Phase, Role
from tests.factories import Crew, make_crew, make_incident

pytestmark = pytest.mark.django_db

# PostgreSQL moves a log's head and inserts the entry in one statement, SQLite in three.
APPENDED = {"postgresql": 1, "sqlite": 3}[connection.vendor]
CONTROL = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def statements(write: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as seen:
        write()
    return len([query for query in seen.captured_queries if not str(query["sql"]).startswith(CONTROL)])


def declared(crew: Crew) -> Incident:
    return declare.rollback_mode(
        product=crew.product, trigger="regression", summary="Lag", scope_level=Level.L3, by=crew.commander
    )


def test_a_declaration_takes_the_same_statements_with_any_roster() -> None:
    make_incident(make_crew())
    one, other = make_crew(), make_crew()
    for rank, user in enumerate((make_crew().commander for _ in range(5)), start=3):
        other.product.roster.create(role=Role.COMMANDER, user=user, rank=rank)

    assert {statements(lambda crew=crew: declared(crew)) for crew in (one, other)} == {22 + APPENDED}


def test_a_role_changes_hands_in_the_same_statements_for_a_role_of_many_rights() -> None:
    crew = make_crew()
    incident = make_incident(crew, accepted=False)

    accepted = statements(lambda: roles.accept(incident, Role.API_LEAD, by=crew[Role.API_LEAD]))
    handed = statements(
        lambda: roles.hand_over(incident, Role.COMMANDER, to=crew.deputy, by=crew.commander, reason="Shift ends")
    )

    assert (accepted, handed) == (9 + APPENDED, 13 + APPENDED)


@pytest.mark.parametrize("level", list(Level))
def test_a_plan_takes_the_same_statements_for_five_actions_and_for_thirteen(level: Level) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.TARGETED, level=level)

    assert statements(lambda: rollback.make_plan(incident, by=crew.commander)) == 10 + APPENDED


def test_a_dispatch_reads_the_whole_plan_once() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    action = incident.actions.get(key="3d-preserve")
    rollback.approve(action, by=crew.commander)

    assert statements(lambda: rollback.dispatch(action, by=crew[Role(action.owner)])) == 13 + APPENDED
