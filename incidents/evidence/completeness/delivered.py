"""The written deliverables: summary, follow-ups, safeguards."""

from __future__ import annotations

from incidents.evidence.completeness.account import Account, Entry, Rule
from incidents.evidence.completeness.declared import corrected, person
from incidents.models import FollowUp, Review, Safeguard
from incidents.terms import Kind

_TEXTS = ("what_happened", "root_cause", "impact", "no_follow_ups_reason", "no_gaps_reason")


def _written(said: Account, entry: Entry) -> None:
    said.says(entry.body["incident"], **{name: entry.body[name] for name in _TEXTS}, owner=entry.body["owner"])


REVIEW = Rule(
    Review,
    "summary of",
    rows=lambda incident: Review.objects.filter(incident=incident).select_related("owner", "incident"),
    key=lambda row: row.incident.reference,
    facts=lambda row: {**{name: getattr(row, name) for name in _TEXTS}, "owner": person(row.owner)},
    says={Kind.SUMMARY_WRITTEN: _written},
    named=lambda row: f"Summary of {row.incident}",
)

_FOLLOW_UP = {
    "number": "number",
    "title": "title",
    "owner": "owner",
    "priority": "priority",
    "due_on": "due_on",
    "acceptance": "acceptance",
    "bead": "bead_id",
}


def _added(said: Account, entry: Entry) -> None:
    said.says(entry.body["follow_up"], **{fact: entry.fact(name) for name, fact in _FOLLOW_UP.items()})


FOLLOW_UP = Rule(
    FollowUp,
    "follow-up",
    rows=lambda incident: incident.follow_ups.all(),
    key=lambda row: row.pk,
    facts=lambda row: {fact: getattr(row, fact) for fact in _FOLLOW_UP.values()} | {"due_on": str(row.due_on)},
    says={Kind.FOLLOW_UP_ADDED: _added, Kind.CORRECTED: corrected(FollowUp)},
    named=lambda row: f"Follow-up {row.number} “{row}”",
)


def _guarded(said: Account, entry: Entry) -> None:
    body = entry.body
    said.says(body["safeguard"], gap=body["gap"], change=body["change"], link=body["link"], by=entry.by)


SAFEGUARD = Rule(
    Safeguard,
    "safeguard",
    rows=lambda incident: incident.safeguards.select_related("by"),
    key=lambda row: row.pk,
    facts=lambda row: {"gap": row.gap, "change": row.change, "link": row.link, "by": person(row.by)},
    says={Kind.SAFEGUARD_ADDED: _guarded, Kind.CORRECTED: corrected(Safeguard)},
)

RULES = (REVIEW, FOLLOW_UP, SAFEGUARD)
