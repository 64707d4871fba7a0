"""A corrected line reads as it was put right, and the log can be read as it was known at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incidents import board
from incidents.evidence import log
from incidents.models import EvidenceEntry, Incident
from incidents.steps import correct, declare
from incidents.steps.base import Refused
from incidents.terms import Kind, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.board.given import as_read, write_notes

pytestmark = pytest.mark.django_db
DECLARED = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)


@pytest.fixture
def hand() -> Iterator[Any]:
    """The clock in the test's hand: 13:00 UTC, and it stands still."""
    with time_machine.travel(DECLARED, tick=False) as traveller:
        yield traveller


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def at_clock(hour: int, minute: int, second: int = 0) -> datetime:
    return DECLARED.replace(hour=hour, minute=minute, second=second)


def noted(incident: Incident, crew: Crew, text: str, **said: Any) -> EvidenceEntry:
    declare.add_note(incident, by=crew[Role.API_LEAD], text=text, **said)
    return incident.chain.entries.latest("seq")


def row_of(incident: Incident, seq: int) -> board.TimelineRow:
    return next(row for row in board.of(as_read(incident)).timeline if row.seq == seq)


def test_a_line_says_when_it_happened_and_when_it_was_recorded(crew: Crew, hand: Any) -> None:
    incident = make_incident(crew)
    hand.move_to(at_clock(14, 32, 20))
    late = noted(incident, crew, "The cable was cut", happened_at=at_clock(14, 10))
    same = noted(incident, crew, "A minute is a minute", happened_at=at_clock(14, 32))
    night = noted(incident, crew, "Alarms began", happened_at=datetime(2026, 11, 23, 23, 50, tzinfo=UTC))

    rows = [row_of(incident, entry.seq) for entry in (late, same, night)]

    assert [(row.event_at, row.at, row.recorded) for row in rows] == [
        (at_clock(14, 10), at_clock(14, 32, 20), "recorded 14:32"),
        (at_clock(14, 32), at_clock(14, 32, 20), ""),
        (datetime(2026, 11, 23, 23, 50, tzinfo=UTC), at_clock(14, 32, 20), "recorded 24 Nov 14:32"),
    ]
    assert rows[0].note == f"recorded 14:32 · entry {late.seq} · {crew[Role.API_LEAD].name}, API Lead"


def test_a_corrected_line_reads_as_it_was_put_right_and_keeps_what_it_said_first(crew: Crew, hand: Any) -> None:
    incident = make_incident(crew)
    hand.move_to(at_clock(14, 0))
    note = noted(incident, crew, "Lag is bakc")
    before = row_of(incident, note.seq)
    said: dict[str, Any] = {"by": crew.commander, "reason": "Typing error"}
    words = correct.entry(incident, note.seq, text="Lag is back", **said)
    timed = correct.entry(incident, note.seq, happened_at=at_clock(13, 55), **said)

    row, correction = row_of(incident, note.seq), row_of(incident, words.seq)

    assert row == replace(
        before,
        sentence="Lag is back",
        happened_at=at_clock(13, 55),
        corrected_by=(words.seq, timed.seq),
        first_said="Lag is bakc",
        first_happened_at=at_clock(14, 0),
    )
    assert row.note.endswith(f"API Lead · corrected, entry {timed.seq}")
    assert (correction.corrects, correction.correction) == (note.seq, f"corrects entry {note.seq}")
    assert (correction.sentence, correction.corrected_by) == (f"Corrected: words of entry {note.seq}", ())


def test_a_line_that_is_put_back_as_it_was_is_still_marked(crew: Crew) -> None:
    incident = make_incident(crew)
    note = noted(incident, crew, "Lag is back")
    for text in ("Lag is gone", "Lag is back"):
        correct.entry(incident, note.seq, text=text, by=crew.commander, reason="Unsure")

    row = row_of(incident, note.seq)

    assert (row.sentence, row.first_said, len(row.corrected_by)) == ("Lag is back", "", 2)


def test_a_row_put_right_marks_the_line_that_brought_it(crew: Crew) -> None:
    incident = make_incident(crew)
    declared = row_of(incident, 1)

    correct.record(incident, incident, "summary", "Projection lag", by=crew.commander, reason="Shorter")

    assert row_of(incident, 1) == replace(declared, corrected_by=(incident.chain.seq,))


@pytest.mark.parametrize(
    "asked", [{"kinds": [Kind.NOTE_ADDED]}, {"before": 8}, {"after": 6}, {"limit": 1, "before": 8}]
)
def test_every_page_of_the_log_knows_the_corrections_that_stand_on_another(crew: Crew, asked: dict[str, Any]) -> None:
    incident = make_incident(crew)
    note = noted(incident, crew, "Lag is bakc")
    assert note.seq == 7
    write_notes(incident, crew.commander, until=20)
    correct.entry(incident, 7, text="Lag is back", by=crew.commander, reason="Typing error")

    page = board.log_page(as_read(incident), **{"limit": 100, **asked})

    [row] = [row for row in page.rows if row.seq == 7]
    assert (row.sentence, row.corrected_by) == ("Lag is back", (21,))


