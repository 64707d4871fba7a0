"""Verifying a stored chain at the speed of its hashes: rows as the database keeps them, no object for each, all cores.

`chain.verify` says the same of the same rows; this is the way for a million of them.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from typing import Any

from django.db import connection, connections, transaction

from incidents.evidence import chain as arithmetic
from incidents.models.evidence import EvidenceEntry

# Below this many entries another process costs more than it saves.
WORTH_A_PROCESS = 50_000
# What fits a processor's cache: more at once takes a quarter longer.
_BATCH = 1_000

_POSTGRESQL = """SELECT seq, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), prev, hash,
  convert_to(canonical, 'UTF8')
FROM incidents_evidenceentry WHERE chain_id = %s AND seq > %s AND seq <= %s ORDER BY seq"""
# Django leaves out a fraction that is zero.
_SQLITE = """SELECT seq, replace(at, ' ', 'T') || CASE length(at) WHEN 19 THEN '.000000Z' ELSE 'Z' END, prev, hash,
  CAST(canonical AS BLOB)
FROM incidents_evidenceentry WHERE chain_id = ? AND seq > ? AND seq <= ? ORDER BY seq"""

Row = tuple[int, str, str, str, bytes]


def rows(chain_id: uuid.UUID, after: int, until: int) -> Iterator[list[Row]]:
    """The entries after number `after` up to number `until`, in batches, as they are hashed."""
    connection.ensure_connection()
    raw: Any = connection.connection
    if connection.vendor != "postgresql":
        with closing(raw.cursor()) as cursor:
            cursor.execute(_SQLITE, [chain_id.hex, after, until])
            while batch := cursor.fetchmany(_BATCH):
                yield batch
        return
    from psycopg import ServerCursor

    with transaction.atomic(), ServerCursor(raw, "lastgood_verify") as cursor:
        raw.execute("SET LOCAL jit = off")
        cursor.execute(_POSTGRESQL, [chain_id, after, until], binary=True)
        while batch := cursor.fetchmany(_BATCH):
            yield batch


def verify(chain_id: uuid.UUID, until: int) -> arithmetic.Verdict:
    """Walk a chain up to an entry with as many processes as are worth it.

    Call it where no thread runs and no transaction is open: it forks.
    """
    parts = min(os.cpu_count() or 1, max(1, until // WORTH_A_PROCESS))
    if parts == 1:
        return segment(chain_id, 0, until, until)
    connections.close_all()
    with multiprocessing.get_context("fork").Pool(parts) as pool:
        return joined(pool.starmap(segment, segments(chain_id, until, parts)))


def segments(chain_id: uuid.UUID, until: int, parts: int) -> list[tuple[uuid.UUID, int, int, int]]:
    """What each part walks, as the arguments of `segment`."""
    ends = [until * part // parts for part in range(parts + 1)]
    return [(chain_id, *pair, until) for pair in pairwise(ends)]


def joined(found: Sequence[arithmetic.Verdict]) -> arithmetic.Verdict:
    """The verdict of the whole: the first part that does not hold, or the last."""
    return next((verdict for verdict in found if not verdict.is_intact), found[-1])


def segment(chain_id: uuid.UUID, after: int, until: int, end: int) -> arithmetic.Verdict:
    """Verify the entries after number `after`, from the hash that entry has; whoever walks before vouches for it.

    Args:
        end: how many entries the whole chain has.
    """
    seq, before = after, _hash_of(chain_id, after)
    for batch in rows(chain_id, after, until):
        for row in batch:
            number, at, prev, placed, canonical = row
            digest = hashlib.sha256(b"lastgood-entry-v1\n" + canonical).hexdigest()
            link = hashlib.sha256(f"lastgood-link-v1\n{number}\n{at}\n{prev}\n{digest}".encode()).hexdigest()
            if link != placed or prev != before or number != seq + 1:
                return arithmetic.Verdict(seq, before, number, arithmetic.fault(_line(row), seq + 1, before))
            seq, before = number, placed
    return (
        arithmetic.Verdict(seq, before, *_gap(chain_id, seq, end)) if seq < until else arithmetic.Verdict(seq, before)
    )


def _gap(chain_id: uuid.UUID, seq: int, end: int) -> tuple[int, str]:
    """What is said where the rows end before they should."""
    following = EvidenceEntry.objects.filter(chain_id=chain_id, seq__gt=seq).order_by("seq")
    found = following.values_list("seq", flat=True).first()
    if found is None:
        return seq + 1, f"The log ends at entry {seq}, but {end} were written."
    return found, f"Entry {seq + 1} is missing: the next one found is {found}."


def _hash_of(chain_id: uuid.UUID, seq: int) -> str:
    found = EvidenceEntry.objects.filter(chain_id=chain_id, seq=seq).values_list("hash", flat=True).first()
    return found or arithmetic.ZERO


def _line(row: Row) -> arithmetic.Line:
    seq, at, prev, placed, canonical = row
    return arithmetic.Line(seq, at, prev, placed, bytes(canonical))
