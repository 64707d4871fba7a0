"""The deliverables, and which of them are missing."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

from incidents.api.shapes import Person, person_or_none
from incidents.models import Incident, Review
from incidents.steps import deliver
from incidents.terms import Priority


class ReviewText(BaseModel):
    what_happened: str
    root_cause: str
    impact: str
    owner: Person | None
    no_follow_ups_reason: str
    no_gaps_reason: str
    written_at: datetime


class FollowUpRow(BaseModel):
    number: int
    title: str
    owner: str
    priority: Priority
    due_on: date
    acceptance: str
    bead_id: str


class SafeguardRow(BaseModel):
    id: int
    gap: str
    change: str
    link: str
    added_at: datetime


class DeliverableState(BaseModel):
    summary: ReviewText | None
    follow_ups: list[FollowUpRow]
    safeguards: list[SafeguardRow]
    missing: list[str] = Field(description="What still stands against closing.")


def deliverable_state(incident: Incident) -> DeliverableState:
    review = deliver.review_of(incident)
    follow_ups = incident.follow_ups.all()
    return DeliverableState(
        summary=_review(review) if review else None,
        follow_ups=[FollowUpRow.model_validate(row, from_attributes=True) for row in follow_ups],
        safeguards=[SafeguardRow.model_validate(row, from_attributes=True) for row in incident.safeguards.all()],
        missing=[] if incident.ended_at else deliver.close_blockers(incident),
    )


def _review(review: Review) -> ReviewText:
    return ReviewText(
        owner=person_or_none(review.owner),
        **{
            name: getattr(review, name)
            for name in (
                "what_happened",
                "root_cause",
                "impact",
                "no_follow_ups_reason",
                "no_gaps_reason",
                "written_at",
            )
        },
    )
