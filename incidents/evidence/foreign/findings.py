"""What can be wrong with a foreign log, in words: each finding one sentence that a person can act on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

KEPT = 50
_NAMED = 3
_LONGEST_ID = 120


class Mode(StrEnum):
    """What the file claims to be."""

    WHOLE = "whole"
    SEGMENT = "segment"


class Code(StrEnum):
    """A verdict, or one kind of finding; the gravest first."""

    TAMPERED = "tampered"
    FORK = "fork"
    SECOND_GENESIS = "second_genesis"
    MISSING_PREDECESSOR = "missing_predecessor"
    ANCHOR_MISSING = "anchor_missing"
    MIXED_DIALECT = "mixed_dialect"
    SUBSET = "subset"
    TIME_REGRESSION = "time_regression"
    DUPLICATE_ID = "duplicate_id"
    MALFORMED = "malformed"
    SEGMENT_INTACT = "segment_intact"
    INTACT = "intact"

    @property
    def text(self) -> CodeText:
        return TEXTS[self]


@dataclass(frozen=True)
class CodeText:
    """A kind of finding, for people.

    Attributes:
        name: two or three words.
        verdict: the sentence over a log of which this is the gravest finding.
        means: what it is, and what it is not.
        look: the state it looks like on a page.
        also: what Portarium's own verifiers call it.
    """

    name: str
    verdict: str
    means: str
    look: str
    also: tuple[str, ...] = ()


TEXTS = {
    Code.TAMPERED: CodeText(
        "Changed entry",
        "This log was changed after it was written.",
        "The entry and its hash do not belong together.",
        "bad",
        ("hash_mismatch",),
    ),
    Code.FORK: CodeText(
        "Fork",
        "This log forks: two entries follow the same one.",
        "Each entry is as it was written, but they cannot both be the next. Portarium's log forks without anybody's "
        "doing where two entries are appended at once, or one arrives late.",
        "bad",
        ("previous_hash_mismatch", "previous_hash_link_broken", "chain_break"),
    ),
    Code.SECOND_GENESIS: CodeText(
        "Second beginning",
        "This file holds more than one beginning of a log.",
        "A log has one first entry. Several logs in one file look like this, and so does one that was begun again.",
        "bad",
        ("previous_hash_mismatch", "previous_hash_link_broken", "chain_break"),
    ),
    Code.MISSING_PREDECESSOR: CodeText(
        "Missing predecessor",
        "Entries are missing from this log.",
        "An entry names the one before it, and that one is not in the file: it was deleted, replaced or left out.",
        "bad",
        ("previous_hash_mismatch", "previous_hash_link_broken", "chain_break"),
    ),
    Code.ANCHOR_MISSING: CodeText(
        "Known hash not found",
        "The hash you know is not in this log.",
        "The log was cut off before that entry, or it is another log.",
        "bad",
    ),
    Code.MIXED_DIALECT: CodeText(
        "Other dialect",
        "Entries of this log are hashed in another way than the rest.",
        "The hash holds, but not in the dialect of the log.",
        "due",
        ("hash_mismatch",),
    ),
    Code.SUBSET: CodeText(
        "Part of a log",
        "This is a part of a log, not a whole one.",
        "What a filter or a page leaves out looks like what was deleted. Fetch the whole log, or check this as a part.",
        "due",
        ("unexpected_previous_hash",),
    ),
    Code.TIME_REGRESSION: CodeText(
        "Time runs backwards",
        "An entry of this log bears an earlier time than the one before it.",
        "Times are compared as text, as Portarium does. An entry that was appended late looks like this.",
        "due",
        ("timestamp_not_monotonic",),
    ),
    Code.DUPLICATE_ID: CodeText(
        "Duplicate id",
        "An evidence id stands more than once in this log.",
        "Portarium's paging can repeat an entry word for word. Two different entries under one id are another matter.",
        "due",
    ),
    Code.MALFORMED: CodeText(
        "Incomplete entry",
        "Entries of this log lack what each has to have.",
        "The hash holds: the entry was written like this.",
        "due",
        ("entry_missing_required_fields",),
    ),
    Code.SEGMENT_INTACT: CodeText(
        "Part intact",
        "This part is unchanged.",
        "Every entry of it is as it was written. What comes before and after is not shown by it.",
        "ok",
    ),
    Code.INTACT: CodeText(
        "Intact",
        "This log is whole and unchanged.",
        "Every entry is as it was written and follows the one before it. Whether any are missing at its end, only a "
        "hash from elsewhere can tell.",
        "ok",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        ids: the evidence ids that it is about.
    """

    code: Code
    sentence: str
    ids: tuple[str, ...]


@dataclass
class Findings:
    """Every finding counted, the first KEPT of each kind kept."""

    counts: Counter[Code] = field(default_factory=Counter)
    kept: list[Finding] = field(default_factory=list)

    def add(self, code: Code, sentence: str, ids: Iterable[str]) -> None:
        self.counts[code] += 1
        if self.counts[code] <= KEPT:
            self.kept.append(Finding(code, sentence, tuple(list(ids)[:KEPT])))

    def in_order(self) -> tuple[Finding, ...]:
        """The gravest first; those of one kind as they were found."""
        rank = {code: number for number, code in enumerate(Code)}
        return tuple(sorted(self.kept, key=lambda finding: rank[finding.code]))

    def gravest(self, otherwise: Code) -> Code:
        return next((code for code in Code if self.counts[code]), otherwise)


def shown(text: str) -> str:
    """An id of a foreign log as it can be shown and kept: bounded, without what no database keeps."""
    if text.isprintable() and len(text) <= _LONGEST_ID:
        return text
    kept = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return kept if len(kept) <= _LONGEST_ID else f"{kept[: _LONGEST_ID - 1]}…"


def named(ids: Iterable[str]) -> str:
    """`“a”, “b”, “c” and 4 more`."""
    found = list(ids)
    words = [f"“{name}”" for name in found[:_NAMED]]
    if more := len(found) - len(words):
        return f"{', '.join(words)} and {more:,} more"
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else "nothing"
