"""The log as lines over the API: as it reads now, as it was known at a moment, and corrections of a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from incidents.evidence import log
from incidents.models import Incident
from incidents.steps import declare
from incidents.terms import Role
from tests.factories import Crew, make_incident
from tests.incidents.board.given import write_notes

pytestmark = pytest.mark.django_db
DECLARED = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)


@pytest.fixture
def hand() -> Iterator[Any]:
    with time_machine.travel(DECLARED, tick=False) as traveller:
        yield traveller


@pytest.fixture
def incident(crew: Crew, hand: Any) -> Incident:
    """Entries 1 to 6 at 13:00, a note on 14:05 at 14:10; it is 15:00."""
    incident = make_incident(crew)
    hand.move_to(DECLARED + timedelta(minutes=70))
    declare.add_note(incident, by=crew[Role.API_LEAD], text="Lag is bakc", happened_at=DECLARED + timedelta(minutes=65))
    hand.move_to(DECLARED + timedelta(hours=2))
    return incident


@pytest.fixture
def read(incident: Incident, by_role: Callable[..., Any]) -> Callable[..., Any]:
    def ask(status: int = 200, **query: Any) -> Any:
        answer = by_role("security_lead").get(f"incidents/{incident.reference}/evidence/timeline", **query)
        assert answer.status_code == status, answer.content
        return answer.json()

    return ask


def test_a_note_and_its_correction_are_read_as_lines(crew: Crew, incident: Incident, act: Any, read: Any) -> None:
    corrected = {"text": "Lag is back", "happened_at": "2026-11-24T15:04+01:00", "reason": "Typing error"}

    done = act(incident, "commander", "evidence/7/correct", corrected)

    assert (done["id"], done["evidence_seq"]) == (8, 8)
    correction, note = read(limit=2)["lines"]
    assert note | {"hash": ""} == {
        "seq": 7,
        "kind": "note.added",
        "sentence": "Lag is back",
        "happened_at": "2026-11-24T14:04:00Z",
        "recorded_at": "2026-11-24T14:10:00Z",
        "by": crew[Role.API_LEAD].name,
        "role": "API Lead",
        "second": "",
        "corrects": None,
        "corrected_by": [8],
        "first_said": "Lag is bakc",
        "first_happened_at": "2026-11-24T14:05:00Z",
        "hash": "",
    }
    assert (correction["corrects"], correction["happened_at"]) == (7, correction["recorded_at"])
    assert correction["sentence"] == "Corrected: words and time of entry 7"
    assert log.verify(incident.chain).is_intact


def test_as_known_then_the_correction_is_not_there(incident: Incident, act: Any, read: Any) -> None:
    act(incident, "commander", "evidence/7/correct", {"text": "Lag is back", "reason": "Typing error"})

    then = read(known="2026-11-24T14:30Z")

    assert (then["known"], then["recorded_since"], then["next"]) == ("2026-11-24T14:30:00Z", 1, None)
    assert [line["seq"] for line in then["lines"]] == [7, 6, 5, 4, 3, 2, 1]
    assert (then["lines"][0]["sentence"], then["lines"][0]["corrected_by"]) == ("Lag is bakc", [])
    assert read(known="2026-11-24T12:59:59Z")["lines"] == []


def test_pages_lead_to_the_first_entry(crew: Crew, incident: Incident, read: Any) -> None:
    write_notes(incident, crew.commander, until=12)
    pages, before = [], {}

    while not pages or before["before"]:
        answer = read(limit=5, **before)
        pages.append([line["seq"] for line in answer["lines"]])
        before = {"before": answer["next"]}

    assert pages == [[12, 11, 10, 9, 8], [7, 6, 5, 4, 3], [2, 1]]
    assert [line["seq"] for line in read(show="notes")["lines"]] == [12, 11, 10, 9, 8, 7]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"known": "14:30"}, "known"),
        ({"known": "2026-11-24T14:30"}, "known"),
        ({"known": "2026-11-24T15:00:01Z"}, "known"),
        ({"known": "soon"}, "known"),
        ({"knwon": "2026-11-24T14:30Z"}, "knwon"),
        ({"show": "everything"}, "show"),
        ({"before": 0}, "before"),
        ({"before": 2**60}, "before"),
        ({"limit": 201}, "limit"),
        ({"limit": "all"}, "limit"),
    ],
)
def test_what_cannot_be_asked_is_422(read: Any, query: dict[str, Any], field: str) -> None:
    answer = read(422, **query)

    assert [field in str(error) for error in answer["errors"]] == [True]


@pytest.mark.parametrize(
    ("seq", "body", "status"),
    [
        (7, {"text": "Lag is bakc"}, 409),
        (7, {}, 409),
        (7, {"text": ""}, 422),
        (7, {"text": "x" * 4001}, 422),
        (7, {"happened_at": "14:30"}, 422),
        (7, {"happened_at": "2026-11-24T14:11:00Z"}, 409),
        (7, {"happened_at": "2999-01-01T00:00:00Z"}, 409),
        (7, {"text": "Lag", "sentence": "Lag"}, 422),
        (7, {"text": "Lag", "reason": ""}, 422),
        (99, {"text": "Lag"}, 404),
        (10**25, {"text": "Lag"}, 404),
    ],
)
def test_a_correction_that_makes_no_sense_is_refused(
    incident: Incident, act: Any, seq: int, body: dict[str, Any], status: int
) -> None:
    act(incident, "commander", f"evidence/{seq}/correct", {"reason": "Because", **body}, status)

    assert incident.chain.entries.count() == 7


def test_a_note_takes_the_time_at_which_it_happened(incident: Incident, act: Any, read: Any) -> None:
    act(incident, "api_lead", "declare/note", {"text": "Cut", "happened_at": "2026-11-24T14:59:30Z"}, 201)
    act(incident, "api_lead", "declare/note", {"text": "To come", "happened_at": "2026-11-24T15:01:00Z"}, 409)

    assert read(limit=1)["lines"][0]["happened_at"] == "2026-11-24T14:59:30Z"
