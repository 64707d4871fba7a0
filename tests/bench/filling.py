"""Fills the global log with entries, faster than one can append them: as a backup tool would write them back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

BATCH = 20_000
_BEGIN = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
_COLUMNS = "chain_id, seq, at, canonical, prev, hash"


def fill(chain: Any, until: int) -> None:
    """Bring a chain to `until` entries, each as an append would have made it. The triggers are away meanwhile."""
    from django.db import connection

    from incidents.evidence import triggers

    triggers.drop(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY incidents_evidenceentry ({_COLUMNS}) FROM STDIN") as copy:
                for row in _rows(chain, until):
                    copy.write_row(row)
        else:
            values = "%s, %s, %s, %s, %s, %s"
            cursor.execute("BEGIN")
            insert = f"INSERT INTO incidents_evidenceentry ({_COLUMNS}) VALUES ({values})"
            cursor.executemany(insert, _stored(_rows(chain, until)))
            cursor.execute("COMMIT")
    chain.save()
    triggers.install(connection)


def _rows(chain: Any, until: int) -> Iterator[tuple[Any, ...]]:
    from incidents import clock
    from incidents.evidence import chain as arithmetic
    from incidents.evidence.log import draft
    from incidents.terms import Kind

    actor = {"kind": "user", "id": "2a9e5d60-5d7e-4b8e-9d9c-0f4f6cf1a001", "role": "infrastructure_lead"}
    for seq in range(chain.seq + 1, until + 1):
        at = _BEGIN + timedelta(milliseconds=137 * seq)
        body = {"sentence": f"Started: Roll the API back, try {seq}", "incident": "RB-2026-0007", "epoch": seq}
        drafted = draft(chain.pk, Kind.ACTION_STARTED, at, actor, body)
        placed = arithmetic.link(seq, clock.stamp(at), chain.hash, drafted.digest)
        yield chain.pk, seq, at, drafted.canonical, chain.hash, placed
        chain.seq, chain.prev, chain.hash, chain.at = seq, chain.hash, placed, at


def _stored(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """As SQLite keeps them."""
    for chain, seq, at, *others in rows:
        yield chain.hex, seq, f"{at:%Y-%m-%d %H:%M:%S.%f}", *others
