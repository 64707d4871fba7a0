"""Standing down: proposed with a reason, done when a second person confirms."""

from __future__ import annotations

import pytest

from incidents.models import Proposal
from incidents.terms import Phase, Role
from tests.factories import Crew, finish_action, make_crew, make_incident
from tests.incidents.views.pages import at, refusals, text_of, told
from tests.incidents.views.visiting import entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def test_the_commander_asks_and_the_freeze_holds_until_a_lead_confirms(crew: Crew) -> None:
    incident = make_incident(crew)
    commander, lead = at(incident, crew.commander), at(incident, crew[Role.API_LEAD])

    asked = commander.send("stand_down", reason="A broken probe")
    incident.refresh_from_db()
    assert (told(asked), incident.freeze.active) == (
        ["Standing down waits for a second person. The freeze holds until then."],
        True,
    )

    lead.send("proposal_confirm", Proposal.objects.get().pk, decision="confirm")
    incident.refresh_from_db()
    assert (incident.phase, incident.freeze.active) == (Phase.STOOD_DOWN, False)


def test_an_action_that_ran_stands_in_the_way_and_is_named(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    for action in incident.actions.filter(stage=1):
        finish_action(action, crew)

    response = at(incident, crew.commander).open("stand_down")

    assert "has already run: finish the rollback instead." in text_of(response)
    assert "disabled" in response.content.decode()


def test_a_lead_is_told_whose_act_it_is(crew: Crew) -> None:
    visitor = at(make_incident(crew), crew[Role.API_LEAD])
    before = entries()

    response = visitor.send("stand_down", reason="Nothing is wrong")

    assert refusals(response) == ["Stand down is for the Incident Commander of this incident."]
    assert entries() == before


@pytest.mark.parametrize("reason", ["", "  ", "nul\x00", "x" * 501])
def test_a_reason_is_asked_for(crew: Crew, reason: str) -> None:
    visitor = at(make_incident(crew), crew.commander)
    before = entries()

    response = visitor.send("stand_down", reason=reason)

    assert (response.status_code, len(refusals(response))) == (200, 1)
    assert entries() == before
