"""The log as it was known at a moment: asked in the words that people use, and said in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse

from incidents.forms.filters import EvidenceFilter
from incidents.models import Incident
from incidents.steps import correct, declare
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import at, text_of
from tests.incidents.views.visiting import statements

pytestmark = pytest.mark.django_db
DECLARED = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 15, 20, tzinfo=UTC)


@pytest.fixture
def hand() -> Iterator[Any]:
    with time_machine.travel(DECLARED, tick=False) as traveller:
        yield traveller


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def incident(crew: Crew, hand: Any) -> Incident:
    """Entries 1 to 6 at 13:00, a note at 14:10 that is corrected at 15:10; it is 15:20."""
    incident = make_incident(crew)
    hand.move_to(DECLARED + timedelta(minutes=70))
    declare.add_note(incident, by=crew.commander, text="Lag is bakc")
    hand.move_to(DECLARED + timedelta(minutes=130))
    correct.entry(incident, 7, text="Lag is back", by=crew.commander, reason="Typing error")
    hand.move_to(NOW)
    return incident


def shown(response: HttpResponse) -> list[int]:
    return [row.seq for row in response.context["page"].rows]


def asked(incident: Incident, said: str) -> tuple[datetime | None, list[str]]:
    form = EvidenceFilter({"known": said}, incident=incident)
    return form.asked()["known"], list(form.errors.get("known", []))


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2026-11-24T14:30Z", (14, 30, 0)),
        ("2026-11-24T14:30", (14, 30, 0)),
        ("2026-11-24 14:30", (14, 30, 0)),
        ("2026-11-24 14:30 UTC", (14, 30, 0)),
        ("2026-11-24t14:30:05z", (14, 30, 5)),
        ("2026-11-24T15:30+01:00", (14, 30, 0)),
        ("20261124T1430Z", (14, 30, 0)),
        ("14:30", (14, 30, 0)),
        (" 14:30Z ", (14, 30, 0)),
        ("14:30:05", (14, 30, 5)),
        ("9:05", (9, 5, 0)),
        ("15:20", (15, 20, 0)),
        ("", None),
    ],
)
def test_a_moment_is_said_as_people_say_it(incident: Incident, said: str, moment: tuple[int, int, int] | None) -> None:
    found = datetime(2026, 11, 24, *moment, tzinfo=UTC) if moment else None

    assert asked(incident, said) == (found, [])


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("banana", "“banana” is no time: write 14:30 or 2026-11-24 14:30, in UTC."),
        ("2026", "“2026” is no time"),
        ("2026-11-24", "“2026-11-24” is no time"),
        ("25:00", "“25:00” is no time"),
        ("2026-02-30T14:30Z", "is no time"),
        ("0001-01-01T00:00+14:00", "is no time"),
        ("x" * 5000, "x…” is no time"),
        ("14:30\x00", "is no time"),
        ("2026-11-24T15:21Z", "2026-11-24 15:21 UTC is still to come."),
        ("15:21", "2026-11-24 15:21 UTC is still to come."),
    ],
)
def test_nonsense_is_named_in_a_sentence_and_everything_is_shown(
    crew: Crew, incident: Incident, said: str, sentence: str
) -> None:
    page = at(incident, crew.commander).open("evidence", query_params={"known": said})

    assert (page.status_code, shown(page)) == (200, [8, 7, 6, 5, 4, 3, 2, 1])
    assert sentence in text_of(page)
    assert "As known at 24 Nov" not in text_of(page)


@pytest.mark.parametrize(
    ("ended", "said", "day"),
    [
        (None, "14:30", 25),
        (None, "16:30", 24),
        (datetime(2026, 11, 25, 2, 0, tzinfo=UTC), "14:30", 24),
        (datetime(2026, 11, 25, 2, 0, tzinfo=UTC), "01:30", 25),
        (datetime(2026, 11, 24, 16, 0, tzinfo=UTC), "16:30", 24),
        (datetime(2026, 11, 24, 16, 0, tzinfo=UTC), "12:30", 24),
    ],
)
def test_a_time_of_day_is_of_the_incidents_own_days(
    incident: Incident, hand: Any, ended: datetime | None, said: str, day: int
) -> None:
    hand.move_to(datetime(2026, 11, 25, 15, 20, tzinfo=UTC) if ended is None else datetime(2027, 1, 9, tzinfo=UTC))
    incident.ended_at = ended

    found, _ = asked(incident, said)

    assert found
    assert (found.day, f"{found:%H:%M}") == (day, said)


def test_what_came_later_is_not_there_and_corrects_nothing(crew: Crew, incident: Incident) -> None:
    page = at(incident, crew.commander).open("evidence", query_params={"known": "14:30"})

    assert shown(page) == [7, 6, 5, 4, 3, 2, 1]
    assert "As known at 24 Nov 2026 14:30 UTC . 1 entry was recorded since" in text_of(page)
    assert "<p>Lag is bakc</p>" in page.content.decode()
    assert "corrected, entry" not in page.content.decode()


@pytest.mark.parametrize(
    ("known", "since"),
    [
        ("2026-11-24T12:59:59Z", "8 entries were recorded since"),
        ("2026-11-24T13:00Z", "2 entries were recorded since"),
        ("2026-11-24T14:10Z", "1 entry was recorded since"),
        ("2026-11-24T15:10Z", "No entry was recorded since."),
    ],
)
def test_the_page_says_how_much_was_recorded_since(crew: Crew, incident: Incident, known: str, since: str) -> None:
    page = at(incident, crew.commander).open("evidence", query_params={"known": known})

    assert since in text_of(page)


def test_before_the_declaration_nothing_was_known(crew: Crew, incident: Incident) -> None:
    page = at(incident, crew.commander).open("evidence", query_params={"known": "2026-11-24 12:30"})

    assert shown(page) == []
    assert "Nothing was on record at that moment." in text_of(page)


def test_a_group_and_the_pages_keep_the_moment(crew: Crew, incident: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("incidents.views.evidence.PAGE", 4)
    visitor = at(incident, crew.commander)

    first = visitor.open("evidence", query_params={"known": "14:30"})
    second = visitor.client.get(visitor.url("evidence") + first.context["older_url"])

    assert [shown(page) for page in (first, second)] == [[7, 6, 5, 4], [3, 2, 1]]
    links = re.findall(r'href="(\?[^"]*show=notes[^"]*)"', first.content.decode())
    assert links == ["?known=2026-11-24T14%3A30%3A00Z&amp;show=notes#log"]
    notes = visitor.client.get(visitor.url("evidence") + links[0].replace("&amp;", "&"))
    assert (shown(notes), notes.context["known"]) == ([7], first.context["known"])
    assert '<input type="hidden" name="show" value="notes">' in notes.content.decode()


def test_the_log_of_a_moment_costs_no_more_than_the_log(crew: Crew, incident: Incident) -> None:
    visitor = at(incident, crew.commander)

    now, then, group = (
        statements(visitor.client, visitor.url("evidence") + asked)
        for asked in ("", "?known=14:30", "?known=14:30&show=notes&before=99")
    )

    assert now == then == group
