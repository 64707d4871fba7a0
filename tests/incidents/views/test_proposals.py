"""The second person's yes or no."""

from __future__ import annotations

import pytest

from incidents.models import Incident, Proposal
from incidents.steps import four_eyes
from incidents.terms import Act, Level, Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import at, refusals, told
from tests.incidents.views.visiting import entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def incident(crew: Crew) -> Incident:
    return make_incident(crew, level=Level.L3)


@pytest.fixture
def proposal(crew: Crew, incident: Incident) -> Proposal:
    return four_eyes.propose(incident, Act.LOWER_LEVEL, by=crew.commander, reason="Only a flag", level="L1")


def test_a_yes_runs_what_was_proposed(crew: Crew, incident: Incident, proposal: Proposal) -> None:
    visitor = at(incident, crew[Role.API_LEAD])

    response = visitor.send("proposal_confirm", proposal.pk, decision="confirm", note="")

    assert response.url == f"{visitor.url('war_room')}#proposals"
    assert told(response) == ["Confirmed and done: Lower the scope level to L1 Code and config: Only a flag"]
    incident.refresh_from_db()
    assert incident.level == Level.L1


def test_a_no_needs_a_reason_and_changes_nothing(crew: Crew, incident: Incident, proposal: Proposal) -> None:
    visitor = at(incident, crew[Role.API_LEAD])

    without = visitor.send("proposal_decline", proposal.pk, decision="decline", note="")
    assert told(without) == ["Say why you decline."]
    withit = visitor.send("proposal_decline", proposal.pk, decision="decline", note="Credentials are out")

    assert told(withit)[-1].startswith("Declined: Lower the scope level")
    proposal.refresh_from_db()
    assert (proposal.confirmed, proposal.decision_reason) == (False, "Credentials are out")
    incident.refresh_from_db()
    assert incident.level == Level.L3


def test_the_proposer_may_withdraw(crew: Crew, incident: Incident, proposal: Proposal) -> None:
    at(incident, crew.commander).send("proposal_decline", proposal.pk, note="Not needed after all")

    proposal.refresh_from_db()
    assert proposal.confirmed is False


@pytest.mark.parametrize(
    ("who", "says"),
    [
        (Role.COMMANDER, "You proposed this yourself: another person confirms it."),
        (Role.COMMUNICATIONS_OWNER, "A second person holds the role of the commander or a lead in this incident."),
    ],
)
def test_others_cannot_confirm(crew: Crew, incident: Incident, proposal: Proposal, who: Role, says: str) -> None:
    before = entries()

    response = at(incident, crew[who]).send("proposal_confirm", proposal.pk)

    assert (refusals(response) or told(response)) == [says]
    assert entries() == before


def test_it_is_decided_once(crew: Crew, incident: Incident, proposal: Proposal) -> None:
    visitor = at(incident, crew[Role.API_LEAD])
    visitor.send("proposal_confirm", proposal.pk)
    before = entries()

    again = visitor.send("proposal_confirm", proposal.pk)
    declined = visitor.send("proposal_decline", proposal.pk, note="Late")

    assert told(again)[-1] == "This has been decided already."
    assert told(declined)[-1] == "This has been decided already."
    assert entries() == before


def test_a_proposal_of_another_incident_is_not_found(crew: Crew, incident: Incident, proposal: Proposal) -> None:
    other = make_incident(make_crew())
    roles_there = at(other, other.memberships.get(role=Role.API_LEAD).user)

    assert roles_there.send("proposal_confirm", proposal.pk).status_code == 404
    assert at(incident, crew[Role.API_LEAD]).send("proposal_confirm", 2**62).status_code == 404
    assert at(incident, crew.outsider).send("proposal_confirm", proposal.pk).status_code == 404


def test_opening_the_address_decides_nothing(crew: Crew, incident: Incident, proposal: Proposal) -> None:
    visitor = at(incident, crew[Role.API_LEAD])

    for page in ("proposal_confirm", "proposal_decline"):
        assert visitor.open(page, proposal.pk).url == f"{visitor.url('war_room')}#proposals"
    proposal.refresh_from_db()
    assert proposal.decided_at is None


@pytest.mark.parametrize("note", ["nul\x00", "x" * 501, "   "])
def test_a_note_that_does_not_fit_decides_nothing(
    crew: Crew, incident: Incident, proposal: Proposal, note: str
) -> None:
    response = at(incident, crew[Role.API_LEAD]).send("proposal_decline", proposal.pk, note=note)

    assert len(told(response)) == 1
    proposal.refresh_from_db()
    assert proposal.decided_at is None


def test_what_has_become_impossible_is_said(crew: Crew, incident: Incident, proposal: Proposal) -> None:
    Incident.objects.filter(pk=incident.pk).update(phase=Phase.REVIEW)

    response = at(incident, crew[Role.API_LEAD]).send("proposal_confirm", proposal.pk)

    assert "it is in review" in told(response)[0]
    proposal.refresh_from_db()
    assert proposal.decided_at is None