def test_corrections_cost_a_page_the_same_statements_whatever_there_is(crew: Crew) -> None:
    incident = make_incident(crew)
    counted = []
    for number in range(3):
        note = noted(incident, crew, f"Note {number}")
        correct.entry(incident, note.seq, text=f"Note {number}, better", by=crew.commander, reason="Better")
        read = as_read(incident)
        with CaptureQueriesContext(connection) as asked:
            board.log_page(read, limit=50, known=read.chain.at, kinds=[Kind.NOTE_ADDED, Kind.DECLARED])
        counted.append(len(asked))

    assert counted == [3, 3, 3]


# As known at --------------------------------------------------------------------------------------------------------


def shown(incident: Incident, known: datetime | None = None) -> list[board.TimelineRow]:
    return board.log_page(as_read(incident), limit=1000, known=known).rows


ACTS = st.tuples(
    st.sampled_from(["note", "late note", "words", "time", "summary"]), st.integers(0, 30), st.integers(0, 90)
)


@pytest.mark.thorough
@settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(acts=st.lists(ACTS, min_size=4, max_size=14))
def test_as_known_at_each_entrys_moment_is_what_the_log_showed_then(acts: list[tuple[str, int, int]]) -> None:
    crew = make_crew()
    with time_machine.travel(DECLARED, tick=False) as hand:
        incident = make_incident(crew)
        then = {incident.chain.at: shown(incident)}
        for number, (word, entry, seconds) in enumerate(acts):
            hand.shift(timedelta(seconds=seconds))
            try:
                act(incident, crew, word, number, entry)
            except Refused:
                continue
            incident.chain.refresh_from_db()
            then[incident.chain.at] = shown(incident)

        for moment, rows in then.items():
            page = board.log_page(as_read(incident), limit=1000, known=moment)
            assert page.rows == rows
            assert page.since == incident.chain.seq - rows[0].seq
        assert shown(incident, DECLARED - timedelta(microseconds=1)) == []
        assert log.verify(incident.chain).is_intact


def act(incident: Incident, crew: Crew, word: str, number: int, entry: int) -> None:
    """Do one act; entries that are not there yet refuse to be corrected."""
    asked: dict[str, Any] = {"by": crew.commander, "reason": "Because"}
    earlier = DECLARED - timedelta(minutes=number)
    if word == "words":
        correct.entry(incident, entry, text=f"Words {number}", **asked)
    elif word == "time":
        correct.entry(incident, entry, happened_at=earlier, **asked)
    elif word == "summary":
        correct.record(incident, incident, "summary", f"Summary {number}", **asked)
    else:
        noted(incident, crew, f"Note {number}", **({"happened_at": earlier} if word == "late note" else {}))


def test_pages_as_known_then_lead_through_what_was_there(crew: Crew, hand: Any) -> None:
    incident = make_incident(crew)
    hand.move_to(at_clock(14, 0))
    write_notes(incident, crew.commander, until=10)
    hand.move_to(at_clock(15, 0))
    write_notes(incident, crew.commander, until=14)
    asked: dict[str, Any] = {"limit": 4, "known": at_clock(14, 30)}

    first = board.log_page(as_read(incident), **asked)
    second = board.log_page(as_read(incident), **asked, before=first.older_than)
    last = board.log_page(as_read(incident), **asked, before=second.older_than)
    back = board.log_page(as_read(incident), **asked, after=last.newer_than)

    assert [[row.seq for row in page.rows] for page in (first, second, last, back)] == [
        [10, 9, 8, 7],
        [6, 5, 4, 3],
        [2, 1],
        [6, 5, 4, 3],
    ]
    assert (first.newer_than, last.older_than) == (None, None)
    assert {page.since for page in (first, second, last, back)} == {4}


def test_before_the_declaration_nothing_was_on_record(crew: Crew, hand: Any) -> None:
    incident = make_incident(crew)

    page = board.log_page(as_read(incident), limit=50, known=DECLARED - timedelta(seconds=1))

    assert (page.rows, page.since) == ([], 6)


def test_a_group_as_known_then_counts_every_entry_recorded_since(crew: Crew, hand: Any) -> None:
    incident = make_incident(crew)
    hand.move_to(at_clock(14, 0))
    note = noted(incident, crew, "Lag is bakc")
    hand.move_to(at_clock(15, 0))
    correct.entry(incident, note.seq, text="Lag is back", by=crew.commander, reason="Typing error")

    page = board.log_page(as_read(incident), limit=50, kinds=[Kind.NOTE_ADDED], known=at_clock(14, 30))

    assert ([row.sentence for row in page.rows], page.since) == (["Lag is bakc"], 1)
