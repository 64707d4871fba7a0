"""Writing and reading the evidence log. The head row is locked and moved last in a step's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction

from incidents import clock
from incidents.evidence import chain as arithmetic
from incidents.models.evidence import EvidenceChain, EvidenceEntry
from incidents.models.incident import Incident
from incidents.terms import Kind

SYSTEM_ACTOR = {"kind": "system", "name": "lastgood"}
# What was told to stakeholders, and what makes it out of date.
TURNS = (
    Kind.TARGET_CHOSEN,
    Kind.LEVEL_CHANGED,
    Kind.ACTION_ADDED,
    Kind.ROLLBACK_REOPENED,
    Kind.REFROZEN,
)
NOTICES = (Kind.NOTICE_ISSUED, Kind.NOTICE_SENT, Kind.VERIFICATION_BEGUN, *TURNS)
_KEPT = "notices of the log"


def person(user: Any, role: str = "", second: Any = None) -> dict[str, Any]:
    """The actor of an entry: a stable id, never a name or an address."""
    actor = {"kind": "user", "id": str(user.public_id)}
    if role:
        actor["role"] = str(role)
    if second is not None:
        actor["second"] = str(second.public_id)
    return actor


def append(
    chain: EvidenceChain, kind: Kind, *, at: datetime, actor: dict[str, Any], body: dict[str, Any]
) -> EvidenceEntry:
    """Write the next entry of a chain. Call it last in the transaction: the head stays locked until commit."""
    with transaction.atomic(savepoint=False):
        return _append(lock_head(EvidenceChain.objects.all()).get(pk=chain.pk), kind, at=at, actor=actor, body=body)


def begin(
    incident: Incident, kind: Kind, *, at: datetime, actor: dict[str, Any], body: dict[str, Any]
) -> EvidenceEntry:
    """Open an incident's chain with its first entry."""
    with transaction.atomic(savepoint=False):
        chain = EvidenceChain(incident=incident)
        entry = _next(chain, kind, at=at, actor=actor, body=body)
        chain.seq, chain.hash, chain.at = entry.seq, entry.hash, entry.at
        chain.save(force_insert=True)
        entry.save(force_insert=True)
    return entry


def _append(
    head: EvidenceChain, kind: Kind, *, at: datetime, actor: dict[str, Any], body: dict[str, Any]
) -> EvidenceEntry:
    entry = _next(head, kind, at=at, actor=actor, body=body)
    entry.save(force_insert=True)
    EvidenceChain.objects.filter(pk=head.pk).update(seq=entry.seq, hash=entry.hash, at=entry.at)
    return entry


def _next(
    head: EvidenceChain, kind: Kind, *, at: datetime, actor: dict[str, Any], body: dict[str, Any]
) -> EvidenceEntry:
    """The entry that follows the head, not yet written."""
    at = max(at, head.at) if head.at else at
    entry = {
        "v": arithmetic.VERSION,
        "chain": str(head.pk),
        "at": clock.stamp(at),
        "kind": str(kind),
        "actor": actor,
        "body": body,
        "commits": [],
    }
    canonical = arithmetic.canonical(entry)
    seq, prev = head.seq + 1, head.hash
    return EvidenceEntry(
        chain=head,
        seq=seq,
        at=at,
        kind=kind,
        actor=actor,
        body=body,
        canonical=canonical,
        prev=prev,
        hash=arithmetic.link(seq, prev, arithmetic.digest(canonical)),
    )


def lock_head(queryset: Any) -> Any:
    return (
        queryset.select_for_update(no_key=True) if connection.vendor == "postgresql" else queryset.select_for_update()
    )


def global_chain() -> EvidenceChain:
    return EvidenceChain.objects.get_or_create(incident=None)[0]


