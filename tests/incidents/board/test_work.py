"""What waits for one person: what their accepted roles can do now, and what they have to accept."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from incidents import board
from incidents.steps import four_eyes, roles, unfreeze
from incidents.terms import Act, Level, Phase, Role
from tests.factories import make_crew, make_incident
from tests.incidents.board.given import as_read, sentences

pytestmark = pytest.mark.django_db


def work_of(user: Any) -> list[str]:
    return [sentence for work in board.works_of(user) for sentence in sentences(work.duties)]


def test_a_role_is_accepted_before_anything_else_is_asked() -> None:
    crew = make_crew()
    make_incident(crew, at=Phase.DECLARED, accepted=False)

    assert work_of(crew[Role.API_LEAD]) == ["Accept the role API Lead."]


def test_a_lead_is_asked_for_what_can_be_done_now_and_not_for_what_waits() -> None:
    crew = make_crew()
    make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)

    assert work_of(crew[Role.API_LEAD]) == [
        "3d Preserve the append-only evidence history: a second person approves what will run",
        "3e Revoke exposed or potentially impacted credentials: a second person approves what will run",
    ]
    assert work_of(crew[Role.SECURITY_LEAD]) == [
        "3d Preserve the append-only evidence history: a second person approves what will run",
        "Cleanup: Credential hygiene, 4 still missing.",
    ]


def test_a_proposal_waits_for_the_others() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.TARGETED)
    four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="A broken probe")

    assert work_of(crew[Role.SECURITY_LEAD]) == ["Second person wanted: Stand down: A broken probe"]
    assert work_of(crew.commander) == ["The rollback plan is not made yet."]


def test_named_owners_are_asked_to_accept_the_next_cycle() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.VERIFYING)
    unfreeze.name_owner(incident, Role.API_LEAD, user=crew.deputy, by=crew.commander)

    assert work_of(crew.deputy) == ["Accept the next cycle's work of the API Lead."]


@pytest.mark.parametrize("at", [Phase.CLOSED, Phase.STOOD_DOWN])
def test_an_ended_incident_asks_nobody(at: Phase) -> None:
    crew = make_crew()
    make_incident(crew, at=at)

    assert board.works_of(crew.commander) == []
    assert board.work_count(crew.commander) == 0


def test_who_handed_a_role_over_is_not_asked_any_more() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    roles.hand_over(incident, Role.COMMANDER, to=crew.deputy, by=crew.commander, reason="End of shift")

    assert board.works_of(crew.commander) == []
    assert "No target has been chosen." in work_of(crew.deputy)


def test_an_outsider_has_no_work() -> None:
    crew = make_crew()
    make_incident(crew)

    assert board.works_of(crew.outsider) == []


def test_the_count_is_what_the_page_shows_in_two_statements_for_any_number_of_incidents(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    crew = make_crew()
    make_incident(crew, at=Phase.REVIEW)
    make_incident(crew, at=Phase.TARGETED)

    with django_assert_num_queries(2):
        count = board.work_count(crew.commander)

    assert count == len(work_of(crew.commander)) == 4


def test_an_incident_that_the_page_has_read_is_not_read_again(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    crew = make_crew()
    incident = as_read(make_incident(crew, at=Phase.TARGETED))
    board.load(incident)

    with django_assert_num_queries(1):
        assert board.work_count(crew.commander, incident) == 1


def test_work_of_speaks_for_the_incidents_it_is_given() -> None:
    crew = make_crew()
    incident = as_read(make_incident(crew, at=Phase.TARGETED))

    [(found, duties)] = board.work_of(crew.commander, [incident])

    assert (found, sentences(duties)) == (incident, ["The rollback plan is not made yet."])
