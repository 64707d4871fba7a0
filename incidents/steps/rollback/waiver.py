"""The owner says why an action is not needed."""

from __future__ import annotations

from typing import Any

from incidents import policy
from incidents.models import Action
from incidents.steps.base import Denied, step
from incidents.steps.rollback.approval import fresh
from incidents.steps.rollback.blockers import live_attempt
from incidents.steps.rollback.running import moved
from incidents.terms import Act, ActionState, Kind, Role, Track


def waive_blockers(action: Action) -> list[str]:
    if action.state not in (ActionState.PLANNED, ActionState.FAILED):
        return [f"“{action}” is {action.get_state_display().lower()}: it cannot be waived."]
    return [f"“{action}” is being called back: wait a moment."] if live_attempt(action) else []


def waiver_needs_second(action: Action) -> bool:
    return not action.waivable and policy.action_waiver_needs_second(
        action.incident.level, Track(action.track), action.key
    )


def waive(action: Action, *, by: Any, reason: str, second: Any = None) -> None:
    """The owner says why an action is not needed; where the level makes it due, a second person agrees."""
    with step(action.incident, Act.WAIVE_ACTION, by=by, owner=Role(action.owner), second=second) as taken:
        action = fresh(taken, action)
        taken.refuse_if(waive_blockers(action))
        if waiver_needs_second(action) and second is None:
            raise Denied(f"{taken.incident.level.label} makes “{action}” due: waiving it needs a second person.")
        reason = taken.said(reason)
        before = action.state
        action.state, action.result, action.finished_at = ActionState.WAIVED, reason, taken.at
        action.save(update_fields=["state", "result", "finished_at"])
        taken.record(
            Kind.ACTION_WAIVED, f"Waived: {action}", action=action.key, reason=reason, **moved(before, action.state)
        )
