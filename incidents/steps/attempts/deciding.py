"""Two people decide what an attempt of unknown outcome did, after they have looked at the outside system."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from incidents.models import Attempt
from incidents.steps import rollback
from incidents.steps.attempts.claiming import facts_of
from incidents.steps.base import step
from incidents.terms import Act, AttemptState, Kind

MARGIN = timedelta(seconds=30)


def decidable_at(attempt: Attempt) -> datetime:
    """From when on nobody is at it any more, so that what is seen outside is what was done."""
    seconds = attempt.action.connector.deadline_seconds if attempt.action.connector else 0
    return (attempt.started_at or attempt.queued_at) + timedelta(seconds=seconds) + MARGIN


def resolve_blockers(attempt: Attempt, at: Any) -> list[str]:
    """Why an unknown outcome cannot be decided yet: the lost worker might still be at it."""
    if attempt.state != AttemptState.UNKNOWN:
        return ["The outcome of this attempt is not unknown."]
    free_at = decidable_at(attempt)
    return [f"Wait until {free_at:%H:%M:%S} UTC: until then the lost worker may still act."] if at < free_at else []


def resolve(attempt: Attempt, *, succeeded: bool, note: str, by: Any, second: Any) -> None:
    """Two people decide what an unknown attempt did, after looking at the outside system."""
    with step(attempt.action.incident, Act.RESOLVE_UNKNOWN, by=by, second=second) as taken:
        attempt = Attempt.objects.select_related("action__connector").get(pk=attempt.pk)
        attempt.action.incident = taken.incident
        taken.refuse_if(resolve_blockers(attempt, taken.at))
        note = taken.said(note, "Write what you saw in the outside system.")
        state = AttemptState.SUCCEEDED if succeeded else AttemptState.FAILED
        Attempt.objects.filter(pk=attempt.pk, state=AttemptState.UNKNOWN).update(state=state, finished_at=taken.at)
        before = attempt.action.state
        rollback.settle_action(taken, attempt.action, succeeded, note)
        taken.record(
            Kind.ACTION_RESOLVED,
            f"Decided as {state.label.lower()}: {attempt.action}",
            **facts_of(attempt),
            state=state,
            note=note,
            **rollback.moved(before, attempt.action.state),
        )
