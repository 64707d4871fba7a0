"""Writing and reading the evidence log. The head row is locked and moved last in a step's transaction."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction

from incidents import clock, prepared
from incidents.evidence import chain as arithmetic
from incidents.evidence import stored
from incidents.evidence import verify as checking
from incidents.evidence.merkle import Tree
from incidents.evidence.note import VerifierKey
from incidents.models.evidence import EvidenceChain, EvidenceEntry, PrivateValue
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
_SKEW = timedelta(seconds=1)


def person(user: Any, role: str = "", second: Any = None) -> dict[str, Any]:
    """The actor of an entry: a stable id, never a name or an address."""
    actor = {"kind": "user", "id": str(user.public_id)}
    if role:
        actor["role"] = str(role)
    if second is not None:
        actor["second"] = str(second.public_id)
    return actor


class Place(NamedTuple):
    """Where an entry stands in its chain."""

    pk: int
    seq: int
    at: datetime


class Draft(NamedTuple):
    """What an entry says, before it has a place in its chain."""

    chain_id: uuid.UUID
    at: datetime
    canonical: str
    digest: str
    personal: dict[str, str]
    salts: dict[str, bytes]


def draft(
    chain_id: uuid.UUID,
    kind: Kind,
    at: datetime,
    actor: dict[str, Any],
    body: dict[str, Any],
    personal: dict[str, str] | None = None,
) -> Draft:
    """An entry's bytes and their digest. Nothing is looked up or written."""
    chain, personal = str(chain_id), personal or {}
    salts = {path: secrets.token_bytes(32) for path in sorted(personal)}
    commits = [
        {"path": path, "commit": arithmetic.commitment(chain, path, salt, personal[path])}
        for path, salt in salts.items()
    ]
    entry = {
        "v": arithmetic.VERSION,
        "chain": chain,
        "kind": str(kind),
        "actor": actor,
        "body": body,
        "commits": commits,
    }
    canonical = arithmetic.canonical(entry)
    return Draft(chain_id, at, canonical.decode(), arithmetic.digest(canonical), personal, salts)


def append(
    chain: EvidenceChain,
    kind: Kind,
    *,
    at: datetime,
    actor: dict[str, Any],
    body: dict[str, Any],
    personal: dict[str, str] | None = None,
    ahead: Sequence[prepared.Statement] = (),
) -> Place:
    """Write the next entry of a chain. Call it last in the transaction: the head stays locked until commit.

    Args:
        at: when it happened. Where the entry before is later, that one's time is taken: a log never runs backwards.
        personal: personal values by the name of the fact. The entry holds commitments to them, so that they can be
            erased and the entry still verifies.
        ahead: statements to send on the same way, just before it.
    """
    drafted = draft(chain.pk, kind, at, actor, body, personal)
    if not personal:
        place = _write(drafted, ahead)
    else:
        with transaction.atomic(savepoint=False):
            place = _write(drafted, ahead)
            _keep_private(place, drafted)
    # Not compared with `at`: whoever waited for the head was overtaken, and no clock was wrong.
    if place.at > at and place.at - (read := clock.now()) > _SKEW:
        append(chain, Kind.CLOCK_SKEWED, at=place.at, actor=SYSTEM_ACTOR, body=_skew(place, read))
    return place


def begin(incident: Incident, kind: Kind, *, at: datetime, actor: dict[str, Any], body: dict[str, Any]) -> Place:
    """Open an incident's chain with its first entry."""
    with transaction.atomic(savepoint=False):
        chain = EvidenceChain(incident=incident)
        drafted = draft(chain.pk, kind, at, actor, body)
        link = _link(drafted, seq=0, prev=arithmetic.ZERO, at=at)
        chain.seq, chain.hash, chain.at = 1, link, at
        chain.save(force_insert=True)
        entry = EvidenceEntry(chain=chain, seq=1, at=at, canonical=drafted.canonical, prev=arithmetic.ZERO, hash=link)
        entry.save(force_insert=True)
    return Place(entry.pk, 1, at)


