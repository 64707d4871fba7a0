"""The first look at a log: one entry after the other, what it says of itself, and what is remembered of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from incidents.evidence.foreign import dialects
from incidents.evidence.foreign.dialects import Dialect
from incidents.evidence.foreign.findings import Code, Findings, named, shown
from incidents.evidence.foreign.linking import Record
from incidents.evidence.foreign.reading import Entry, Reader, run_of

RUNS = 500
_TWO = 2
_OF_A_FILTER = {"runId": "run", "planId": "plan", "workItemId": "work item"}


@dataclass
class Seen:
    """What the entries told one after the other."""

    records: list[Record] = field(default_factory=list)
    firsts: dict[str, Record] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    workspaces: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    facets: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in _OF_A_FILTER})
    signed: int = 0

    @property
    def shared(self) -> str:
        """What a filter would have been: the one run, plan or work item of every entry."""
        for name, values in self.facets.items():
            if len(values) == 1 and (only := next(iter(values))):
                return f"the {_OF_A_FILTER[name]} {named([shown(only)])}"
        return ""


def look_at(entry: Entry, reader: Reader, dialect: Dialect, seen: Seen, found: Findings) -> None:
    record = _record(entry, reader.count, dialect, seen)
    _note_facets(entry, seen)
    if not _is_new(entry.get("evidenceId"), record, seen, found):
        return
    if not record.holds:
        _tell_hash(entry, record, dialect, found)
    elif problem := _shortcoming(entry, reader, dialect):
        found.add(Code.MALFORMED, f"Entry {named([record.id])}: {problem}.", [record.id])
    seen.records.append(record)


def _record(entry: Entry, number: int, dialect: Dialect, seen: Seen) -> Record:
    stated = entry.get(dialect.hash)
    stated = stated if isinstance(stated, str) else ""
    own = dialect.hash_of(entry)
    before = dialect.previous(entry)
    kept = seen.texts.setdefault
    return Record(
        number=number,
        id=shown(str(entry.get("evidenceId") or f"no. {number}")),
        time=str(entry.get(dialect.time, "")),
        hash=kept(stated, stated),
        own=stated if own == stated else own,
        before=None if before is None else kept(before, before),
    )


def _note_facets(entry: Entry, seen: Seen) -> None:
    seen.signed += "signatureBase64" in entry
    workspace = entry.get("workspaceId")
    if isinstance(workspace, str) and (workspace in seen.workspaces or len(seen.workspaces) < RUNS):
        seen.workspaces[workspace] += 1
    run = run_of(entry)
    if run and (run in seen.runs or len(seen.runs) < RUNS):
        seen.runs[run] += 1
    links = entry.get("links")
    for name, values in seen.facets.items():
        if len(values) < _TWO:
            found = run if name == "runId" else links.get(name) if isinstance(links, dict) else None
            values.add(found if isinstance(found, str) else "")


def _is_new(identity: Any, record: Record, seen: Seen, found: Findings) -> bool:
    """Whether the entry is one more; one that is repeated word for word counts once."""
    known = seen.firsts.setdefault(identity, record) if isinstance(identity, str) else record
    if known is record:
        return True
    if (known.own, known.hash, known.before) == (record.own, record.hash, record.before):
        found.add(Code.DUPLICATE_ID, f"{named([record.id])} stands in the file again, word for word.", [record.id])
        return False
    if known.holds and record.holds:
        found.add(Code.DUPLICATE_ID, f"Two different entries bear the id {named([record.id])}.", [record.id])
    return True


def _tell_hash(entry: Entry, record: Record, dialect: Dialect, found: Findings) -> None:
    if other := dialects.other_than(dialect, entry):
        record.own = record.hash
        found.add(Code.MIXED_DIALECT, f"{named([record.id])} is hashed as {other.name}.", [record.id])


def _shortcoming(entry: Entry, reader: Reader, dialect: Dialect) -> str:
    if reader.is_doubled:
        return "names a key twice, so that two readers may see two values"
    if missing := dialect.missing(entry):
        return f"lacks {', '.join(missing)}"
    if dialect.genesis is None and "previousHash" in entry and not entry["previousHash"]:
        return "has an empty previousHash, where a first entry has none"
    return ""
