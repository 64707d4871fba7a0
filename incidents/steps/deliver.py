"""Post-rollback deliverables: summary with root cause, bead-level follow-ups, safeguards; then the incident closes."""

from __future__ import annotations

from datetime import date
from typing import Any

from incidents.models import FollowUp, Incident, Review, Safeguard
from incidents.steps.base import step, store
from incidents.terms import Act, Kind, Phase, Priority


def review_of(incident: Incident) -> Review | None:
    """The review as it is written so far; not read again where the incident was read with it."""
    return getattr(incident, "review", None)


def write_summary(
    incident: Incident,
    *,
    what_happened: str,
    root_cause: str,
    impact: str,
    by: Any,
    owner: Any = None,
    no_follow_ups_reason: str = "",
    no_gaps_reason: str = "",
) -> Review:
    """Write, or write again, the incident summary. The timeline comes from the evidence log."""
    with step(incident, Act.WRITE_SUMMARY, by=by) as taken:
        written: dict[str, Any] = {
            "what_happened": what_happened.strip(),
            "root_cause": root_cause.strip(),
            "impact": impact.strip(),
            "no_follow_ups_reason": no_follow_ups_reason.strip(),
            "no_gaps_reason": no_gaps_reason.strip(),
        }
        review = Review.objects.filter(incident=taken.incident).first() or Review(incident=taken.incident)
        told = {**written, "owner_id": (owner or by).pk}
        taken.refuse_if(
            ["The summary says this already."] if told == {name: getattr(review, name) for name in told} else []
        )
        before = {name: getattr(review, name) for name in written if review.pk}
        for name, value in {**told, "written_at": taken.at}.items():
            setattr(review, name, value)
        store(review)
        taken.record(
            Kind.SUMMARY_WRITTEN,
            "Incident summary written",
            owner=str((owner or by).public_id),
            **written,
            old={name: was for name, was in before.items() if was != written[name]},
        )
    return review


def add_follow_up(
    incident: Incident,
    *,
    title: str,
    owner: str,
    priority: Priority,
    due_on: date,
    acceptance: str,
    by: Any,
    bead_id: str = "",
) -> FollowUp:
    """Add one corrective action at bead level."""
    with step(incident, Act.ADD_FOLLOW_UP, by=by) as taken:
        taken.refuse_if(_follow_up_blockers(title, owner, acceptance))
        title = taken.said(title)
        listed = taken.incident.follow_ups.filter(title=title)
        taken.refuse_if(f"“{row}” is follow-up {row.number} already." for row in listed)
        follow_up = store(
            FollowUp(
                incident=taken.incident,
                number=taken.incident.follow_ups.count() + 1,
                title=title,
                owner=owner.strip(),
                priority=priority,
                due_on=due_on,
                acceptance=acceptance.strip(),
                bead_id=bead_id.strip(),
                added_at=taken.at,
            )
        )
        taken.record(
            Kind.FOLLOW_UP_ADDED,
            f"Follow-up {follow_up.number}: {follow_up.title}",
            follow_up=follow_up.pk,
            number=follow_up.number,
            title=follow_up.title,
            personal={"owner": follow_up.owner},
            priority=priority,
            due_on=due_on.isoformat(),
            acceptance=follow_up.acceptance,
            bead=follow_up.bead_id,
        )
    return follow_up


def _follow_up_blockers(title: str, owner: str, acceptance: str) -> list[str]:
    wanted = (("a title", title), ("an owner", owner), ("acceptance criteria", acceptance))
    return [f"A follow-up needs {what}." for what, text in wanted if not text.strip()]


def add_safeguard(incident: Incident, *, gap: str, change: str, by: Any, link: str = "") -> Safeguard:
    """Record a safeguard or runbook that was updated because a control gap was found."""
    with step(incident, Act.ADD_SAFEGUARD, by=by) as taken:
        gap = taken.said(gap, "Name the gap and what was changed.")
        change = taken.said(change, "Name the gap and what was changed.")
        known = taken.incident.safeguards.filter(gap=gap, change=change).exists()
        taken.refuse_if(["This safeguard is recorded already."] if known else [])
        safeguard = store(
            Safeguard(incident=taken.incident, gap=gap, change=change, link=link, by=by, added_at=taken.at)
        )
        taken.record(
            Kind.SAFEGUARD_ADDED,
            f"Safeguard: {safeguard.change}",
            safeguard=safeguard.pk,
            gap=safeguard.gap,
            change=safeguard.change,
            link=link,
        )
    return safeguard


def missing(incident: Incident) -> dict[str, str]:
    """The deliverables that are missing, by key, each with a sentence that says what."""
    review = review_of(incident)
    found = {}
    if review is None or not review.what_happened or not review.root_cause:
        found["summary"] = "The incident summary with its root cause is not written."
    if not incident.follow_ups.exists() and not (review and review.no_follow_ups_reason):
        found["followups"] = "No follow-up is listed, and no reason says why none is needed."
    if not incident.safeguards.exists() and not (review and review.no_gaps_reason):
        found["safeguards"] = "No updated safeguard is recorded, and no reason says that no control gap was found."
    return found


def close_blockers(incident: Incident) -> list[str]:
    """Which deliverables are missing, one sentence each."""
    return list(missing(incident).values())


def close(incident: Incident, *, by: Any) -> None:
    """Close the incident; the report is written from what is on record."""
    with step(incident, Act.CLOSE, by=by) as taken:
        taken.refuse_if(close_blockers(taken.incident))
        taken.move_to(Phase.CLOSED)
        taken.incident.ended_at = taken.at
        taken.incident.save(update_fields=["ended_at"])
        taken.record(Kind.CLOSED, "Incident closed")
