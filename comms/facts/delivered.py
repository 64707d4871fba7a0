"""What was said and what was delivered: notices with their copies, the review, follow-ups, safeguards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from comms.facts.values import (
    DeliverableFact,
    FollowUpFact,
    NoticeFact,
    ReviewFact,
    RoleFact,
    SafeguardFact,
)
from comms.models import DeliveryState, Notice
from incidents.models import Incident
from incidents.steps import deliver
from incidents.terms import NoticeKind, Priority


def notices(found: Iterable[Notice]) -> tuple[NoticeFact, ...]:
    return tuple(_notice(notice) for notice in found)


def _notice(notice: Notice) -> NoticeFact:
    assert notice.issued_at and notice.sequence is not None  # noqa: PT018, S101 - a constraint holds it to both
    states = [copy.state for copy in notice.deliveries.all() if copy.is_needed]
    return NoticeFact(
        kind=notice.kind,
        name=notice.name,
        title=str(NoticeKind(notice.kind).label),
        subject=notice.subject,
        body=notice.body,
        sequence=notice.sequence,
        issued_at=notice.issued_at,
        issued_by=str(notice.written_by or "Lastgood"),
        sent_at=notice.sent_at,
        next_update_at=notice.next_update_at,
        state=notice.state,
        sent=states.count(DeliveryState.SENT),
        failed=states.count(DeliveryState.FAILED),
        copies=len(states),
        sha256=notice.words_sha256,
        overtaken=notice.overtaken,
    )


def review(incident: Incident) -> ReviewFact | None:
    row = deliver.review_of(incident)
    if row is None:
        return None
    return ReviewFact(
        what_happened=row.what_happened,
        root_cause=row.root_cause,
        impact=row.impact,
        owner=str(row.owner or ""),
        no_follow_ups_reason=row.no_follow_ups_reason,
        no_gaps_reason=row.no_gaps_reason,
        written_at=row.written_at,
    )


def review_owner(written: ReviewFact | None, roles: Sequence[RoleFact]) -> str:
    """Who owns the post-incident review, with the role they hold: the commander until the summary names someone."""
    name = written.owner if written and written.owner else roles[0].holder
    role = next((role.name for role in roles if role.holder == name), "")
    return f"{name}, {role}" if role else name


def follow_ups(incident: Incident) -> tuple[FollowUpFact, ...]:
    return tuple(
        FollowUpFact(
            number=row.number,
            title=row.title,
            owner=row.owner,
            priority=row.priority,
            priority_label=str(Priority(row.priority).label),
            due_on=row.due_on,
            acceptance=row.acceptance,
            bead_id=row.bead_id,
        )
        for row in incident.follow_ups.all()
    )


def safeguards(incident: Incident) -> tuple[SafeguardFact, ...]:
    rows = incident.safeguards.all()
    return tuple(SafeguardFact(row.gap, row.change, row.link, str(row.by), row.added_at) for row in rows)


def deliverables(incident: Incident) -> tuple[DeliverableFact, ...]:
    """The runbook's three, and whether each is there."""
    missing = deliver.missing(incident)
    return tuple(
        DeliverableFact(clause.name, clause.text, clause.key not in missing) for clause in incident.book.deliverables
    )
