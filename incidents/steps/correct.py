"""Corrections: a wrong text or time is put right by a new entry that names the old one, which stays as it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Model

from incidents import clock
from incidents.evidence import corrections
from incidents.evidence.corrections import Reading
from incidents.models import EvidenceEntry, FollowUp, Incident, PrivateValue, Safeguard, Target
from incidents.steps import event_time, text
from incidents.steps.base import Refused, Taken, step, store
from incidents.terms import Act, Kind

CORRECTABLE: dict[type[Model], frozenset[str]] = {
    Incident: frozenset({"summary", "trigger"}),
    Target: frozenset({"reason"}),
    FollowUp: frozenset({"title", "owner", "priority", "due_on", "acceptance", "bead_id"}),
    Safeguard: frozenset({"gap", "change", "link"}),
}
# The entry that brought a row, and the name by which it names it; an incident's log has one declaration.
_BROUGHT: dict[type[Model], tuple[Kind, str]] = {
    Incident: (Kind.DECLARED, ""),
    Target: (Kind.TARGET_CHOSEN, "target_id"),
    FollowUp: (Kind.FOLLOW_UP_ADDED, "follow_up"),
    Safeguard: (Kind.SAFEGUARD_ADDED, "safeguard"),
}
# The field with which that entry's words end, and the ones that speak of a person.
_SPOKEN: dict[type[Model], str] = {FollowUp: "title", Safeguard: "change"}
_PERSONAL = {(FollowUp, "owner")}
_NOTE = "note"  # the path of a personal note, see `declare.add_note`
_CALLED = {"text": "words", "happened_at": "time"}
_LARGEST = 2**53


# A row --------------------------------------------------------------------------------------------------------------


def record(incident: Incident, row: Any, field: str, value: Any, *, by: Any, reason: str) -> None:
    """Put one field of one row right.

    Args:
        row: the incident itself or a row of it, of a type in `CORRECTABLE`.
        value: the right value, or the text of it.
    """
    with step(incident, Act.CORRECT, by=by) as taken:
        taken.refuse_if(blockers(taken.incident, row, field))
        reason = taken.said(reason, "Say why the record is corrected.")
        row = type(row).objects.get(pk=row.pk)
        old, new = getattr(row, field), _fitting(taken.incident, row, field, value)
        taken.refuse_if([] if old != new else ["The new value is the old one."])
        setattr(row, field, new)
        store(row, field)
        values = {"old": str(old), "new": str(new)}
        taken.record(
            Kind.CORRECTED,
            f"Corrected: {row._meta.verbose_name} {field}",
            object=row._meta.model_name,
            id=str(row.pk),
            field=field,
            **_named(taken.incident, row, field, **values),
            **({"personal": values} if (type(row), field) in _PERSONAL else values),
            reason=reason,
        )


def blockers(incident: Incident, row: Any, field: str) -> list[str]:
    """Why this field of this row cannot be corrected as part of this incident."""
    if field not in CORRECTABLE.get(type(row), ()):
        return [f"{row._meta.verbose_name} {field} is not open to correction."]
    owner_id = row.pk if isinstance(row, Incident) else row.incident_id
    return [] if owner_id == incident.pk else ["This record belongs to another incident."]


def _fitting(incident: Incident, row: Any, field: str, value: Any) -> Any:
    """The value as its column holds it. Raises Refused for what a page could not show again."""
    value = value.strip() if isinstance(value, str) else value
    try:
        fitting = row._meta.get_field(field).clean(value, row)
    except ValidationError as error:
        raise Refused(*error.messages) from error
    if field == "trigger" and fitting not in {known.key for known in incident.book.triggers}:
        raise Refused(f"The runbook knows no trigger “{str(fitting)[:40]}”.")
    return fitting


def _named(incident: Incident, row: Any, field: str, *, old: str, new: str) -> dict[str, Any]:
    """Which entry brought the row, which correction of the field is replaced, and how the entry reads from now on."""
    kind, name = _BROUGHT[type(row)]
    brought = incident.chain.entries.filter(kind=kind, **({f"body__{name}": row.pk} if name else {})).last()
    if brought is None:
        return {}
    earlier = _corrections_of(incident, brought)
    of_field = [entry.seq for entry in earlier if entry.body.get("field") == field]
    said = corrections.reading(brought, earlier).text
    ends = _SPOKEN.get(type(row)) == field and said.endswith(old)
    return {
        "corrects": brought.seq,
        **({"replaces": of_field[-1]} if of_field else {}),
        **({"text": said.removesuffix(old) + new} if ends else {}),
    }


# A line of the log --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """An entry of the log with its corrections, and how it reads now.

    Attributes:
        is_personal: whether its words stand apart from the log, so that they can be erased.
        words: what it says, also where that stands apart; None where it was erased.
    """

    entry: EvidenceEntry
    corrections: list[EvidenceEntry]
    reading: Reading
    is_personal: bool
    words: str | None


def entry(
    incident: Incident,
    seq: int,
    *,
    text: str | None = None,
    happened_at: datetime | None = None,
    by: Any,
    reason: str,
) -> EvidenceEntry:
    """Put the words or the time of a line of the log right. What was written stays and can be read beside it.

    Args:
        seq: the number of the entry; where it is a correction itself, the entry that it corrects is meant.
        text: what the line should say; None leaves it.
        happened_at: when it happened; None leaves it.

    Returns:
        The entry that says so.
    """
    with step(incident, Act.CORRECT, by=by) as taken:
        line = line_of(taken.incident, seq)
        if line is None:
            raise Refused(f"This log has no entry {seq}.")
        reason = taken.said(reason, "Say why the entry is corrected.")
        words = None if text is None else _words(taken, line, text)
        moment = None if happened_at is None else _moment(taken, line, happened_at)
        old, new = _old_and_new(line, words, moment)
        taken.refuse_if([] if new else [f"Entry {line.entry.seq} says this already: change its words or its time."])
        replaced = [earlier.seq for earlier in line.corrections if corrections.new_words(earlier).keys() & new.keys()]
        taken.record(
            Kind.CORRECTED,
            f"Corrected: {' and '.join(_CALLED[name] for name in new)} of entry {line.entry.seq}",
            object=corrections.ENTRY,
            corrects=line.entry.seq,
            **({"replaces": replaced[-1]} if replaced else {}),
            old=old,
            new=new,
            personal={_NOTE: words} if words is not None and line.is_personal else None,
            reason=reason,
        )
    return taken.entry


def line_of(incident: Incident, seq: int) -> Line | None:
    """The line that a correction of entry `seq` is about; None where the log has no such entry."""
    found = _entry(incident, seq)
    while found is not None and found.kind == Kind.CORRECTED and "corrects" in found.body:
        found = _entry(incident, found.body["corrects"])
    if found is None:
        return None
    earlier = _corrections_of(incident, found)
    reading = corrections.reading(found, earlier)
    holders = [written.seq for written in (found, *earlier) if _has_note(written)]
    words = _private(incident, holders[-1]) if holders else reading.text
    return Line(found, earlier, reading, bool(holders), words)


def _entry(incident: Incident, seq: int) -> EvidenceEntry | None:
    return incident.chain.entries.filter(seq=seq).first() if 0 < seq < _LARGEST else None


def _corrections_of(incident: Incident, found: EvidenceEntry) -> list[EvidenceEntry]:
    later = incident.chain.entries.filter(kind=Kind.CORRECTED, seq__gt=found.seq)
    return corrections.by_entry(later).get(found.seq, [])


def _has_note(written: EvidenceEntry) -> bool:
    return any(one["path"] == _NOTE for one in orjson.loads(written.canonical)["commits"])


def _private(incident: Incident, seq: int) -> str | None:
    values = PrivateValue.objects.filter(chain=incident.chain, seq=seq, path=_NOTE)
    return values.values_list("value", flat=True).first()


def _words(taken: Taken, line: Line, words: str) -> str | None:
    """The new words, or None where the line has them already."""
    if line.words is None:
        raise Refused(f"The words of entry {line.entry.seq} were erased: only its time can be corrected.")
    words = taken.said(words, "Write what the entry should say.", longest=text.NOTE)
    return None if words == line.words else words


def _moment(taken: Taken, line: Line, moment: datetime) -> datetime | None:
    """The new time, or None where the line has it already. What is on record had happened by then."""
    taken.refuse_if(event_time.blockers(taken.incident, moment, taken.at))
    recorded = line.entry.at
    if moment > recorded:
        said = f"Entry {line.entry.seq} was recorded at {clock.utc_text(recorded)}: it happened no later than that."
        raise Refused(said)
    return None if moment == line.reading.happened_at else moment


def _old_and_new(line: Line, words: str | None, moment: datetime | None) -> tuple[dict[str, str], dict[str, str]]:
    """What the line said and what it says from now on; of words that stand apart, only what stands for them."""
    old: dict[str, str] = {}
    new: dict[str, str] = {}
    if words is not None:
        old["text"] = line.reading.text
        new["text"] = line.reading.text if line.is_personal else words
    if moment is not None:
        old["happened_at"] = clock.stamp(line.reading.happened_at)
        new["happened_at"] = clock.stamp(moment)
    return old, new
