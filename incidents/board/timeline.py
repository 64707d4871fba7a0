"""The evidence log as lines for people, newest first."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model

from incidents.board.parts import TimelineRow
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
}


def kinds_of(group: str) -> list[Kind]:
    """The kinds of entry in a group; none for a group that does not exist, which means all."""
    _, words = GROUPS.get(group, ("", ()))
    return [kind for kind in Kind if kind.split(".")[0] in words]


def timeline(
    incident: Incident, *, limit: int, before: int | None = None, kinds: Collection[Kind] | None = None
) -> list[TimelineRow]:
    """Entries as rows, newest first, in two queries.

    Args:
        limit: how many rows at most.
        before: only entries with a smaller sequence number (keyset paging).
        kinds: only entries of these kinds.
    """
    entries = _entries(incident, kinds).order_by("-seq")
    if before is not None:
        entries = entries.filter(seq__lt=before)
    return lines(entries[:limit])


@dataclass(frozen=True)
class LogPage:
    """One page of the log: its rows, and the entry numbers to go on from where there is more."""

    rows: list[TimelineRow]
    newer_than: int | None
    older_than: int | None


def log_page(
    incident: Incident, *, limit: int, before: int | None, after: int | None, kinds: Collection[Kind] | None
) -> LogPage:
    """A page of the log by keyset, newest first. `after` goes back towards the newest."""
    entries = _entries(incident, kinds)
    if after is not None:
        found = lines(entries.filter(seq__gt=after).order_by("seq")[: limit + 1])
        rows = list(reversed(found[:limit]))
        newer, older = len(found) > limit, bool(rows)
    else:
        found = lines((entries if before is None else entries.filter(seq__lt=before)).order_by("-seq")[: limit + 1])
        rows = found[:limit]
        newer, older = before is not None, len(found) > limit
    if not rows:
        return LogPage([], None, None)
    return LogPage(rows, rows[0].seq if newer else None, rows[-1].seq if older else None)


def _entries(incident: Incident, kinds: Collection[Kind] | None) -> Any:
    entries = EvidenceEntry.objects.filter(chain__incident=incident).defer("canonical")
    return entries.filter(kind__in=kinds) if kinds else entries


def lines(entries: Iterable[EvidenceEntry], people: dict[str, str] | None = None) -> list[TimelineRow]:
    """Entries as lines.

    Args:
        people: names by public id; read where they are not given.
    """
    found = list(entries)
    names = people or {}
    ids = {entry.actor[key] for entry in found for key in ("id", "second") if key in entry.actor}
    if unknown := ids - set(names):
        names = names | _names(unknown)
    return [_line(names, entry) for entry in found]


def _names(ids: Collection[str]) -> dict[str, str]:
    users = get_user_model().objects.filter(public_id__in=ids).values_list("public_id", "name")
    return {str(public_id): name for public_id, name in users}


def _line(people: dict[str, str], entry: EvidenceEntry) -> TimelineRow:
    actor, body = entry.actor, entry.body
    return TimelineRow(
        seq=entry.seq,
        at=entry.at,
        kind=entry.kind,
        tone=_tone(entry.kind, body),
        sentence=body.get("sentence", ""),
        actor=people.get(actor.get("id", ""), "a person") if actor["kind"] == "user" else "Lastgood",
        role=str(Role(actor["role"]).label) if actor.get("role") else "",
        second=people.get(actor.get("second", ""), ""),
        body=body,
        hash=entry.hash,
        prev=entry.prev,
    )


def _tone(kind: str, body: dict[str, Any]) -> str:
    return _GATE_TONES.get(body.get("outcome", ""), "") if kind == Kind.GATE_RECORDED else _TONES.get(Kind(kind), "")