def append_globally(kind: Kind, *, actor: dict[str, Any], **body: Any) -> EvidenceEntry:
    """Record a change that belongs to no single incident: configuration, an incident's opening."""
    with transaction.atomic(savepoint=False):
        rows = lock_head(EvidenceChain.objects.filter(incident=None))
        head = rows.first() or rows.get(pk=global_chain().pk)
        return _append(head, kind, at=clock.now(), actor=actor, body=body)


def lines(chain: EvidenceChain) -> Iterator[arithmetic.Line]:
    """The stored lines of a chain, in order, streamed."""
    rows = chain.entries.order_by("seq").values_list("seq", "prev", "hash", "canonical")
    for seq, prev, digest, canonical in rows.iterator(chunk_size=2000):
        yield arithmetic.Line(seq, prev, digest, bytes(canonical))


def jsonl(chain: EvidenceChain) -> Iterator[bytes]:
    """The exported log, a line an entry. The entry's bytes are those that were hashed."""
    for line in lines(chain):
        yield b'{"entry":%b,"hash":"%b","prev":"%b","seq":%d}\n' % (
            line.canonical,
            line.hash.encode(),
            line.prev.encode(),
            line.seq,
        )


def verify(chain: EvidenceChain) -> arithmetic.Verdict:
    """Check every stored line, that the readable columns say what was hashed, and that the head is one of them.

    The head is read first: what is written meanwhile comes after it and is checked as well.
    """
    head = EvidenceChain.objects.get(pk=chain.pk)
    verdict = arithmetic.verify(lines(chain))
    if not verdict.is_intact:
        return verdict
    fault = _column_fault(chain) or _head_fault(head, verdict.count)
    return arithmetic.Verdict(verdict.count, verdict.head, *fault) if fault else verdict


def _head_fault(head: EvidenceChain, count: int) -> tuple[int, str] | None:
    if count < head.seq:
        return count + 1, f"The log ends at entry {count}, but {head.seq} were written."
    if head.seq and not head.entries.filter(seq=head.seq, hash=head.hash).exists():
        return head.seq, f"Entry {head.seq} is not the one that the log's head names."
    if count > head.seq and EvidenceChain.objects.get(pk=head.pk).seq < count:
        return head.seq + 1, f"The log's head names entry {head.seq}, but {count} are there."
    return None


def _column_fault(chain: EvidenceChain) -> tuple[int, str] | None:
    rows = chain.entries.order_by("seq").values_list("seq", "at", "kind", "actor", "body", "canonical")
    for seq, at, kind, actor, body, canonical in rows.iterator(chunk_size=2000):
        hashed = orjson.loads(bytes(canonical))
        shown = (clock.stamp(at), kind, actor, body)
        if shown != (hashed["at"], hashed["kind"], hashed["actor"], hashed["body"]):
            return seq, f"Entry {seq} shows something else than what was hashed."
    return None


def entries_of(incident: Incident, *kinds: Kind) -> Any:
    """The incident's entries of these kinds, oldest first."""
    found = EvidenceEntry.objects.filter(chain__incident=incident)
    return (found.filter(kind__in=kinds) if kinds else found).order_by("seq")


def keep_notices(incident: Incident, entries: list[EvidenceEntry]) -> None:
    """Leave the log's notices with an incident that was read with them, until it is read again.

    Args:
        entries: all of the kinds in NOTICES, oldest first.
    """
    kept = incident.__dict__.setdefault("_prefetched_objects_cache", {})
    kept[_KEPT] = [entry for entry in entries if entry.kind in NOTICES]


def told(incident: Incident) -> list[EvidenceEntry]:
    """The log's entries of the kinds in NOTICES, oldest first; not read again where the incident was read with them."""
    kept: list[EvidenceEntry] | None = incident.__dict__.get("_prefetched_objects_cache", {}).get(_KEPT)
    return list(entries_of(incident, *NOTICES).defer("canonical")) if kept is None else kept


def notices_of(incident: Incident, kind: Kind) -> list[dict[str, Any]]:
    """The bodies of the log's entries about notices, issued or sent, oldest first."""
    return [entry.body for entry in told(incident) if entry.kind == kind]
