"""A line of the log is corrected on a page of its own; the evidence page shows what became of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse

from incidents import clock
from incidents.evidence import log
from incidents.models import EvidenceEntry, Incident
from incidents.steps import correct, declare, privacy
from incidents.terms import Kind, Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import at, refusals, text_in, text_of, told
from tests.incidents.views.visiting import entries

pytestmark = pytest.mark.django_db
REASON = {"reason": "Typing error"}


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def incident(crew: Crew) -> Incident:
    return make_incident(crew)


def noted(incident: Incident, crew: Crew, text: str = "Lag is bakc", **said: Any) -> EvidenceEntry:
    declare.add_note(incident, by=crew[Role.API_LEAD], text=text, **said)
    return incident.chain.entries.latest("seq")


def item(response: HttpResponse, seq: int) -> str:
    """The markup of one line of a timeline."""
    found = re.search(rf'<li class="[^"]*" id="entry-{seq}">.*?</li>', response.content.decode(), re.DOTALL)
    assert found
    return found.group(0)


def test_the_form_begins_with_the_words_as_they_stand(crew: Crew, incident: Incident) -> None:
    note = noted(incident, crew, happened_at=clock.now() - timedelta(minutes=9))
    then = clock.now() - timedelta(minutes=9)

    page = at(incident, crew.commander).open("correct_entry", note.seq)

    assert f"<h1>Correct entry {note.seq}</h1>" in page.content.decode()
    assert "Lag is bakc</textarea>" in page.content.decode()
    assert f'value="{then:%Y-%m-%dT%H:%M}"' in page.content.decode()


def test_words_are_corrected_and_the_log_shows_both(crew: Crew, incident: Incident) -> None:
    note = noted(incident, crew)
    before = list(log.jsonl(incident.chain))
    visitor = at(incident, crew.commander)

    sent = visitor.send("correct_entry", note.seq, text="Lag is back", happened_at="", **REASON)

    assert sent.url == f"{visitor.url('evidence')}?before={note.seq + 1}#entry-{note.seq}"
    assert told(sent) == [f"Entry {note.seq} is corrected by entry {note.seq + 1}."]
    line = item(visitor.client.get(sent.url), note.seq)
    assert "<p>Lag is back</p>" in line
    assert f'<a href="{visitor.url("evidence")}?before=9#entry-8">corrected, entry 8</a></small>' in line
    assert "<dt>said first</dt><dd><del>Lag is bakc</del></dd>" in line
    correction = item(visitor.open("evidence"), note.seq + 1)
    assert f'<a href="{visitor.url("evidence")}?before=8#entry-7">corrects entry 7</a></small>' in correction
    assert list(log.jsonl(incident.chain))[: note.seq] == before


def test_only_what_was_changed_is_corrected(crew: Crew, incident: Incident) -> None:
    then = clock.now() - timedelta(minutes=9, seconds=11)
    note = noted(incident, crew, "First\nsecond", happened_at=then)
    shown = f"{then:%Y-%m-%dT%H:%M}"

    sent = at(incident, crew.commander).send(
        "correct_entry", note.seq, text="First\r\nthird", happened_at=shown, **REASON
    )

    assert sent.status_code == 302
    made = incident.chain.entries.latest("seq")
    assert made.body["new"] == {"text": "First\nthird"}


def test_an_emptied_time_is_the_moment_of_recording(crew: Crew, incident: Incident) -> None:
    note = noted(incident, crew, happened_at=clock.now() - timedelta(minutes=9))

    at(incident, crew.commander).send("correct_entry", note.seq, text=note.sentence, happened_at="", **REASON)

    made = incident.chain.entries.latest("seq")
    assert made.body["new"] == {"happened_at": clock.stamp(note.at)}


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({}, "Entry 7 says this already: change its words or its time."),
        ({"text": "Lag is back", "reason": ""}, "Why: Say why the entry is corrected."),
        ({"text": ""}, "What it should say: This field is required."),
        ({"text": "x" * 4001}, "at most 4000 characters"),
        ({"happened_at": "2999-01-01T00:00"}, "2999-01-01 00:00 UTC is still to come"),
        ({"happened_at": "1999-01-01T00:00"}, "more than a year before the declaration"),
        ({"happened_at": "soon"}, "When it happened: Enter a valid date/time."),
        ({"happened_at": "9999-12-31T23:59:59-14:00"}, "When it happened: This time is out of range."),
        ({"happened_at": "0001-01-01T00:00:00+14:00"}, "When it happened: This time is out of range."),
        ({"text": "a\x00b"}, "Null characters are not allowed."),
    ],
)
def test_a_refusal_keeps_what_was_typed(crew: Crew, incident: Incident, said: dict[str, str], refusal: str) -> None:
    note = noted(incident, crew)
    given = {"text": note.sentence, "happened_at": "", "reason": "My very own reason", **said}
    before = entries()

    page = at(incident, crew.commander).send("correct_entry", note.seq, **given)

    assert (page.status_code, entries()) == (200, before)
    assert refusal in refusals(page)[0]
    for name, typed in said.items():
        assert typed[:50] in page.content.decode() or name == "reason"
    assert given["reason"] in page.content.decode()


def test_who_is_not_the_commander_sees_whose_it_is(crew: Crew, incident: Incident) -> None:
    note = noted(incident, crew)
    lead = at(incident, crew[Role.API_LEAD])

    page = lead.open("correct_entry", note.seq)
    sent = lead.send("correct_entry", note.seq, text="Mine", **REASON)

    assert "For the Incident Commander." in text_of(page)
    assert "<textarea" not in page.content.decode()
    assert refusals(sent) == ["Correct a record is for the Incident Commander of this incident."]
    assert "Mine</textarea>" in sent.content.decode()


def test_the_link_is_there_for_who_may_correct(crew: Crew, incident: Incident) -> None:
    url = at(incident, crew.commander).url("correct_entry", 1)

    assert f'href="{url}"' in at(incident, crew.commander).open("evidence").content.decode()
    assert f'href="{url}"' not in at(incident, crew[Role.API_LEAD]).open("evidence").content.decode()
    assert at(incident, crew.outsider).open("correct_entry", 1).status_code == 404


@pytest.mark.parametrize("seq", [0, 99, 10**30])
def test_an_entry_that_is_not_there_is_not_found(crew: Crew, incident: Incident, seq: int) -> None:
    visitor = at(incident, crew.commander)

    assert visitor.open("correct_entry", seq).status_code == 404
    assert visitor.send("correct_entry", seq, text="x", **REASON).status_code == 404


def test_a_correction_leads_to_the_entry_that_it_corrects(crew: Crew, incident: Incident) -> None:
    note = noted(incident, crew)
    made = correct.entry(incident, note.seq, text="Lag is back", by=crew.commander, reason="Typing error")
    visitor = at(incident, crew.commander)

    page = visitor.open("correct_entry", made.seq)
    visitor.send("correct_entry", made.seq, text="Lag came back", happened_at="", **REASON)

    assert f"what you write here corrects entry {note.seq}" in text_of(page)
    assert "Lag is back</textarea>" in page.content.decode()
    assert incident.chain.entries.latest("seq").body["corrects"] == note.seq


def test_a_closed_incident_is_corrected_as_well(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.CLOSED)

    sent = at(incident, crew.commander).send("correct_entry", 2, text="By phone", happened_at="", **REASON)

    assert sent.status_code == 302
    assert log.verify(incident.chain).is_intact


def test_words_about_a_person_are_shown_to_who_corrects_them_only(crew: Crew, incident: Incident) -> None:
    note = noted(incident, crew, "Ana N. saw it", personal=True)

    mine = at(incident, crew.commander).open("correct_entry", note.seq)
    theirs = at(incident, crew[Role.API_LEAD]).open("correct_entry", note.seq)

    assert "Ana N. saw it</textarea>" in mine.content.decode()
    assert "The new ones are kept apart from the log as well" in text_of(mine)
    assert "Ana N." not in theirs.content.decode()


def test_erased_words_leave_the_time_to_be_corrected(crew: Crew, incident: Incident) -> None:
    note = noted(incident, crew, "Ana N. saw it", personal=True)
    privacy.erase(incident, note.seq, "note", by=crew.commander, second=crew[Role.API_LEAD], reason="Asked for")
    visitor = at(incident, crew.commander)
    earlier = f"{clock.now() - timedelta(minutes=9):%Y-%m-%dT%H:%M}"

    page = visitor.open("correct_entry", note.seq)
    sent = visitor.send("correct_entry", note.seq, text="Ana N.", happened_at=earlier, **REASON)

    assert "Its words were erased." in text_of(page)
    assert (sent.status_code, list(incident.chain.entries.latest("seq").body["new"])) == (302, ["happened_at"])


def test_corrected_words_are_escaped_wherever_they_stand(crew: Crew, incident: Incident) -> None:
    note = noted(incident, crew, "<b>first</b> `<i>`")
    correct.entry(incident, note.seq, text="<script>x</script>", by=crew.commander, reason="<u>why</u>")

    seen = at(incident, crew.commander).open("evidence").content.decode()

    assert not re.search(r"<b>first|<i>|<u>why|<script>x", seen)
    assert "&lt;b&gt;first&lt;/b&gt; <code>&lt;i&gt;</code></del>" in seen


# When it happened, in the room --------------------------------------------------------------------------------------


def test_a_note_of_earlier_shows_its_own_time_first(crew: Crew, incident: Incident) -> None:
    then = clock.now() - timedelta(hours=1, minutes=5)
    visitor = at(incident, crew[Role.API_LEAD])

    visitor.send("notes", text="The cable was cut", happened_at=f"{then:%Y-%m-%dT%H:%M}")

    note = incident.chain.entries.get(kind=Kind.NOTE_ADDED)
    assert note.body["happened_at"] == clock.stamp(then.replace(second=0, microsecond=0))
    line = item(visitor.open("war_room"), note.seq)
    assert f">{then:%H:%M}</time>" in line or f" {then:%H:%M}</time>" in line
    assert f"{note.at:%H:%M} · entry {note.seq}" in text_in(line)
    assert "<small>recorded " in line


def test_a_note_of_tomorrow_comes_back_into_its_form(crew: Crew, incident: Incident) -> None:
    before = entries()

    page = at(incident, crew.commander).send("notes", text="Seen", happened_at="2999-01-01T00:00")

    assert refusals(page) == ["2999-01-01 00:00 UTC is still to come: give the time at which it happened."]
    assert 'value="2999-01-01T00:00"' in page.content.decode()
    assert "Seen</textarea>" in page.content.decode()
    assert entries() == before
