"""The four ways in which Portarium writes an evidence log, and how to tell which one a file is written in.

1. The log of production (`EvidenceEntryV1`). 2. The same with `sha256:` before both hashes, as the development stack
writes it. 3. The chains of the experiments. 4. The approval experiment, which hashes five fields of an entry.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from incidents.evidence.foreign import canonical
from incidents.evidence.foreign.canonical import NotHashable
from incidents.evidence.foreign.reading import Entry, Unreadable

SAMPLE = 100
_HEX = re.compile(r"[0-9a-f]{64}")
_PREFIX = "sha256:"
_OUTSIDE_V1 = frozenset({"hashSha256", "signatureBase64"})
_OF_APPROVAL = ("category", "summary", "links", "occurredAtIso")


@dataclass(frozen=True)
class Dialect:
    """How one kind of log names its fields and hashes an entry.

    Attributes:
        prefix: what stands before the hex digits of a hash.
        time, hash: the fields of that meaning.
        genesis: what the first entry gives as the hash before it; None where it gives nothing.
        required: the fields without which an entry is not complete.
        contents: the texts that the hash may be of, the right one first.
    """

    key: str
    name: str
    prefix: str
    time: str
    hash: str
    genesis: str | None
    required: tuple[str, ...]
    contents: Callable[[Entry], Iterable[bytes]]

    def fits(self, entry: Entry) -> bool:
        """Whether an entry has the shape of this dialect."""
        stated = entry.get(self.hash)
        return isinstance(stated, str) and isinstance(entry.get(self.time), str) and self.is_hash(stated)

    def is_hash(self, text: str) -> bool:
        return text.startswith(self.prefix) and bool(_HEX.fullmatch(text.removeprefix(self.prefix)))

    def previous(self, entry: Entry) -> str | None:
        """The hash before this entry, None for a first one."""
        found = entry.get("previousHash")
        return None if found in (None, "", self.genesis) else str(found)

    def hash_of(self, entry: Entry) -> str:
        """The hash that belongs to what an entry says, empty where none can be made.

        Where JavaScript's order of keys gives the hash that is stated, that one counts.
        """
        stated, first = entry.get(self.hash), ""
        try:
            for text in self.contents(entry):
                found = self.prefix + hashlib.sha256(text).hexdigest()
                if found == stated:
                    return found
                first = first or found
        except NotHashable:
            return ""
        return first

    def missing(self, entry: Entry) -> list[str]:
        return [name for name in self.required if entry.get(name) in (None, "")]


def _v1(entry: Entry) -> Iterable[bytes]:
    content = {name: value for name, value in entry.items() if name not in _OUTSIDE_V1}
    yield canonical.write(content)
    if canonical.has_indices(content):
        yield canonical.write(content, canonical.by_utf16_in_an_object)


def _experiment(entry: Entry) -> Iterable[bytes]:
    content = {name: value for name, value in entry.items() if name not in ("hash", "previousHash")}
    yield canonical.write(content | {"previousHash": entry.get("previousHash")}, canonical.as_inserted)


def _approval(entry: Entry) -> Iterable[bytes]:
    """`JSON.stringify` leaves out what is undefined; the hash before the first entry is an empty text."""
    given = {name: entry[name] for name in _OF_APPROVAL if name in entry}
    yield canonical.write({"previousHash": entry.get("previousHash") or ""} | given, canonical.as_inserted)


_OF_V1 = (
    "schemaVersion",
    "evidenceId",
    "workspaceId",
    "correlationId",
    "occurredAtIso",
    "category",
    "summary",
    "actor",
)

V1 = Dialect("portarium-v1", "Portarium EvidenceEntryV1", "", "occurredAtIso", "hashSha256", None, _OF_V1, _v1)
PREFIXED = Dialect(
    "portarium-v1-prefixed",
    "Portarium EvidenceEntryV1 with sha256: before its hashes (development stack)",
    _PREFIX,
    "occurredAtIso",
    "hashSha256",
    None,
    _OF_V1,
    _v1,
)
EXPERIMENT = Dialect(
    "portarium-experiment",
    "Portarium experiment chain",
    "",
    "atIso",
    "hash",
    "genesis",
    ("evidenceId", "phase", "atIso", "summary"),
    _experiment,
)
APPROVAL = Dialect(
    "portarium-approval-experiment",
    "Portarium approval experiment, five fields hashed",
    _PREFIX,
    "occurredAtIso",
    "hashSha256",
    "",
    ("evidenceId", "occurredAtIso", "category", "summary"),
    _approval,
)
DIALECTS = {dialect.key: dialect for dialect in (V1, PREFIXED, EXPERIMENT, APPROVAL)}


def detect(entries: Iterable[Entry]) -> Dialect:
    """The dialect in which most hashes hold; where none holds, the one whose shape most entries have.

    Args:
        entries: the first ones of a file.

    Raises:
        Unreadable: they are in none of the four.
    """
    holds: Counter[str] = Counter()
    fits: Counter[str] = Counter()
    sample: list[Any] = []
    for entry in entries:
        sample.append(entry)
        for key, dialect in DIALECTS.items():
            if dialect.fits(entry):
                fits[key] += 1
                holds[key] += dialect.hash_of(entry) == entry[dialect.hash]
    if not fits:
        raise Unreadable(_unknown(sample))
    # The first of equals: an entry in the shape of 2 has that of 4 as well, and says so by its correlation id.
    best = max(DIALECTS, key=lambda key: (holds[key], fits[key], _is_whole(sample, DIALECTS[key])))
    return DIALECTS[best]


def other_than(dialect: Dialect, entry: Entry) -> Dialect | None:
    """Another dialect in which an entry's hash holds."""
    others = (other for other in DIALECTS.values() if other is not dialect and other.fits(entry))
    return next((other for other in others if other.hash_of(entry) == entry[other.hash]), None)


def _is_whole(entries: list[Entry], dialect: Dialect) -> int:
    return sum(not dialect.missing(entry) for entry in entries)


def _unknown(entries: list[Entry]) -> str:
    if all({"entry", "hash", "prev", "seq"} <= entry.keys() for entry in entries):
        return "This is a log of this portal, not a foreign one: its evidence page verifies it."
    return "No dialect is known for this log: an entry has a hash in hashSha256 or hash, and its time."