# One statement: the head moves and hands its place to the entry. `prev` comes from the head row itself; a second
# look at the table would see it as it was before the lock.
_AT_ONCE = """
WITH head AS (
  UPDATE incidents_evidencechain SET
    seq = seq + 1,
    prev = hash,
    at = greatest(at, %(at)s),
    hash = encode(sha256(convert_to(
      'lastgood-link-v1' || chr(10) || (seq + 1) || chr(10)
      || to_char(greatest(at, %(at)s) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || chr(10)
      || hash || chr(10) || %(digest)s, 'UTF8')), 'hex')
  WHERE id = %(chain)s
  RETURNING id, seq, at, prev, hash)
INSERT INTO incidents_evidenceentry (chain_id, seq, at, canonical, prev, hash)
SELECT id, seq, at, %(canonical)s, prev, hash FROM head
RETURNING id, seq, nullif(at, %(at)s)"""


def _write(draft: Draft, ahead: Sequence[prepared.Statement]) -> Place:
    if connection.vendor == "postgresql":
        return _at_once(draft, ahead)
    with transaction.atomic(savepoint=False):
        prepared.answers(*ahead)
        return _in_turn(draft)


def _at_once(draft: Draft, ahead: Sequence[prepared.Statement]) -> Place:
    """PostgreSQL: head and entry in one statement."""
    terms = {"chain": draft.chain_id, "at": draft.at, "digest": draft.digest, "canonical": draft.canonical}
    if ahead:
        pk, seq, later = prepared.answers(*ahead, prepared.Statement(_AT_ONCE, terms))[-1]
    else:
        with prepared.cursor() as cursor:
            cursor.execute(_AT_ONCE, terms)
            pk, seq, later = cursor.fetchone()
    return Place(pk, seq, later or draft.at)


_HEAD = "SELECT seq, hash, at FROM incidents_evidencechain WHERE id = %s"
_INSERT = """INSERT INTO incidents_evidenceentry (chain_id, seq, at, canonical, prev, hash)
VALUES (%s, %s, %s, %s, %s, %s) RETURNING id"""
_MOVE = "UPDATE incidents_evidencechain SET seq = %s, prev = %s, hash = %s, at = %s WHERE id = %s"


def _in_turn(draft: Draft) -> Place:
    """SQLite: the transaction holds the one write lock, so that head, entry and head can follow each other."""
    key = draft.chain_id.hex
    with connection.cursor() as cursor:
        cursor.execute(_HEAD, [key])
        seq, prev, before = cursor.fetchone()
        at = max(draft.at, before.replace(tzinfo=UTC)) if before else draft.at
        link, moment = _link(draft, seq=seq, prev=prev, at=at), connection.ops.adapt_datetimefield_value(at)
        cursor.execute(_INSERT, [key, seq + 1, moment, draft.canonical, prev, link])
        [pk] = cursor.fetchone()
        cursor.execute(_MOVE, [seq + 1, prev, link, moment, key])
    return Place(pk, seq + 1, at)


def _link(draft: Draft, *, seq: int, prev: str, at: datetime) -> str:
    """The hash of a draft that follows entry `seq`, whose hash is `prev`."""
    return arithmetic.link(seq + 1, clock.stamp(at), prev, draft.digest)


def _keep_private(place: Place, draft: Draft) -> None:
    PrivateValue.objects.bulk_create(
        PrivateValue(chain_id=draft.chain_id, seq=place.seq, path=path, salt=salt, value=draft.personal[path])
        for path, salt in draft.salts.items()
    )


def _skew(place: Place, read: datetime) -> dict[str, Any]:
    sentence = (
        f"The clock read {clock.stamp(read)}, earlier than the entry before: entry {place.seq} bears that one's time"
    )
    return {"sentence": sentence, "entry": place.seq, "clock": clock.stamp(read)}


def lock_head(queryset: Any) -> Any:
    return (
        queryset.select_for_update(no_key=True) if connection.vendor == "postgresql" else queryset.select_for_update()
    )


def global_chain() -> EvidenceChain:
    return EvidenceChain.objects.get_or_create(incident=None, custody_of=None)[0]


def append_globally(kind: Kind, *, actor: dict[str, Any], **body: Any) -> Place:
    """Record a change that belongs to no single incident: configuration, an incident's opening."""
    with transaction.atomic(savepoint=False):
        return append(global_chain(), kind, at=clock.now(), actor=actor, body=body)


