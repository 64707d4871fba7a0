"""Six posts: who holds each, who held it before, who stands ready, and what the one who looks may do."""

from __future__ import annotations

from typing import Any

import pytest

from incidents import authority, board
from incidents.models import Incident
from incidents.steps import roles
from incidents.terms import Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.board.given import as_read

pytestmark = pytest.mark.django_db


def acts_of(incident: Incident, user: Any) -> dict[Role, list[str]]:
    held = authority.held_roles(user, incident)
    posts = board.staffing(board.of(as_read(incident)), held, user)
    return {post.role: post.acts for post in posts if post.acts}


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def test_a_person_who_was_asked_may_accept(crew: Crew) -> None:
    incident = make_incident(crew, accepted=False)

    assert acts_of(incident, crew[Role.API_LEAD]) == {Role.API_LEAD: ["accept"]}


def test_the_commander_assigns_what_is_not_accepted_and_hands_over_what_is(crew: Crew) -> None:
    incident = make_incident(crew, accepted=False)
    roles.accept(incident, Role.API_LEAD, by=crew[Role.API_LEAD])

    assert acts_of(incident, crew.commander) == {
        Role.COMMANDER: ["hand_over"],
        Role.API_LEAD: ["hand_over"],
        Role.INFRASTRUCTURE_LEAD: ["assign"],
        Role.DATA_EVIDENCE_LEAD: ["assign"],
        Role.SECURITY_LEAD: ["assign"],
        Role.COMMUNICATIONS_OWNER: ["assign"],
    }


def test_a_holder_hands_over_their_own_role_alone(crew: Crew) -> None:
    assert acts_of(make_incident(crew), crew[Role.API_LEAD]) == {Role.API_LEAD: ["hand_over"]}


def test_a_deputy_may_take_over(crew: Crew) -> None:
    assert acts_of(make_incident(crew), crew.deputy) == {Role.COMMANDER: ["take_over"]}


def test_who_has_no_part_in_it_is_offered_nothing(crew: Crew) -> None:
    assert acts_of(make_incident(crew), crew.outsider) == {}


def test_an_ended_incident_offers_nothing(crew: Crew) -> None:
    assert acts_of(make_incident(crew, at=Phase.STOOD_DOWN), crew.commander) == {}


def test_everything_offered_is_possible(crew: Crew) -> None:
    """What the page offers, the step does not deny."""
    incident = make_incident(crew)

    roles.hand_over(incident, Role.API_LEAD, to=crew.deputy, by=crew[Role.API_LEAD], reason="Night")
    roles.take_over(incident, Role.API_LEAD, by=crew[Role.API_LEAD], reason="Back again")

    assert acts_of(incident, crew[Role.API_LEAD]) == {Role.API_LEAD: ["hand_over"]}


def test_earlier_holders_stay_with_their_reasons_the_last_first(crew: Crew) -> None:
    incident = make_incident(crew)
    roles.hand_over(incident, Role.COMMANDER, to=crew.deputy, by=crew.commander, reason="End of shift")
    roles.take_over(incident, Role.COMMANDER, by=crew.commander, reason="Deputy is on a plane")

    [post, *_] = board.staffing(board.of(as_read(incident)), frozenset(), crew.outsider)

    assert [(row.user, row.end_reason) for row in post.past] == [
        (crew.deputy, "Deputy is on a plane"),
        (crew.commander, "End of shift"),
    ]
    assert post.deputies == [crew.deputy]
