"""The log as lines: who, what, in which tone; grouped without a gap; paged by keyset in both directions."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from incidents import board
from incidents.models import Incident
from incidents.steps import declare
from incidents.terms import Kind, Phase, Role
from tests.factories import make_crew, make_incident
from tests.incidents.board.given import as_read, write_notes

pytestmark = pytest.mark.django_db


# What only the global log and the custody of evidence hold.
ELSEWHERE = {Kind.CONFIGURED, Kind.CHECKPOINT_SIGNED, Kind.KEY_MADE, Kind.EVIDENCE_UNCERTAIN, Kind.HANDED_OUT}
ELSEWHERE |= {Kind.DISPATCH_STOPPED, Kind.DISPATCH_RESUMED, Kind.SUGGESTION_DISMISSED}


def test_every_kind_of_an_incidents_entries_is_in_exactly_one_group() -> None:
    grouped = [kind for group in board.GROUPS for kind in board.kinds_of(group)]

    assert sorted(grouped) == sorted(set(Kind) - ELSEWHERE)


def test_an_unknown_group_means_all() -> None:
    assert board.kinds_of("nonsense") == []


def test_a_line_says_who_did_it_in_which_role_and_with_whom() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.STOOD_DOWN)

    [last] = board.timeline(incident, limit=1)

    assert last.sentence == "Stood down: False alarm"
    assert last.note == f"entry {last.seq} · {crew.commander}, Incident Commander with {crew[Role.API_LEAD]}"
    assert len(last.hash) == len(last.prev) == 64


def test_a_person_whose_name_was_erased_is_a_person() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    type(crew.commander).objects.filter(pk=crew.commander.pk).update(public_id="00000000-0000-4000-8000-000000000000")

    assert board.timeline(incident, limit=99)[-1].actor == "a person"


def test_the_same_lines_come_with_the_board_in_its_one_statement(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    incident = make_incident(make_crew(), at=Phase.VERIFYING)
    read = as_read(incident)

    with django_assert_num_queries(1):
        found = board.of(read, timeline_rows=12).timeline

    assert found == board.timeline(incident, limit=12)


def test_a_board_shows_the_last_entries_of_some_kinds_alone() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    declare.add_note(incident, by=crew.commander, text="Seen in the logs")

    found = board.of(as_read(incident), timeline_rows=5, kinds=board.kinds_of("notes")).timeline

    assert [row.sentence for row in found] == ["Seen in the logs"]


def pages(incident: Incident, **start: int | None) -> board.LogPage:
    given = {"before": None, "after": None, **start}
    return board.log_page(incident, limit=4, kinds=None, before=given["before"], after=given["after"])


def test_pages_lead_to_the_oldest_entry_and_back_without_a_gap() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    write_notes(incident, crew.commander, until=10)

    first = pages(incident)
    second = pages(incident, before=first.older_than)
    third = pages(incident, before=second.older_than)
    back = pages(incident, after=third.newer_than)

    assert [[row.seq for row in page.rows] for page in (first, second, third, back)] == [
        [10, 9, 8, 7],
        [6, 5, 4, 3],
        [2, 1],
        [6, 5, 4, 3],
    ]
    assert (first.newer_than, third.older_than) == (None, None)
    assert (back.newer_than, back.older_than) == (6, 3)


def test_a_page_before_the_first_entry_is_empty() -> None:
    assert pages(make_incident(make_crew()), before=1) == board.LogPage([], None, None)
