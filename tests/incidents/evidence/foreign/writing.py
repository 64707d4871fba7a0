"""Foreign logs for the tests, written by an implementation of their own: `json.dumps` and nothing of the product.

It holds for what these tests write: ASCII keys that are no numbers, whole numbers, no lone surrogates.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

Entry = dict[str, Any]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def compact(value: Any, *, sort: bool = False) -> str:
    return json.dumps(value, sort_keys=sort, separators=(",", ":"), ensure_ascii=False)


def stamp(number: int) -> str:
    seconds, millis = divmod(number * 7, 1000)
    return f"2026-02-16T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{millis:03d}Z"


def content(number: int) -> Entry:
    return {
        "schemaVersion": 1,
        "evidenceId": f"evi-{number:04d}",
        "workspaceId": "ws-acme",
        "correlationId": f"corr-{number % 3}",
        "occurredAtIso": stamp(number),
        "category": "Action",
        "summary": f"Schritt {number} geprüft",
        "actor": {"kind": "Machine", "machineId": "worker-1"},
        "links": {"runId": f"run-{number % 3}", "planId": "plan-1"},
    }


def sealed(entry: Entry, before: str | None, prefix: str = "") -> Entry:
    """An EvidenceEntryV1 with its hash."""
    whole = entry | ({"previousHash": before} if before else {})
    return whole | {"hashSha256": prefix + sha256(compact(whole, sort=True))}


def v1(length: int, prefix: str = "") -> list[Entry]:
    return chained([content(number) for number in range(length)], lambda entry, prev: sealed(entry, prev, prefix))


def prefixed(length: int) -> list[Entry]:
    return v1(length, "sha256:")


def experiment(length: int) -> list[Entry]:
    def seal(entry: Entry, before: str | None) -> Entry:
        whole = entry | {"previousHash": before or "genesis"}
        return whole | {"hash": sha256(compact(whole))}

    entries = [
        {"evidenceId": f"evi-{n:04d}", "phase": "proposal", "atIso": stamp(n), "summary": f"Step {n}"}
        for n in range(length)
    ]
    return chained(entries, seal, "hash")


def approval(length: int) -> list[Entry]:
    def seal(entry: Entry, before: str | None) -> Entry:
        hashed = {"previousHash": before or ""}
        hashed |= {name: entry[name] for name in ("category", "summary", "links", "occurredAtIso")}
        digest = "sha256:" + sha256(compact(hashed))
        return entry | ({"previousHash": before} if before else {}) | {"hashSha256": digest}

    entries = [{name: value for name, value in content(n).items() if name != "correlationId"} for n in range(length)]
    return chained(entries, seal)


def chained(entries: list[Entry], seal: Callable[[Entry, str | None], Entry], field: str = "hashSha256") -> list[Entry]:
    found: list[Entry] = []
    for entry in entries:
        found.append(seal(entry, found[-1][field] if found else None))
    return found


WRITERS = {
    "portarium-v1": v1,
    "portarium-v1-prefixed": prefixed,
    "portarium-experiment": experiment,
    "portarium-approval-experiment": approval,
}
