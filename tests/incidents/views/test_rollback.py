from __future__ import annotations

import pytest

from incidents.terms import Level, Phase, Role
from tests.factories import make_crew, make_incident
from tests.incidents.views.pages import at, refusals, text_of, told

pytestmark = pytest.mark.django_db

ADDED = {
    "name": "Drain the retry queue",
    "track": "3a",
    "owner": "api_lead",
    "stage": "2",
    "reason": "Old messages would run again",
}


def test_before_the_plan_the_page_says_what_the_level_asks_for() -> None:
    crew = make_crew()
    page = text_of(at(make_incident(crew, at=Phase.TARGETED, level=Level.L1), crew.commander).open("rollback"))

    assert "No plan yet" in page
    assert "Revert unsafe schema or projection changes where required. may be waived" in page
    assert "Mark affected runs/entries with incident correlation metadata. not at this level" in page


def test_the_commander_makes_the_plan() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.TARGETED, level=Level.L3)
    visitor = at(incident, crew.commander)

    visitor.send("make_plan")

    incident.refresh_from_db()
    page = text_of(visitor.open("rollback"))
    assert incident.phase == Phase.ROLLING_BACK
    assert "0 of 13 actions settled" in page
    assert "Stage 1 of 4 is open." in page


def test_no_plan_is_made_before_the_target_is_confirmed() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    visitor = at(incident, crew.commander)

    response = visitor.send("make_plan")

    assert told(response) == ["“Make the rollback plan” is possible while the incident is targeted; it is declared."]
    assert not incident.actions.exists()


def test_a_lead_cannot_make_the_plan() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.TARGETED)
    visitor = at(incident, crew[Role.API_LEAD])

    assert "For the Incident Commander." in text_of(visitor.open("rollback"))
    visitor.send("make_plan")

    assert not incident.actions.exists()


def test_an_action_that_the_runbook_does_not_list_is_added_with_its_reason() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)

    at(incident, crew[Role.API_LEAD]).send("add_action", **ADDED, destructive="on")

    added = incident.actions.get(key="added-1")
    assert (added.name, added.owner, added.stage, added.destructive) == (ADDED["name"], "api_lead", 2, True)
    assert ADDED["name"] in text_of(at(incident, crew.commander).open("rollback"))


def test_an_action_is_not_added_before_the_plan() -> None:
    crew = make_crew()
    response = at(make_incident(crew), crew.commander).send("add_action", **ADDED)

    assert refusals(response) == [
        "“Add an action” is possible while the incident is rolling back or verifying; it is declared."
    ]


def test_the_owner_is_led_to_their_next_action() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)

    page = text_of(at(incident, crew[Role.SECURITY_LEAD]).open("rollback"))

    assert "Your next: Revoke exposed or potentially impacted credentials" in page
