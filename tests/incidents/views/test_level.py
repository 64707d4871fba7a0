"""The scope level: raised at once, lowered with a second person."""

from __future__ import annotations

import pytest

from incidents.models import Proposal
from incidents.terms import Act, Level, Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import at, refusals, text_of, told
from tests.incidents.views.visiting import entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def test_raising_is_done_at_once_and_new_work_appears(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L1)
    visitor = at(incident, crew.commander)

    response = visitor.send("level", level="L3", reason="Tenants are affected")

    assert response.url == visitor.url("war_room")
    incident.refresh_from_db()
    assert incident.level == Level.L3
    assert incident.actions.filter(key="3d-preserve").exists()


def test_lowering_waits_for_a_second_person(crew: Crew) -> None:
    incident = make_incident(crew, level=Level.L3)

    response = at(incident, crew.commander).send("level", level="L1", reason="Only a flag")

    assert told(response) == ["Lowering to L1 Code and config waits for a second person."]
    incident.refresh_from_db()
    assert incident.level == Level.L3
    assert Proposal.objects.get().act == Act.LOWER_LEVEL


def test_the_page_says_what_each_level_asks_for(crew: Crew) -> None:
    seen = text_of(at(make_incident(crew), crew.commander).open("level"))

    assert "3c Data rollback and cleanup Waived with a reason Due in full Due in full" in seen
    assert "3d Evidence pipeline actions Chain validation due Chain validation due Due in full" in seen
    assert "3e Credential and security cleanup Waived with a reason Waived with a reason Due in full" in seen
    assert "Dispatch of an action By its owner alone By its owner alone Needs a second person" in seen


def test_a_lead_is_told_whose_act_it_is(crew: Crew) -> None:
    visitor = at(make_incident(crew), crew[Role.API_LEAD])
    before = entries()

    response = visitor.send("level", level="L3", reason="I think so")

    assert refusals(response) == ["Raise the scope level is for the Incident Commander of this incident."]
    assert "I think so</textarea>" in response.content.decode()
    assert entries() == before


def test_it_is_refused_when_the_freeze_is_being_lifted(crew: Crew) -> None:
    response = at(make_incident(crew, at=Phase.UNFREEZING), crew.commander).send("level", level="L3", reason="Late")

    assert "it is unfreezing" in refusals(response)[0]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"level": "L2"},
        {"reason": "No level"},
        {"level": "L1", "reason": "The same"},
        {"level": "L9", "reason": "None such"},
        {"level": "L2", "reason": "nul\x00"},
        {"level": "L2", "reason": "x" * 501},
        {"level": "L2", "reason": "   "},
    ],
)
def test_what_does_not_fit_is_said_and_leaves_nothing(crew: Crew, fields: dict[str, str]) -> None:
    visitor = at(make_incident(crew, level=Level.L1), crew.commander)
    before = entries()

    response = visitor.send("level", **fields)

    assert response.status_code == 200
    assert refusals(response)
    assert entries() == before
