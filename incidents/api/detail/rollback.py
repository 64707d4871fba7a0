"""Actions with their approvals, their attempts and what blocks them. Rows come from `board.load`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from incidents.api.shapes import Person, person, person_or_none
from incidents.models import Action, Approval, Attempt, Rehearsal, Target
from incidents.steps import rollback
from incidents.terms import ActionState, AttemptState, Role, Track


class AttemptRow(BaseModel):
    id: str = Field(description="Also the idempotency key that the connector sent.")
    number: int
    state: AttemptState
    by_hand: bool
    requested_by: Person
    approved_by: Person | None
    queued_at: datetime
    not_before: datetime | None = Field(description="Nothing was sent; when it is tried again.")
    started_at: datetime | None
    finished_at: datetime | None
    sentence: str


class ApprovalRow(BaseModel):
    by: Person
    approved_at: datetime
    expires_at: datetime
    is_valid: bool


class RehearsalRow(BaseModel):
    id: str
    state: AttemptState
    by: Person
    asked_at: datetime
    finished_at: datetime | None
    sentence: str
    is_current: bool = Field(description="It was made of exactly what would run now.")


class ActionStatus(BaseModel):
    key: str
    track: Track
    name: str
    owner: Role
    stage: int
    state: ActionState
    destructive: bool
    changes_state: bool
    waivable: bool
    by_hand: bool
    needs_second: bool
    spec_digest: str | None = Field(description="SHA-256 of exactly what will run; null without a target.")
    result: str
    finished_at: datetime | None
    approvals: list[ApprovalRow]
    rehearsals: list[RehearsalRow]
    attempts: list[AttemptRow]
    blockers: list[str] = Field(description="Why the caller cannot run it now.")


_AS_STORED = ("key", "name", "stage", "destructive", "changes_state", "waivable", "result", "finished_at")


def action_status(action: Action, target: Target | None, viewer: Any, at: datetime) -> ActionStatus:
    digest = rollback.spec_digest(action, target) if target else None
    return ActionStatus(
        **{name: getattr(action, name) for name in _AS_STORED},
        track=Track(action.track),
        owner=Role(action.owner),
        state=ActionState(action.state),
        by_hand=rollback.is_by_hand(action),
        needs_second=rollback.needs_second(action),
        spec_digest=digest,
        approvals=[_approval(row, digest, at) for row in action.approvals.all()],
        rehearsals=[_rehearsal(row, digest) for row in action.rehearsals.all()],
        attempts=[_attempt(row) for row in action.attempts.all()],
        blockers=[] if action.is_settled else rollback.dispatch_blockers(action, viewer, at),
    )


def _approval(row: Approval, digest: str | None, at: datetime) -> ApprovalRow:
    return ApprovalRow(
        by=person(row.by),
        approved_at=row.approved_at,
        expires_at=row.expires_at,
        is_valid=row.digest == digest and row.expires_at > at,
    )


def _rehearsal(row: Rehearsal, digest: str | None) -> RehearsalRow:
    return RehearsalRow(
        id=str(row.pk),
        state=AttemptState(row.state),
        by=person(row.by),
        asked_at=row.asked_at,
        finished_at=row.finished_at,
        sentence=row.sentence,
        is_current=row.digest == digest,
    )


def _attempt(row: Attempt) -> AttemptRow:
    return AttemptRow(
        id=str(row.pk),
        state=AttemptState(row.state),
        requested_by=person(row.requested_by),
        approved_by=person_or_none(row.approved_by),
        **{
            name: getattr(row, name)
            for name in ("number", "by_hand", "queued_at", "not_before", "started_at", "finished_at", "sentence")
        },
    )
