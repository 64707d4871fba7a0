"""The evidence log as lines for people, newest first: as it reads now, or as it was known at a moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Max, Q, Subquery

from incidents.board.parts import TimelineRow
from incidents.evidence import corrections
from incidents.models import EvidenceEntry, Incident
from incidents.terms import GateOutcome, Kind, Role

TIMELINE_ROWS = 40

_TONES = {
    Kind.DECLARED: "frozen",
    Kind.REFROZEN: "frozen",
    Kind.LIFTED: "ok",
    Kind.ACTION_SUCCEEDED: "ok",
    Kind.ACTION_RESOLVED: "ok",
    Kind.TARGET_CONFIRMED: "ok",
    Kind.CLEANUP_TICKED: "ok",
    Kind.CLOSED: "ok",
    Kind.ACTION_FAILED: "bad",
    Kind.ACTION_UNKNOWN: "unknown",
    Kind.ACTION_LATE: "unknown",
    Kind.ACTION_STARTED: "run",
    Kind.ACTION_QUEUED: "run",
    Kind.GATE_QUEUED: "run",
    Kind.PROPOSED: "due",
    Kind.RISK_ACCEPTED: "due",
    Kind.BASELINE_ACCEPTED: "due",
    Kind.NOTICE_ISSUED: "mail",
    Kind.NOTICE_SENT: "mail",
    Kind.NOTICE_RETRIED: "mail",
}
_GATE_TONES = {GateOutcome.PASS: "ok", GateOutcome.FAIL: "bad", GateOutcome.ERROR: "bad"}

# What a reader may want to see alone: by the first word of the kind, in the runbook's order.
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "decisions": ("Decisions", ("incident", "level", "proposal", "risk", "record")),
    "roles": ("Roles", ("role", "owner")),
    "freeze": ("Freeze", ("freeze", "exception")),
    "target": ("Target", ("target",)),
    "actions": ("Actions", ("plan", "action", "rollback")),
    "cleanup": ("Cleanup", ("cleanup", "exhibit")),
    "gates": ("Gates", ("verification", "gate")),
    "updates": ("Updates", ("notice",)),
    "notes": ("Notes", ("note",)),
    "deliverables": ("Deliverables", ("summary", "follow_up", "safeguard")),
    "evidence": ("Evidence", ("foreign", "privacy", "clock")),
}


def kinds_of(group: str) -> list[Kind]:
    """The kinds of entry in a group; none for a group that does not exist, which means all."""
    _, words = GROUPS.get(group, ("", ()))
    return [kind for kind in Kind if kind.split(".")[0] in words]


def timeline(
    incident: Incident,
    *,
    limit: int,
    before: int | None = None,
    kinds: Collection[Kind] | None = None,
    about: Mapping[str, Any] | None = None,
) -> list[TimelineRow]:
    """Entries as rows, newest first, in three statements.

    Args:
        limit: how many rows at most.
        before: only entries with a smaller sequence number (keyset paging).
        kinds: only entries of these kinds.
        about: only entries whose body says so: `action="3c-schema"`.
    """
    entries = _entries(incident, kinds).filter(**{f"body__{name}": value for name, value in (about or {}).items()})
    found = list((entries if before is None else entries.filter(seq__lt=before)).order_by("-seq")[:limit])
    return lines(found, corrected=_corrections(incident, found))


@dataclass(frozen=True)
class LogPage:
    """One page of the log: its rows, and the entry numbers to go on from where there is more.

    `since` is how many entries were recorded after the moment as of which the log is shown.
    """

    rows: list[TimelineRow]
    newer_than: int | None
    older_than: int | None
    since: int = 0


def log_page(
    incident: Incident,
    *,
    limit: int,
    before: int | None = None,
    after: int | None = None,
    kinds: Collection[Kind] | None = None,
    known: datetime | None = None,
) -> LogPage:
    """A page of the log by keyset, newest first.

    Args:
        after: goes back towards the newest.
        known: shows the log as it stood then: what was recorded later is not there, and corrects nothing.
    """
    entries = _entries(incident, kinds)
    entries = entries if known is None else entries.filter(at__lte=known)
    if after is not None:
        found = list(entries.filter(seq__gt=after).order_by("seq")[: limit + 1])
        shown = found[:limit][::-1]
        newer, older = len(found) > limit, bool(shown)
    else:
        found = list((entries if before is None else entries.filter(seq__lt=before)).order_by("-seq")[: limit + 1])
        shown = found[:limit]
        newer, older = before is not None, len(found) > limit
    corrected = _corrections(incident, shown, known)
    last = max((entry.seq for entry in corrected), default=0)
    since = 0 if known is None else max(0, incident.chain.seq - last)
    rows = lines(shown, corrected=corrected)
    if not rows:
        return LogPage([], None, None, since)
    return LogPage(rows, rows[0].seq if newer else None, rows[-1].seq if older else None, since)


def _entries(incident: Incident, kinds: Collection[Kind] | None = None) -> Any:
    entries = EvidenceEntry.objects.filter(chain=incident.chain).defer("canonical")
    return entries.filter(kind__in=kinds) if kinds else entries


def _corrections(
    incident: Incident, shown: Sequence[EvidenceEntry], known: datetime | None = None
) -> list[EvidenceEntry]:
    """The corrections that may name one of these entries, in one statement; with `known`, those recorded by then and
    the last entry of that moment.
    """
    wanted = Q(kind=Kind.CORRECTED, seq__gt=min((entry.seq for entry in shown), default=incident.chain.seq))
    entries = _entries(incident)
    if known is not None:
        entries = entries.filter(at__lte=known)
        last = entries.order_by().values("chain").annotate(last=Max("seq")).values("last")
        wanted |= Q(seq=Subquery(last))
    return list(entries.filter(wanted))


def lines(
    entries: Iterable[EvidenceEntry],
    people: dict[str, str] | None = None,
    corrected: Iterable[EvidenceEntry] = (),
) -> list[TimelineRow]:
    """Entries as lines.

    Args:
        people: names by public id; read where they are not given.
        corrected: further entries among which corrections of these are found.
    """
    found = list(entries)
    names = people or {}
    ids = {entry.actor[key] for entry in found for key in ("id", "second") if key in entry.actor}
    if unknown := ids - set(names):
        names = names | _names(unknown)
    named = corrections.by_entry((*found, *corrected))
    return [_line(names, entry, named.get(entry.seq, ())) for entry in found]


def _names(ids: Collection[str]) -> dict[str, str]:
    users = get_user_model().objects.filter(public_id__in=ids).values_list("public_id", "name")
    return {str(public_id): name for public_id, name in users}


def _line(people: dict[str, str], entry: EvidenceEntry, corrected: Sequence[EvidenceEntry]) -> TimelineRow:
    actor, body = entry.actor, entry.body
    return TimelineRow(
        seq=entry.seq,
        at=entry.at,
        kind=entry.kind,
        tone=_tone(entry.kind, body),
        actor=people.get(actor.get("id", ""), "a person") if actor["kind"] == "user" else "Lastgood",
        role=str(Role(actor["role"]).label) if actor.get("role") else "",
        second=people.get(actor.get("second", ""), ""),
        body=body,
        hash=entry.hash,
        prev=entry.prev,
        corrects=body["corrects"] if entry.kind == Kind.CORRECTED and "corrects" in body else None,
        **_reading(entry, corrected),
    )


def _reading(entry: EvidenceEntry, corrected: Sequence[EvidenceEntry]) -> dict[str, Any]:
    """How the line reads, and where corrections changed that, how it was recorded."""
    if not corrected and "happened_at" not in entry.body:
        return {"sentence": entry.sentence}
    first = corrections.happened_at(entry)
    read = corrections.reading(entry, corrected)
    return {
        "sentence": read.text,
        "happened_at": None if read.happened_at == entry.at else read.happened_at,
        "corrected_by": read.corrected_by,
        "first_said": "" if read.text == entry.sentence else entry.sentence,
        "first_happened_at": None if read.happened_at == first else first,
    }


def _tone(kind: str, body: dict[str, Any]) -> str:
    return _GATE_TONES.get(body.get("outcome", ""), "") if kind == Kind.GATE_RECORDED else _TONES.get(Kind(kind), "")
