"""The stored log: one entry an act, refused by the database to be changed, and verified from what is stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from incidents import clock
from incidents.evidence import chain, log, triggers
from incidents.evidence.signals import entry_recorded
from incidents.models import EvidenceChain, EvidenceEntry
from incidents.steps import declare
from incidents.steps.base import Refused, Unrecorded, step
from incidents.terms import Act, Kind, Level
from tests.factories import make_crew, make_incident, tamper

pytestmark = pytest.mark.django_db


def test_a_changed_row_is_found_with_its_number() -> None:
    incident = make_incident(make_crew())
    triggers.drop(connection)
    tamper(incident, 3)

    verdict = log.verify(incident.chain)

    assert (verdict.broken_at, verdict.reason) == (3, "Entry 3 was changed after it was written.")


def test_a_changed_time_is_found_with_its_number() -> None:
    incident = make_incident(make_crew())
    triggers.drop(connection)
    victim = EvidenceEntry.objects.get(chain=incident.chain, seq=3)
    EvidenceEntry.objects.filter(pk=victim.pk).update(at=victim.at - timedelta(microseconds=1))

    assert log.verify(incident.chain).broken_at == 3


def test_a_cut_tail_is_found_by_the_head() -> None:
    incident = make_incident(make_crew())
    last = EvidenceEntry.objects.filter(chain=incident.chain).latest("seq")
    triggers.drop(connection)
    EvidenceEntry.objects.filter(pk=last.pk).delete()

    verdict = log.verify(incident.chain)

    assert verdict.broken_at == last.seq
    assert verdict.reason == f"The log ends at entry {last.seq - 1}, but {last.seq} were written."


def test_the_exported_lines_verify_without_the_database() -> None:
    incident = make_incident(make_crew())

    exported = b"".join(log.jsonl(incident.chain)).splitlines()

    verdict = chain.verify(chain.read_jsonl(exported))
    head = EvidenceChain.objects.get(pk=incident.chain.pk)
    assert (verdict.is_intact, verdict.count, verdict.head) == (True, head.seq, head.hash)


def test_each_act_appends_exactly_one_entry_with_actor_and_role() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    before = EvidenceEntry.objects.filter(chain=incident.chain).count()

    declare.add_note(incident, by=crew.commander, text="Rollback lead is on the call")

    entry = EvidenceEntry.objects.filter(chain=incident.chain).latest("seq")
    assert entry.seq == before + 1
    assert entry.kind == Kind.NOTE_ADDED
    assert entry.actor == {"kind": "user", "id": str(crew.commander.public_id), "role": "commander"}
    assert entry.body == {"sentence": "Rollback lead is on the call", "incident": incident.reference, "act": "add_note"}


def test_entries_hold_no_name_and_no_address() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    exported = b"".join(log.jsonl(incident.chain)).decode()

    assert [user for user in crew.people.values() if user.email in exported or user.name in exported] == []


def test_a_step_that_records_nothing_changes_nothing() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    with pytest.raises(Unrecorded), step(incident, Act.ADD_NOTE, by=crew.commander) as taken:
        type(incident).objects.filter(pk=taken.incident.pk).update(summary="changed")

    incident.refresh_from_db()
    assert incident.summary == "Projection lag after deploy 1182"


def test_time_never_runs_backwards_in_a_chain() -> None:
    incident = make_incident(make_crew())
    head = EvidenceChain.objects.get(pk=incident.chain.pk)
    assert head.at
    earlier = incident.declared_at.replace(year=2020)

    entry = log.append(head, Kind.NOTE_ADDED, at=earlier, actor=log.SYSTEM_ACTOR, body={"sentence": "late"})

    assert entry.at == head.at
    # Whoever was overtaken while waiting for the head had no wrong clock.
    assert not EvidenceEntry.objects.filter(chain=head, kind=Kind.CLOCK_SKEWED).exists()
    assert log.verify(head).is_intact


def test_a_clock_that_went_back_is_told_by_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    incident = make_incident(make_crew())
    head = EvidenceChain.objects.get(pk=incident.chain.pk)
    assert head.at
    earlier = head.at - timedelta(seconds=2)
    monkeypatch.setattr(clock, "now", lambda: earlier)

    entry = log.append(head, Kind.NOTE_ADDED, at=clock.now(), actor=log.SYSTEM_ACTOR, body={"sentence": "late"})

    skew = EvidenceEntry.objects.get(chain=head, seq=entry.seq + 1)
    assert (skew.kind, skew.body["entry"], skew.body["clock"]) == (Kind.CLOCK_SKEWED, entry.seq, clock.stamp(earlier))
    assert (entry.at, skew.at) == (head.at, head.at)
    assert log.verify(head).is_intact


def test_an_opened_incident_is_named_in_the_global_chain() -> None:
    incident = make_incident(make_crew())

    entry = log.global_chain().entries.latest("seq")

    assert (entry.kind, entry.body["incident"], entry.body["chain"]) == (
        Kind.DECLARED,
        incident.reference,
        str(incident.chain.pk),
    )
    assert log.verify(log.global_chain()).is_intact


@pytest.mark.django_db(transaction=True)
def test_a_reader_that_fails_is_logged_and_takes_nothing_back(caplog: pytest.LogCaptureFixture) -> None:
    crew = make_crew()
    incident = make_incident(crew)

    def fail(**_: Any) -> None:
        raise RuntimeError("the reader is broken")

    entry_recorded.connect(fail)
    try:
        declare.add_note(incident, by=crew.commander, text="Still written")
    finally:
        entry_recorded.disconnect(fail)

    assert incident.chain.entries.latest("seq").sentence == "Still written"
    assert [(record.name, record.levelname) for record in caplog.records] == [("django.dispatch", "ERROR")]


def test_a_refused_act_leaves_no_entry_and_tells_nobody(django_capture_on_commit_callbacks: Any) -> None:
    crew = make_crew()
    incident = make_incident(crew)
    before = EvidenceEntry.objects.count()

    with django_capture_on_commit_callbacks() as told, pytest.raises(Refused):
        declare.raise_level(incident, Level.L1, by=crew.commander, reason="It is the lowest already")

    assert (EvidenceEntry.objects.count(), told) == (before, [])