def append_custody(incident: Incident, *, by: Any, **body: Any) -> Place:
    """Record that evidence of an incident was handed out: reading is no act, so it has a chain of its own."""
    with transaction.atomic(savepoint=False):
        chain = EvidenceChain.objects.get_or_create(custody_of=incident)[0]
        return append(chain, Kind.HANDED_OUT, at=clock.now(), actor=person(by), body=body)


def lines(chain: EvidenceChain, *, after: int = 0, until: int | None = None) -> Iterator[arithmetic.Line]:
    """The stored lines of a chain, in order, streamed; those after entry `after`, up to entry `until`."""
    found = chain.entries.filter(seq__gt=after) if after else chain.entries.all()
    found = found if until is None else found.filter(seq__lte=until)
    rows = found.order_by("seq").values_list("seq", "at", "prev", "hash", "canonical")
    for seq, at, prev, digest, canonical in rows.iterator(chunk_size=2000):
        yield arithmetic.Line(seq, clock.stamp(at), prev, digest, canonical.encode())


def jsonl(chain: EvidenceChain, *, until: int | None = None) -> Iterator[bytes]:
    """The exported log, a line an entry. The entry's bytes are those that were hashed."""
    for line in lines(chain, until=until):
        yield b'{"at":"%b","entry":%b,"hash":"%b","prev":"%b","seq":%d}\n' % (
            line.at.encode(),
            line.canonical,
            line.hash.encode(),
            line.prev.encode(),
            line.seq,
        )


def verify(chain: EvidenceChain) -> arithmetic.Verdict:
    """Check every stored line, and that the head is one of them."""
    return check(chain).verdict


def check(chain: EvidenceChain, notes: Sequence[str] = (), keys: Sequence[VerifierKey] = ()) -> checking.Finding:
    """Check every stored line, that the head is one of them, and what checkpoints said.

    Args:
        notes: signed checkpoints that somebody kept, as text; `keys` are those whose signatures count.
    """
    for found in check_in_steps(chain, notes, keys):
        if isinstance(found, checking.Finding):
            return found
    raise AssertionError("check_in_steps ends with a finding")


def check_in_steps(
    chain: EvidenceChain, notes: Sequence[str] = (), keys: Sequence[VerifierKey] = ()
) -> Iterator[int | checking.Finding]:
    """The same as `check`, telling now and then how many entries were walked; the last thing told is the finding.

    The head is read first: what is written meanwhile comes after it and is checked as well. The readable columns need
    no check of their own: the database makes them of the hashed text, and `triggers.missing` says when it does not.
    """
    head = EvidenceChain.objects.get(pk=chain.pk)
    for found in checking.in_steps(str(chain.pk), lines(chain), notes, keys):
        if isinstance(found, checking.Finding) and found.verdict.is_intact:
            yield _with_head(head, found)
        else:
            yield found


def check_on_all_cores(chain: EvidenceChain) -> checking.Finding:
    """The same as `check` without checkpoints, for a command: it forks where a chain is long."""
    head = EvidenceChain.objects.get(pk=chain.pk)
    verdict = stored.verify(head.pk, head.seq)
    beyond = head.entries.filter(seq__gt=head.seq).count() if verdict.is_intact else 0
    found = checking.Finding(replace(verdict, count=verdict.count + beyond), [], [], Tree())
    return _with_head(head, found) if verdict.is_intact else found


def _with_head(head: EvidenceChain, found: checking.Finding) -> checking.Finding:
    fault = _head_fault(head, found.verdict.count)
    if fault is None:
        return found
    return replace(found, verdict=arithmetic.Verdict(found.verdict.count, found.verdict.head, *fault))


def _head_fault(head: EvidenceChain, count: int) -> tuple[int, str] | None:
    if count < head.seq:
        return count + 1, f"The log ends at entry {count}, but {head.seq} were written."
    if head.seq and not head.entries.filter(seq=head.seq, hash=head.hash).exists():
        return head.seq, f"Entry {head.seq} is not the one that the log's head names."
    if count > head.seq and EvidenceChain.objects.get(pk=head.pk).seq < count:
        return head.seq + 1, f"The log's head names entry {head.seq}, but {count} are there."
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
