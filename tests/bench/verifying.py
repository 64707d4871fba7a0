"""Fills a log and says how long hashing its stored bytes takes alone: `python -m tests.bench.verifying ENTRIES`."""

from __future__ import annotations

import hashlib
import json
import sys
import time

import django


def main() -> None:
    django.setup()
    from incidents.evidence import log
    from tests.bench.filling import fill

    chain = log.global_chain()
    fill(chain, int(sys.argv[1]))
    spent = 0.0
    rows = chain.entries.order_by("seq").values_list("canonical", flat=True)
    batch: list[bytes] = []
    for canonical in rows.iterator(chunk_size=5000):
        batch.append(canonical.encode())
        if len(batch) == 5000:
            spent += _hashed(batch)
            batch = []
    spent += _hashed(batch)
    sys.stdout.write(json.dumps({"entries": chain.seq, "hashing_s": round(spent, 3)}) + "\n")


def _hashed(batch: list[bytes]) -> float:
    begun = time.perf_counter()
    for content in batch:
        hashlib.sha256(content).hexdigest()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
