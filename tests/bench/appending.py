"""Measures appending to the log against a bare INSERT of the same row: `python -m tests.bench.appending`.

Run in a process of its own, on the database of DATABASE_URL, which has the portal's tables. Prints one JSON object.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import django

ROUNDS = 9
WRITERS, EACH = 4, 2000
CROWD, CROWD_EACH = 8, 150


def main() -> None:
    """`alone CALLS` pairs an append with the floor; `together` and `crowd` let several processes write to one chain."""
    django.setup()
    from incidents.evidence import log

    word, *numbers = sys.argv[1:]
    measure = {"alone": _alone, "together": _side_by_side, "crowd": _crowded}[word]
    found = measure(log.global_chain(), *map(int, numbers))
    sys.stdout.write(json.dumps(found) + "\n")


def _alone(chain: Any, calls: int) -> dict[str, Any]:
    chained, bare = _paired(lambda: _append(chain), _bare_insert(chain), calls)
    return {"append_us": round(chained * 1e6), "insert_us": round(bare * 1e6), "ratio": round(chained / bare, 2)}


def _side_by_side(chain: Any) -> dict[str, Any]:
    _bare_insert(chain)
    chained, bare = _together(_write, WRITERS, EACH), _together(_insert, WRITERS, EACH)
    return {
        "entries_per_second": round(chained),
        "inserts_per_second": round(bare),
        "ratio": round(bare / chained, 2),
    }


def _crowded(chain: Any) -> dict[str, Any]:
    from incidents.evidence import log

    before = log.verify(chain).count
    _together(_write, CROWD, CROWD_EACH)
    verdict = log.verify(chain)
    return {
        "lost": CROWD * CROWD_EACH - (verdict.count - before),
        "fault": verdict.reason,
    }


def _append(chain: Any) -> None:
    from incidents import clock
    from incidents.evidence import log
    from incidents.terms import Kind

    body = {"sentence": "Started: Roll the API back to dbe79f1", "incident": "RB-2026-0007", "epoch": 1, "fence": 3}
    actor = {"kind": "user", "id": "2a9e5d60-5d7e-4b8e-9d9c-0f4f6cf1a001", "role": "infrastructure_lead"}
    log.append(chain, Kind.ACTION_STARTED, at=clock.now(), actor=actor, body=body | {"action": "3a-api" * 6})


def _bare_insert(chain: Any) -> Callable[[], None]:
    """The floor: the same row into a table of the same columns, indexes and foreign key, without trigger or chain.

    It is told the row's id, as each append is.
    """
    from django.db import connection

    _append(chain)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_floor")
        if connection.vendor == "postgresql":
            cursor.execute("CREATE TABLE bench_floor (LIKE incidents_evidenceentry INCLUDING ALL)")
            deferred = "REFERENCES incidents_evidencechain DEFERRABLE INITIALLY DEFERRED"
            cursor.execute(f"ALTER TABLE bench_floor ADD FOREIGN KEY (chain_id) {deferred}")
        else:
            cursor.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'incidents_evidenceentry' AND sql NOT NULL")
            for [sql] in cursor.fetchall():
                if not sql.startswith("CREATE TRIGGER"):
                    renamed = sql.replace("incidents_evidenceentry", "bench_floor").replace('INDEX "', 'INDEX "floor_')
                    cursor.execute(renamed.replace("entry_", "floor_"))
    return _inserting(chain, first=1)


def _inserting(chain: Any, *, first: int) -> Callable[[], None]:
    from django.db import connection

    from incidents import clock, prepared

    entry = chain.entries.latest("seq")
    key = entry.chain_id if connection.vendor == "postgresql" else entry.chain_id.hex
    numbers = itertools.count(first)
    sql = """INSERT INTO bench_floor (chain_id, seq, at, canonical, prev, hash) VALUES (%s, %s, %s, %s, %s, %s)
        RETURNING id"""

    def insert() -> None:
        number = next(numbers)
        at = connection.ops.adapt_datetimefield_value(clock.now())
        with prepared.cursor() as cursor:
            cursor.execute(sql, [key, number, at, entry.canonical, _hash(number), _hash(number + 1)])
            cursor.fetchone()

    return insert


def _hash(number: int) -> str:
    """As scattered as the log's own, so that the indexes have the same work."""
    return hashlib.sha256(b"%d" % number).hexdigest()


def _paired(one: Callable[[], Any], other: Callable[[], Any], calls: int) -> tuple[float, float]:
    """Median seconds a call of each, in rounds that take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for act, taken in zip((one, other), times, strict=True):
            begun = time.perf_counter()
            for _ in range(calls):
                act()
            taken.append((time.perf_counter() - begun) / calls)
    return statistics.median(times[0]), statistics.median(times[1])


def _together(write: Callable[[Any, int, int], None], writers: int, each: int) -> float:
    """Rows a second of several processes, from when all are connected until the last is done."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(writers + 1)
    crowd = [context.Process(target=write, args=(ready, each, number)) for number in range(writers)]
    for process in crowd:
        process.start()
    ready.wait(60)
    begun = time.perf_counter()
    for process in crowd:
        process.join()
    assert not any(process.exitcode for process in crowd)
    return writers * each / (time.perf_counter() - begun)


def _write(ready: Any, each: int, _number: int) -> None:
    django.setup()
    from incidents.evidence import log

    chain = log.global_chain()
    ready.wait(60)
    for _ in range(each):
        _append(chain)


def _insert(ready: Any, each: int, number: int) -> None:
    django.setup()
    from incidents.evidence import log

    insert = _inserting(log.global_chain(), first=(number + 1) * 10**9)
    ready.wait(60)
    for _ in range(each):
        insert()


if __name__ == "__main__":
    main()
