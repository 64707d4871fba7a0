"""A wrong time or text is put right by a new entry that names the old one. Nothing of the old one changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from incidents import clock
from incidents.evidence import completeness, log
from incidents.models import EvidenceEntry, FollowUp, Incident, PrivateValue, Safeguard
from incidents.steps import cleanup, correct, declare, privacy, rollback, verify
from incidents.steps.base import Denied, Refused
from incidents.terms import GateOutcome, Kind, Phase, Role
from tests.factories import Crew, make_crew, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def incident(crew: Crew) -> Incident:
    return make_incident(crew)


def noted(incident: Incident, crew: Crew, text: str = "Lag is bakc", **said: Any) -> EvidenceEntry:
    declare.add_note(incident, by=crew[Role.API_LEAD], text=text, **said)
    return last(incident)


def last(incident: Incident) -> EvidenceEntry:
    return incident.chain.entries.latest("seq")


def bytes_of(incident: Incident) -> list[bytes]:
    return list(log.jsonl(incident.chain))


def minutes_ago(count: int) -> datetime:
    return (clock.now() - timedelta(minutes=count)).replace(microsecond=0)


# When it happened ---------------------------------------------------------------------------------------------------


def test_a_note_says_when_it_happened_and_when_it_was_recorded(crew: Crew, incident: Incident) -> None:
    before, then = clock.now(), minutes_ago(40)

    note = noted(incident, crew, happened_at=then)

    assert datetime.fromisoformat(note.body["happened_at"]) == then
    assert before <= note.at <= clock.now()
    assert "happened_at" not in noted(incident, crew, "No time given").body


@pytest.mark.parametrize(
    ("ago", "sentence"),
    [
        (timedelta(minutes=-1), "is still to come: give the time at which it happened."),
        (timedelta(days=367), "is more than a year before the declaration: check the date."),
    ],
)
def test_a_time_that_cannot_be_is_refused(crew: Crew, incident: Incident, ago: timedelta, sentence: str) -> None:
    entry, before = noted(incident, crew), bytes_of(incident)

    with pytest.raises(Refused, match=sentence):
        declare.add_note(incident, by=crew.commander, text="Then", happened_at=clock.now() - ago)
    with pytest.raises(Refused, match=sentence):
        correct.entry(incident, entry.seq, happened_at=clock.now() - ago, by=crew.commander, reason="Wrong clock")

    assert bytes_of(incident) == before


def test_an_action_done_by_hand_says_when_it_was_done(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = incident.actions.get(key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    then = minutes_ago(9)
    done: dict[str, Any] = {"succeeded": True, "result": "Revoked", "by": crew[Role.SECURITY_LEAD]}
    with pytest.raises(Refused, match="is still to come"):
        rollback.complete(action, **done, happened_at=clock.now() + timedelta(minutes=1))

    rollback.complete(action, **done, happened_at=then)

    assert last(incident).body["happened_at"] == clock.stamp(then)


def test_a_gate_that_ran_before_the_last_change_says_nothing_of_it(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)
    gate, lead = incident.gates.get(key="ci"), crew[Role.API_LEAD]
    cleanup.attach(incident, "gate:ci", owner=Role.API_LEAD, by=lead, text="Output")
    seen: dict[str, Any] = {"outcome": GateOutcome.PASS, "note": "Looked", "by": lead}

    with pytest.raises(Refused, match="has to run after the last change of the system"):
        verify.record_by_hand(gate, **seen, happened_at=incident.changed_at - timedelta(seconds=1))
    verify.record_by_hand(gate, **seen, happened_at=incident.changed_at)

    assert last(incident).body["happened_at"] == clock.stamp(incident.changed_at)
    assert completeness.check(incident) == []


# A line of the log --------------------------------------------------------------------------------------------------


def test_the_words_of_an_entry_are_put_right_by_a_new_one(crew: Crew, incident: Incident) -> None:
    note, before = noted(incident, crew), bytes_of(incident)

    made = correct.entry(incident, note.seq, text=" Lag is back ", by=crew.commander, reason="Typing error")

    assert made.body == {
        "sentence": f"Corrected: words of entry {note.seq}",
        "incident": incident.reference,
        "object": "entry",
        "corrects": note.seq,
        "old": {"text": "Lag is bakc"},
        "new": {"text": "Lag is back"},
        "reason": "Typing error",
        "act": "correct",
    }
    assert (made.kind, made.seq, made.actor["id"]) == (Kind.CORRECTED, note.seq + 1, str(crew.commander.public_id))
    assert bytes_of(incident)[: note.seq] == before
    assert log.verify(incident.chain).is_intact


def test_the_time_of_an_entry_is_put_right_by_a_new_one(crew: Crew, incident: Incident) -> None:
    note, then = noted(incident, crew), minutes_ago(9)

    made = correct.entry(incident, note.seq, happened_at=then, by=crew.commander, reason="Seen earlier")

    assert made.sentence == f"Corrected: time of entry {note.seq}"
    assert made.body["old"] == {"happened_at": clock.stamp(note.at)}
    assert made.body["new"] == {"happened_at": clock.stamp(then)}


def test_a_correction_of_a_correction_corrects_the_first_entry(crew: Crew, incident: Incident) -> None:
    note, then = noted(incident, crew), minutes_ago(9)
    first = correct.entry(incident, note.seq, text="Lag is back", by=crew.commander, reason="Typing error")
    timed = correct.entry(incident, first.seq, happened_at=then, by=crew.commander, reason="Seen earlier")

    third = correct.entry(incident, timed.seq, text="Lag came back", by=crew.commander, reason="Better said")

    assert [entry.body["corrects"] for entry in (first, timed, third)] == [note.seq] * 3
    assert ("replaces" in first.body, "replaces" in timed.body, third.body["replaces"]) == (False, False, first.seq)
    assert third.body["old"] == {"text": "Lag is back"}
    line = correct.line_of(incident, third.seq)
    assert line
    assert (line.entry.seq, line.words, line.reading.happened_at) == (note.seq, "Lag came back", then)
    assert line.reading.corrected_by == (first.seq, timed.seq, third.seq)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"text": "Lag is bakc"}, "Entry 7 says this already: change its words or its time."),
        ({"text": " Lag is bakc  "}, "Entry 7 says this already"),
        ({}, "Entry 7 says this already"),
        ({"text": "  "}, "Write what the entry should say."),
        ({"text": "x" * 4001}, "The text takes at most 4,000 characters; this has 4,001."),
        ({"text": "a\x00b"}, "a character that cannot be kept"),
        ({"text": "Other", "reason": " "}, "Say why the entry is corrected."),
        ({"text": "Other", "seq": 99}, "This log has no entry 99."),
        ({"text": "Other", "seq": 0}, "This log has no entry 0."),
        ({"text": "Other", "seq": 10**30}, "This log has no entry 1000"),
    ],
)
def test_a_correction_that_makes_no_sense_is_refused_in_words(
    crew: Crew, incident: Incident, said: dict[str, Any], sentence: str
) -> None:
    assert noted(incident, crew).seq == 7

    with pytest.raises(Refused, match=sentence.replace(".", r"\.")):
        correct.entry(incident, **{"seq": 7, "reason": "Because", "by": crew.commander, **said})

    assert len(bytes_of(incident)) == 7


def test_what_was_recorded_had_happened_by_then(crew: Crew, incident: Incident) -> None:
    first = incident.chain.entries.get(seq=1)

    with pytest.raises(Refused, match=r"Entry 1 was recorded at .*: it happened no later than that"):
        correct.entry(incident, 1, happened_at=clock.now(), by=crew.commander, reason="Later")

    made = correct.entry(incident, 1, happened_at=first.at - timedelta(minutes=2), by=crew.commander, reason="Earlier")
    back = correct.entry(incident, 1, happened_at=first.at, by=crew.commander, reason="It was right")
    assert (made.body["corrects"], back.body["replaces"]) == (1, made.seq)


def test_only_the_commander_corrects(crew: Crew, incident: Incident) -> None:
    note = noted(incident, crew)

    for person in (crew[Role.API_LEAD], crew.deputy, crew.outsider):
        with pytest.raises(Denied, match="Correct a record is for the Incident Commander"):
            correct.entry(incident, note.seq, text="Mine", by=person, reason="I can")


@pytest.mark.parametrize("phase", list(Phase))
def test_an_entry_is_corrected_in_every_phase(crew: Crew, phase: Phase) -> None:
    incident = make_incident(crew, at=phase)
    before = incident.chain.entries.count()

    correct.entry(incident, 2, text="Accepted by phone", by=crew.commander, reason="It was by phone")

    assert log.verify(incident.chain).count == before + 1
    assert completeness.check(incident) == []


def test_an_entry_of_another_incident_is_out_of_reach(crew: Crew, incident: Incident) -> None:
    other = make_incident(make_crew())
    declare.add_note(other, by=other.declared_by, text="Only there")
    note = last(other)

    with pytest.raises(Refused, match=f"This log has no entry {note.seq}"):
        correct.entry(incident, note.seq, text="Mine now", by=crew.commander, reason="Because")


# Words about a person -----------------------------------------------------------------------------------------------


def test_new_words_about_a_person_stand_apart_from_the_log_too(crew: Crew, incident: Incident) -> None:
    note = noted(incident, crew, "Ana N. saw it", personal=True)

    made = correct.entry(incident, note.seq, text="Ana O. saw it", by=crew.commander, reason="Wrong name")

    assert made.body["old"] == made.body["new"] == {"text": "Note with personal data, kept apart"}
    assert b"Ana" not in b"".join(bytes_of(incident))
    assert [str(value) for value in privacy.values_of(incident)] == [
        f"note of entry {note.seq}",
        f"note of entry {made.seq}",
    ]
    line = correct.line_of(incident, note.seq)
    assert line
    assert (line.words, line.is_personal) == ("Ana O. saw it", True)


def test_words_that_were_erased_are_not_written_again(crew: Crew, incident: Incident) -> None:
    note = noted(incident, crew, "Ana N. saw it", personal=True)
    asked = {"by": crew.commander, "second": crew[Role.API_LEAD], "reason": "Asked for"}
    privacy.erase(incident, note.seq, "note", **asked)

    with pytest.raises(Refused, match=f"The words of entry {note.seq} were erased: only its time can be corrected"):
        correct.entry(incident, note.seq, text="Ana N. saw it", by=crew.commander, reason="It said so")

    made = correct.entry(incident, note.seq, happened_at=minutes_ago(5), by=crew.commander, reason="Earlier")
    assert made.body["corrects"] == note.seq
    assert not PrivateValue.objects.filter(chain=incident.chain).exists()


def test_the_old_words_do_not_come_back_when_the_corrected_ones_are_erased(crew: Crew, incident: Incident) -> None:
    note = noted(incident, crew, "Ana N. saw it", personal=True)
    made = correct.entry(incident, note.seq, text="Ana O. saw it", by=crew.commander, reason="Wrong name")
    asked = {"by": crew.commander, "second": crew[Role.API_LEAD], "reason": "Asked for"}

    privacy.erase(incident, made.seq, "note", **asked)

    line = correct.line_of(incident, note.seq)
    assert line
    assert line.words is None


# A row --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def closed(crew: Crew) -> Incident:
    return make_incident(crew, at=Phase.CLOSED)


def test_the_correction_of_a_row_names_the_entry_that_brought_it(crew: Crew, closed: Incident) -> None:
    rows = [closed, closed.targets.get(), FollowUp.objects.get(), Safeguard.objects.get()]
    brought = {
        kind: closed.chain.entries.get(kind=kind).seq
        for kind in (Kind.DECLARED, Kind.TARGET_CHOSEN, Kind.FOLLOW_UP_ADDED, Kind.SAFEGUARD_ADDED)
    }

    for row, field in zip(rows, ("summary", "reason", "acceptance", "gap"), strict=True):
        correct.record(closed, row, field, "Put right", by=crew.commander, reason="Wrong")

    named = log.entries_of(closed, Kind.CORRECTED).values_list("body__corrects", flat=True)
    assert list(named) == list(brought.values())
    assert log.verify(closed.chain).is_intact
    assert completeness.check(closed) == []


def test_a_field_corrected_twice_names_the_correction_before(crew: Crew, closed: Incident) -> None:
    follow_up = FollowUp.objects.get()
    for title in ("Guard drops", "Guard each drop"):
        correct.record(closed, follow_up, "title", title, by=crew.commander, reason="Wrong")
    correct.record(closed, follow_up, "bead_id", "lg-41", by=crew.commander, reason="Opened")

    first, second, other = log.entries_of(closed, Kind.CORRECTED)

    brought = closed.chain.entries.get(kind=Kind.FOLLOW_UP_ADDED).seq
    assert [entry.body["corrects"] for entry in (first, second, other)] == [brought] * 3
    assert [entry.body.get("replaces") for entry in (first, second, other)] == [None, first.seq, None]
    assert (second.body["old"], second.body["new"]) == ("Guard drops", "Guard each drop")
    assert second.body["text"] == "Follow-up 1: Guard each drop"
    assert "text" not in other.body


def test_who_owns_a_follow_up_stands_apart_from_the_log(crew: Crew, closed: Incident) -> None:
    correct.record(closed, FollowUp.objects.get(), "owner", "Ana N.", by=crew.commander, reason="She took it")

    entry = last(closed)
    assert FollowUp.objects.get().owner == "Ana N."
    assert "Ana" not in entry.canonical
    assert set(PrivateValue.objects.filter(seq=entry.seq).values_list("path", "value")) == {
        ("old", "API Lead"),
        ("new", "Ana N."),
    }
    assert completeness.check(closed) == []
