"""Why an action cannot run now, in the order a person would mend it."""

from __future__ import annotations

from typing import Any

from incidents.models import Action, Attempt
from incidents.models.rollback import HOLDING, LIVE
from incidents.steps import kill_switch
from incidents.steps import target as targets
from incidents.steps.rollback.approval import needs_second, spec_digest, valid_approval
from incidents.terms import ActionState, AttemptState, ConnectorKind


def order_blockers(action: Action) -> list[str]:
    """Stages run in order: what still stands before this action."""
    before = [other for other in action.incident.actions.all() if other.stage < action.stage]
    return [f"“{earlier}” comes first (stage {earlier.stage})." for earlier in before if not earlier.is_settled]


def dispatch_blockers(action: Action, by: Any, at: Any, *, instead: bool = False) -> list[str]:
    """Why the action cannot run now, in the order a person would mend it.

    Args:
        instead: whether its owner does it by hand, although it has a connector.
    """
    chosen = targets.current(action.incident)
    if chosen is None or not targets.is_confirmed(chosen):
        return ["The target is not confirmed by its leads yet."]
    by_hand = instead or is_by_hand(action)
    found = _state_blockers(action) + ([] if by_hand else _connector_blockers(action))
    found += _target_key_blockers(action, by_hand=by_hand) + order_blockers(action)
    if needs_second(action):
        approval = valid_approval(action, spec_digest(action, chosen), at, for_=by)
        if approval is None:
            found.append(f"“{action}” waits for a second person's approval.")
        elif by is not None and approval.by_id == by.pk:
            found.append("You approved this action yourself: another person dispatches it.")
    return found


def _state_blockers(action: Action) -> list[str]:
    if any(attempt.state == AttemptState.UNKNOWN for attempt in action.attempts.all()):
        return ["The outcome of the last attempt is unknown: two people decide it first."]
    if action.state == ActionState.RUNNING or live_attempt(action):
        return [f"“{action}” is already running."]
    if action.is_settled:
        return [f"“{action}” is {action.get_state_display().lower()} already."]
    return []


def _connector_blockers(action: Action) -> list[str]:
    if stopped := kill_switch.blockers(action.incident):
        return stopped
    is_on = action.connector is not None and action.connector.enabled
    return [] if is_on else [f"The connector “{action.connector}” is switched off."]


def _target_key_blockers(action: Action, *, by_hand: bool) -> list[str]:
    """What else touches the same outside target. A connector waits its turn; nobody acts beside an unknown outcome."""
    others = [o for o in action.incident.actions.all() if o.target_key == action.target_key and o.pk != action.pk]
    held = [live for other in others if (live := live_attempt(other))]
    return [sentence for live in held for sentence in _beside(live, by_hand=by_hand)]


def _beside(live: Attempt, *, by_hand: bool) -> list[str]:
    if live.state == AttemptState.UNKNOWN:
        return [f"The outcome of “{live.action}” on the same target is unknown: two people decide it first."]
    if by_hand and not live.by_hand and live.state in HOLDING:
        return [f"“{live.action}” is running on the same target: wait for its result."]
    return []


def elsewhere_blockers(action: Action, *, by_hand: bool) -> list[str]:
    """The same, where another incident touches the target."""
    holding = Attempt.objects.filter(target_key=action.target_key, state__in=HOLDING).select_related("action__incident")
    others = holding.exclude(action__incident=action.incident)
    return [f"{live.action.incident}: {sentence}" for live in others for sentence in _beside(live, by_hand=by_hand)]


def is_by_hand(action: Action) -> bool:
    return action.connector is None or action.connector.kind == ConnectorKind.MANUAL


def live_attempt(action: Action) -> Attempt | None:
    return next((attempt for attempt in action.attempts.all() if attempt.state in LIVE), None)
