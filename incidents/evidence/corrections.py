"""What corrections make of the entries they name. An entry itself stays as it was written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incidents.models.evidence import EvidenceEntry
from incidents.terms import Kind

ENTRY = "entry"  # what a correction calls its object where it is a line of the log, not a row


@dataclass(frozen=True)
class Reading:
    """How an entry reads: its words, when it happened, and the entries that corrected it, oldest first."""

    text: str
    happened_at: datetime
    corrected_by: tuple[int, ...] = ()


def happened_at(entry: EvidenceEntry) -> datetime:
    """When it happened, as it was first recorded: at that moment, where nothing else was said."""
    said = entry.body.get("happened_at")
    return datetime.fromisoformat(said) if said else entry.at


def by_entry(entries: Iterable[EvidenceEntry]) -> dict[int, list[EvidenceEntry]]:
    """The corrections among these entries, by the number of the entry that each one names, oldest first."""
    found: dict[int, list[EvidenceEntry]] = defaultdict(list)
    once = {entry.seq: entry for entry in entries if entry.kind == Kind.CORRECTED and "corrects" in entry.body}
    for seq in sorted(once):
        found[once[seq].body["corrects"]].append(once[seq])
    return found


def reading(entry: EvidenceEntry, corrections: Sequence[EvidenceEntry] = ()) -> Reading:
    """How the entry reads after these corrections of it."""
    text, moment = entry.sentence, happened_at(entry)
    for correction in corrections:
        said = new_words(correction)
        text = said.get("text", text)
        if "happened_at" in said:
            moment = datetime.fromisoformat(said["happened_at"])
    return Reading(text, moment, tuple(correction.seq for correction in corrections))


def new_words(correction: EvidenceEntry) -> dict[str, Any]:
    """What a correction says of the line: `text`, `happened_at`, or neither where only a row was put right."""
    body = correction.body
    if body["object"] == ENTRY:
        return dict(body["new"])
    return {"text": body["text"]} if "text" in body else {}
