"""The stored log: one entry an act, refused by the database to be changed, and verified from what is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from incidents.evidence import chain, log, triggers
from incidents.evidence.signals import entry_recorded
from incidents.models import EvidenceChain, EvidenceEntry
from incidents.steps import declare
from incidents.steps.base import Refused, Unrecorded, step
from incidents.terms import Act, Kind, Level
from tests.factories import make_crew, make_incident

pytestmark = pytest.mark.django_db

TABLE = triggers.TABLE
# Statements that only one engine has.
FOREIGN = {"postgresql": {"insert or replace", "update or replace"}, "sqlite": {"truncate"}}[connection.vendor]


def attacks(entry: EvidenceEntry) -> dict[str, tuple[str, list[Any]]]:
    columns = "chain_id, seq, at, kind, actor, body, canonical, prev, hash"
    same = "chain_id, %s, at, kind, actor, body, canonical, %s, %s"
    forged = "f" * 64
    conflict = "ON CONFLICT (hash) DO UPDATE SET kind = 'x'"
    return {
        "update": (f"UPDATE {TABLE} SET kind = 'note.added' WHERE id = %s", [entry.pk]),
        "delete one": (f"DELETE FROM {TABLE} WHERE id = %s", [entry.pk]),
        "delete all": (f"DELETE FROM {TABLE}", []),
        "truncate": (f"TRUNCATE {TABLE}", []),
        "insert or replace": (f"INSERT OR REPLACE INTO {TABLE} SELECT * FROM {TABLE} WHERE id = %s", [entry.pk]),
        "update or replace": (f"UPDATE OR REPLACE {TABLE} SET seq = 1 WHERE id = %s", [entry.pk]),
        "upsert": (
            f"INSERT INTO {TABLE} ({columns}) SELECT {columns} FROM {TABLE} WHERE id = %s {conflict}",
            [entry.pk],
        ),
        "fork": (
            f"INSERT INTO {TABLE} ({columns}) SELECT {same} FROM {TABLE} WHERE id = %s",
            [entry.seq + 1, entry.prev, forged, entry.pk],
        ),
        "gap": (
            f"INSERT INTO {TABLE} ({columns}) SELECT {same} FROM {TABLE} WHERE id = %s",
            [entry.seq + 9, entry.hash, forged, entry.pk],
        ),
        "second genesis": (
            f"INSERT INTO {TABLE} ({columns}) SELECT {same} FROM {TABLE} WHERE id = %s",
            [1, chain.ZERO, forged, entry.pk],
        ),
    }


@pytest.mark.parametrize("name", sorted(set(attacks(EvidenceEntry(seq=1))) - FOREIGN))
def test_the_database_refuses_every_attack_on_a_written_entry(name: str) -> None:
    incident = make_incident(make_crew())
    entry = EvidenceEntry.objects.filter(chain=incident.chain).latest("seq")
    sql, parameters = attacks(entry)[name]

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
    assert log.verify(incident.chain).is_intact


def test_the_orm_cannot_change_or_delete_an_entry() -> None:
    incident = make_incident(make_crew())
    entry = EvidenceEntry.objects.filter(chain=incident.chain).latest("seq")
    entry.kind = Kind.NOTE_ADDED

    with pytest.raises(DatabaseError), transaction.atomic():
        entry.save()
    with pytest.raises(DatabaseError), transaction.atomic():
        entry.delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        EvidenceEntry.objects.all().update(kind="x")


def test_the_triggers_are_there_after_migrate_and_a_lost_one_is_named() -> None:
    assert triggers.missing(connection) == []

    with connection.cursor() as cursor:
        on_table = f" ON {TABLE}" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP TRIGGER evidence_in_order{on_table}")

    assert triggers.missing(connection) == ["evidence_in_order"]


def test_a_changed_row_is_found_with_its_number() -> None:
    incident = make_incident(make_crew())
    triggers.drop(connection)
    victim = EvidenceEntry.objects.get(chain=incident.chain, seq=3)
    EvidenceEntry.objects.filter(pk=victim.pk).update(body=victim.body | {"sentence": "Nothing happened"})

    verdict = log.verify(incident.chain)

    assert (verdict.broken_at, verdict.reason) == (3, "Entry 3 shows something else than what was hashed.")


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
    assert entry.body == {"sentence": "Rollback lead is on the call", "incident": incident.reference}


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

    entry = log.append(
        head,
        Kind.NOTE_ADDED,
        at=incident.declared_at.replace(year=2020),
        actor=log.SYSTEM_ACTOR,
        body={"sentence": "late"},
    )

    assert entry.at == head.at
    assert json.loads(bytes(entry.canonical))["at"] == head.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_an_opened_incident_is_named_in_the_global_chain() -> None:
    incident = make_incident(make_crew())

    entry = log.global_chain().entries.latest("seq")

    assert (entry.kind, entry.body["incident"], entry.body["chain"]) == (
        Kind.DECLARED,
        incident.reference,
        str(incident.chain.pk),
    )
    assert log.verify(log.global_chain()).is_intact


def test_an_entry_before_the_first_is_refused() -> None:
    incident = make_incident(make_crew())
    entry = EvidenceEntry.objects.filter(chain=incident.chain).latest("seq")
    columns = "chain_id, seq, at, kind, actor, body, canonical, prev, hash"
    forged = f"SELECT chain_id, 0, at, kind, actor, body, canonical, %s, %s FROM {TABLE} WHERE id = %s"

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} ({columns}) {forged}", ["e" * 64, "f" * 64, entry.pk])


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
