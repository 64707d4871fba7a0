"""Check one foreign log: read it, name its dialect, rebuild its order, and tell what is wrong with it apart."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import IO, Any

from incidents.evidence.foreign import dialects
from incidents.evidence.foreign.dialects import Dialect
from incidents.evidence.foreign.findings import Code, Finding, Findings, Mode, named, shown
from incidents.evidence.foreign.linking import Links, Record, last_of, link, ordered
from incidents.evidence.foreign.reading import Entry, Limits, Reader, Shape, Source, Unreadable
from incidents.evidence.foreign.survey import RUNS, Seen, look_at
from incidents.evidence.foreign.telling import tell_anchor, tell_links

RUNS_TOLD = 100
IDS_TOLD = 5
FINDINGS_TOLD = 10


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        sha256: of the bytes that were checked.
        counts: how many findings of each kind; `findings` holds the first of them.
        fragments: how many unconnected pieces the entries make.
        not_contained: hashes that entries name as the one before and that the file does not hold.
        head: the hash of the last entry, of the longest way where there are several ends.
        anchor: the known hash that was asked for, empty where none was.
        runs: how many entries each run has; the most frequent ones where there are very many.
    """

    code: Code
    mode: Mode
    dialect: Dialect
    shape: Shape
    sha256: str
    size: int
    entries: int
    fragments: int
    not_contained: int
    ends: int
    head: str
    head_id: str
    head_time: str
    anchor: str
    workspaces: tuple[str, ...]
    runs: dict[str, int]
    counts: dict[Code, int]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        return self.code in (Code.INTACT, Code.SEGMENT_INTACT)

    @property
    def sentence(self) -> str:
        return self.code.text.verdict

    def facts(self) -> dict[str, Any]:
        """The verdict as plain values: bounded, without floats, keys in ASCII. Pages, log and API tell the same."""
        return {
            "verdict": str(self.code),
            "says": self.sentence,
            "mode": str(self.mode),
            "dialect": self.dialect.key,
            "shape": self.shape.words,
            "entries": self.entries,
            "fragments": self.fragments,
            "not_contained": self.not_contained,
            "ends": self.ends,
            "head": shown(self.head),
            "head_id": self.head_id,
            "head_time": self.head_time,
            "anchor": shown(self.anchor),
            "workspaces": list(self.workspaces),
            "runs": [{"run": run, "entries": count} for run, count in list(self.runs.items())[:RUNS_TOLD]],
            "found": [{"code": str(code), "count": self.counts[code]} for code in Code if code in self.counts],
            "findings": [
                {"code": str(finding.code), "sentence": finding.sentence, "ids": list(finding.ids[:IDS_TOLD])}
                for finding in _first_of_each(self.findings)
            ],
            "notes": list(self.notes),
        }


def check(source: IO[bytes], mode: Mode = Mode.WHOLE, anchor: str = "", limits: Limits | None = None) -> Verdict:
    """Check a log.

    Args:
        source: the file, open for reading in bytes and able to go back to its beginning.
        anchor: a hash that is known from elsewhere: an entry of a whole log; the one before a part, or one in it.

    Raises:
        Unreadable: it is no log that can be read, with a sentence.
    """
    dialect = dialects.detect(_sample(source, limits))
    found, seen = Findings(), Seen()
    source.seek(0)
    counted = _Counted(source)
    reader = Reader(counted, limits)
    for entry in reader:
        look_at(entry, reader, dialect, seen, found)
    links = link(seen.records)
    tell_links(links, seen, reader, mode, found)
    anchored = tell_anchor(anchor, mode, dialect, links, seen, found)
    return _verdict(found, seen, links, reader, counted, mode=mode, dialect=dialect, anchor=anchored)


def _sample(source: IO[bytes], limits: Limits | None) -> list[Entry]:
    entries = list(islice(Reader(source, limits), dialects.SAMPLE))
    if not entries:
        raise Unreadable("The file holds no entries.")
    return entries


def _verdict(
    found: Findings,
    seen: Seen,
    links: Links,
    reader: Reader,
    counted: _Counted,
    *,
    mode: Mode,
    dialect: Dialect,
    anchor: str,
) -> Verdict:
    starts = links.starts
    # Changed entries alone can name each other in a circle, and then none of them begins anything.
    head = _head(links, starts or seen.records[:1])
    return Verdict(
        code=found.gravest(Code.INTACT if mode == Mode.WHOLE else Code.SEGMENT_INTACT),
        mode=mode,
        dialect=dialect,
        shape=reader.shape,
        sha256=counted.sha256,
        size=counted.size,
        entries=reader.count,
        fragments=len(starts),
        not_contained=len(links.orphans),
        ends=sum(not links.next.get(record.number) for record in seen.records),
        head=head.hash,
        head_id=head.id,
        head_time=shown(head.time),
        anchor=anchor,
        workspaces=tuple(shown(name) for name, _ in seen.workspaces.most_common(10)),
        runs={shown(name): count for name, count in seen.runs.most_common(RUNS)},
        counts=dict(found.counts),
        findings=found.in_order(),
        notes=tuple(_notes(seen, links, mode, dialect, anchor)),
    )


def _first_of_each(findings: tuple[Finding, ...]) -> Iterable[Finding]:
    told: Counter[Code] = Counter()
    for finding in findings:
        told[finding.code] += 1
        if told[finding.code] <= FINDINGS_TOLD:
            yield finding


def _head(links: Links, starts: list[Record]) -> Record:
    return max((last_of(links, start) for start in starts), key=lambda found: found[1])[0]


def _notes(seen: Seen, links: Links, mode: Mode, dialect: Dialect, anchor: str) -> Iterable[str]:
    """What is worth knowing and is nothing wrong."""
    if known := next((record for record in seen.records if record.hash == anchor and record.holds), None):
        further = sum(1 for _ in links.follow(known)) - 1
        yield f"The hash you know is that of {named([known.id])}" + (
            f": {further:,} entries follow it." if further else ", the last entry."
        )
    if dialect is dialects.APPROVAL:
        yield "This dialect hashes five fields of an entry: a change of its id, actor or workspace does not show."
    if any(later.number < earlier.number for earlier, later in pairwise(ordered(links))):
        yield "The file lists the entries in another order. The order of the log was rebuilt from its hashes."
    if mode == Mode.SEGMENT and links.orphans:
        yield f"In {len(links.orphans):,} places the entry before is not contained, as is usual for a part."
    if len(seen.workspaces) > 1:
        names = named(shown(name) for name in seen.workspaces)
        yield f"The entries are of {len(seen.workspaces):,} workspaces: {names}. Each has a log of its own."
    if seen.signed:
        yield f"{seen.signed:,} entries carry a signature. No log names its key, so signatures were not checked."


class _Counted:
    """A file that is hashed while it is read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._digest = hashlib.sha256()
        self.size = 0

    def read(self, size: int, /) -> bytes:
        piece = self._source.read(size)
        self._digest.update(piece)
        self.size += len(piece)
        return piece

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()
