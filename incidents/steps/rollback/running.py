"""Running an action: through its connector, or by its owner's hand; and calling it back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from incidents.models import Action, Attempt
from incidents.steps import event_time
from incidents.steps.base import Taken, step
from incidents.steps.rollback.approval import confirmed_target, fresh, spec_digest, valid_approval
from incidents.steps.rollback.blockers import dispatch_blockers, elsewhere_blockers, is_by_hand, live_attempt
from incidents.steps.text import RESULT
from incidents.terms import Act, ActionState, AttemptState, Kind, Role


def dispatch(action: Action, *, by: Any) -> Attempt:
    """Start the action: queue it for its connector, or note that its owner begins by hand."""
    with step(action.incident, Act.DISPATCH_ACTION, by=by, owner=Role(action.owner)) as taken:
        action = fresh(taken, action)
        by_hand = is_by_hand(action)
        taken.refuse_if(dispatch_blockers(action, by, taken.at) + elsewhere_blockers(action, by_hand=by_hand))
        before = action.state
        attempt = _open_attempt(taken, action, by_hand=by_hand)
        kind = Kind.ACTION_STARTED if attempt.by_hand else Kind.ACTION_QUEUED
        verb = "Begun by hand" if attempt.by_hand else "Queued"
        taken.record(kind, f"{verb}: {action}", **_said_of(attempt), **moved(before, action.state))
    return attempt


def moved(old: str, new: str) -> dict[str, Any]:
    """An action's state before and after, as the log says it."""
    return {"old": str(old), "new": str(new)}


def _said_of(attempt: Attempt) -> dict[str, Any]:
    """What the log says of an attempt when it begins: what will run, for which target, and who agreed."""
    return {
        "action": attempt.action.key,
        "attempt": str(attempt.pk),
        "number": attempt.number,
        "digest": attempt.digest,
        "target_id": attempt.target_id,
        "approved_by": str(attempt.approved_by.public_id) if attempt.approved_by else None,
    }


def _open_attempt(taken: Taken, action: Action, *, by_hand: bool) -> Attempt:
    chosen = confirmed_target(taken)
    digest = spec_digest(action, chosen)
    approval = valid_approval(action, digest, taken.at, for_=taken.by)
    attempt = Attempt.objects.create(
        action=action,
        target=chosen,
        number=action.attempts.count() + 1,
        state=AttemptState.STARTED if by_hand else AttemptState.QUEUED,
        by_hand=by_hand,
        requested_by=taken.by,
        approved_by=approval.by if approval and approval.by_id != taken.by.pk else None,
        digest=digest,
        target_key=action.target_key,
        queued_at=taken.at,
        started_at=taken.at if by_hand else None,
    )
    action.state = ActionState.RUNNING
    action.save(update_fields=["state"])
    if action.changes_state:
        taken.note_change()
    return attempt


def complete_blockers(action: Action, by: Any, at: Any) -> list[str]:
    live = live_attempt(action)
    if live and not live.by_hand:
        return [f"“{action}” is with its connector: wait for its result or abort it."]
    return [] if live else dispatch_blockers(action, by, at, instead=True)


def evidence_blockers(action: Action) -> list[str]:
    """Done by hand instead of by its connector, it shows what that would have left: something that came of it."""
    if is_by_hand(action):
        return []
    brought = action.incident.exhibits.filter(subject=f"action:{action.key}")
    if last := max((attempt.queued_at for attempt in action.attempts.all()), default=None):
        brought = brought.filter(added_at__gte=last)
    if brought.exists():
        return []
    return [f"“{action}” is done by hand instead of by “{action.connector}”: show it by a file, a link or a text."]


def complete(action: Action, *, succeeded: bool, result: str, by: Any, happened_at: datetime | None = None) -> None:
    """The owner records what came of an action done by hand. What was done is written down, also when it failed.

    Args:
        happened_at: when it was done, where that is not now.
    """
    with step(action.incident, Act.COMPLETE_ACTION, by=by, owner=Role(action.owner)) as taken:
        action = fresh(taken, action)
        result = taken.said(result, "Write what was done and what it showed.", longest=RESULT)
        taken.refuse_if(complete_blockers(action, by, taken.at))
        event = event_time.fact(taken, happened_at)
        attempt, before = live_attempt(action), action.state
        begun: dict[str, Any] = {"action": action.key, "attempt": str(attempt.pk)} if attempt else {}
        if attempt is None:
            taken.refuse_if(elsewhere_blockers(action, by_hand=True) + evidence_blockers(action))
            attempt = _open_attempt(taken, action, by_hand=True)
            begun = _said_of(attempt)
        attempt.state = AttemptState.SUCCEEDED if succeeded else AttemptState.FAILED
        attempt.finished_at, attempt.sentence = taken.at, result
        attempt.save(update_fields=["state", "finished_at", "sentence"])
        settle_action(taken, action, succeeded, result)
        taken.record(
            Kind.ACTION_SUCCEEDED if succeeded else Kind.ACTION_FAILED,
            f"{'Done by hand' if succeeded else 'Failed by hand'}: {action}",
            **begun,
            **moved(before, action.state),
            result=result,
            by_hand=True,
            **event,
        )


def settle_action(taken: Taken, action: Action, succeeded: bool, result: str) -> None:
    """Write an attempt's outcome onto its action; gates that passed before are stale if it changes the system."""
    action.state = ActionState.SUCCEEDED if succeeded else ActionState.FAILED
    action.result, action.finished_at = result[:1000], taken.at
    action.save(update_fields=["state", "result", "finished_at"])
    if action.changes_state:
        taken.note_change()


def abort_blockers(action: Action) -> list[str]:
    live = live_attempt(action)
    if live is None:
        return [f"“{action}” is not running."]
    if live.state == AttemptState.QUEUED or (live.by_hand and live.state == AttemptState.STARTED):
        return []
    return [f"“{action}” has left the portal and cannot be called back: wait for its result."]


def abort(action: Action, *, by: Any, reason: str) -> None:
    """Call an action back before anything left the portal."""
    with step(action.incident, Act.ABORT_ACTION, by=by) as taken:
        action = fresh(taken, action)
        taken.refuse_if(abort_blockers(action))
        reason = taken.said(reason)
        live = live_attempt(action)
        assert live  # noqa: S101 - abort_blockers() settled it
        changed = Attempt.objects.filter(pk=live.pk, state=live.state, epoch=live.epoch).update(
            state=AttemptState.CANCELLED, finished_at=taken.at, sentence=reason
        )
        taken.refuse_if([] if changed else [f"“{action}” has just been started."])
        before, action.state = action.state, ActionState.PLANNED
        action.save(update_fields=["state"])
        if live.by_hand and action.changes_state:
            taken.note_change()
        taken.record(
            Kind.ACTION_CANCELLED,
            f"Aborted: {action}",
            action=action.key,
            attempt=str(live.pk),
            reason=reason,
            **moved(before, action.state),
        )
