"""Step 3, execute technical rollback: the plan from level and runbook, and what people decide about its actions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from typing import Any

from django.conf import settings
from django.db.models import prefetch_related_objects

from incidents import policy
from incidents.models import Action, Approval, Attempt, Incident, Target, Wiring
from incidents.models.rollback import HOLDING, LIVE
from incidents.policy import Due
from incidents.runbook.content import ActionText
from incidents.steps import target as targets
from incidents.steps.base import Denied, Refused, Taken, step, store
from incidents.steps.text import RESULT
from incidents.terms import (
    Act,
    ActionState,
    AttemptState,
    ConnectorKind,
    Kind,
    Phase,
    Role,
    Track,
)

# The plan ---------------------------------------------------------------------------------------------------------


def plan_blockers(incident: Incident) -> list[str]:
    chosen = targets.current(incident)
    return [] if chosen and targets.is_confirmed(chosen) else ["The target is not confirmed by its leads yet."]


def make_plan(incident: Incident, *, by: Any) -> None:
    """Lay out the actions that level and runbook ask for, with their owners, stages and connectors."""
    with step(incident, Act.MAKE_PLAN, by=by) as taken:
        taken.refuse_if(plan_blockers(taken.incident))
        fit_plan_to_level(taken.incident, first=True)
        taken.move_to(Phase.ROLLING_BACK)
        keys = list(taken.incident.actions.values_list("key", flat=True))
        taken.record(Kind.PLAN_MADE, f"Plan made: {len(keys)} actions for {taken.incident.level.label}", actions=keys)


def fit_plan_to_level(incident: Incident, *, first: bool = False) -> tuple[list[str], list[str], list[str]]:
    """Bring the plan in line with the level: new work appears, work nobody touched and nobody needs goes.

    Returns:
        The keys of the actions that are new, that went, and whose waiver no longer holds.
    """
    present = {action.key: action for action in incident.actions.prefetch_related("attempts", "approvals")}
    if not first and not present:
        return [], [], []
    added = _add_due(incident, present)
    removed, reopened = [], []
    for action in present.values():
        asked = policy.due(incident.level, Track(action.track), action.key)
        if asked == Due.ABSENT and _is_untouched(action):
            removed.append(action.key)
            action.delete()
        elif _refit(action, asked):
            reopened.append(action.key)
    return added, removed, reopened


def _add_due(incident: Incident, present: Collection[str]) -> list[str]:
    wiring = {row.key: row for row in Wiring.objects.filter(product=incident.product).select_related("connector")}
    added = [
        _planned(incident, text, asked, wiring.get(text.key))
        for text in incident.book.actions
        if text.key not in present
        if (asked := policy.due(incident.level, text.track, text.key)) != Due.ABSENT
    ]
    Action.objects.bulk_create(added)
    return [action.key for action in added]


def _is_untouched(action: Action) -> bool:
    """Listed by the runbook, and nobody approved, tried, waived or showed anything that the log refers to."""
    listed = any(text.key == action.key for text in action.incident.book.actions)
    touched = action.attempts.all() or action.approvals.all() or action.state != ActionState.PLANNED
    shown = action.incident.exhibits.filter(subject=f"action:{action.key}")
    return listed and not touched and not shown.exists()


def _planned(incident: Incident, text: ActionText, asked: Due, wiring: Wiring | None) -> Action:
    return Action(
        incident=incident,
        key=text.key,
        track=text.track,
        name=text.name,
        owner=text.owner,
        stage=text.stage,
        destructive=text.destructive,
        changes_state=text.changes_state or text.destructive,
        waivable=asked == Due.WAIVABLE,
        connector=wiring.connector if wiring else None,
        arguments=wiring.arguments if wiring else {},
        target_key=(wiring.target_key if wiring else "") or f"{incident.product.slug}:{text.key}",
    )


def _refit(action: Action, asked: Due) -> bool:
    """Say who may waive it now; True when it was waived by one person and is due for good now."""
    alone = asked != Due.DUE
    void = action.waivable and not alone and action.state == ActionState.WAIVED
    if void:
        action.state, action.result, action.finished_at = ActionState.PLANNED, "", None
    if void or action.waivable != alone:
        action.waivable = alone
        action.save(update_fields=["state", "result", "finished_at", "waivable"])
    return void


def add_action(
    incident: Incident, *, track: Track, name: str, owner: Role, stage: int, destructive: bool, by: Any, reason: str
) -> Action:
    """Add an action that the runbook does not list. While verifying, the incident goes back to rolling back."""
    with step(incident, Act.ADD_ACTION, by=by) as taken:
        name, reason = taken.said(name, "Say what is to be done."), taken.said(reason)
        taken.refuse_if(_listed_already(taken.incident, track, name))
        taken.move_to(Phase.ROLLING_BACK)
        number = taken.incident.actions.filter(key__startswith=policy.ADDED).count() + 1
        key = f"{policy.ADDED}{number}"
        action = store(
            Action(
                incident=taken.incident,
                key=key,
                track=track,
                name=name,
                owner=owner,
                stage=stage,
                destructive=destructive,
                changes_state=True,
                waivable=policy.due(taken.incident.level, track, key) != Due.DUE,
                target_key=f"{taken.incident.product.slug}:{key}-{taken.incident.pk}",
            )
        )
        taken.record(
            Kind.ACTION_ADDED, f"Action added: {action}", action=action.key, owner=owner, stage=stage, reason=reason
        )
    return action


def _listed_already(incident: Incident, track: Track, name: str) -> list[str]:
    same = [action for action in incident.actions.filter(track=track, name=name) if not action.is_settled]
    return [f"“{action}” is in the plan already." for action in same[:1]]


# What will run, and who agreed to it --------------------------------------------------------------------------------


def spec_digest(action: Action, target: Target) -> str:
    """SHA-256 of exactly what will run: an approval is bound to it and void when it changes."""
    connector = action.connector
    spec = {
        "action": action.key,
        "name": action.name,
        "arguments": action.arguments,
        "target": f"{target.kind} {target.identifier}",
        "target_key": action.target_key,
        "connector": [connector.kind, connector.name, connector.config, connector.secret] if connector else ["manual"],
    }
    # Arguments and settings are free JSON, floats included, so this is not the log's own form.
    return hashlib.sha256(json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def needs_second(action: Action) -> bool:
    return policy.dispatch_needs_second(action.incident.level, destructive=action.destructive)


def valid_approval(action: Action, digest: str, at: Any, *, for_: Any = None) -> Approval | None:
    """The last approval of exactly this whose giver may still give it.

    Args:
        for_: who is about to dispatch; another person's approval goes before their own.
    """
    fresh = [found for found in action.approvals.all() if found.digest == digest and found.expires_at > at]
    signers = _signers(action.incident) if fresh else set()
    valid = [found for found in fresh if found.by_id in signers and found.by.is_active]
    others = [found for found in valid if for_ is not None and found.by_id != for_.pk]
    return next(reversed(others or valid), None)


def _signers(incident: Incident) -> set[int]:
    """Who may approve in this incident now."""
    held = [row for row in incident.memberships.all() if row.accepted_at and not row.ended_at]
    return {row.user_id for row in held if row.role in policy.ROLES[Act.APPROVE_ACTION]}


def approve_blockers(action: Action) -> list[str]:
    if action.state not in (ActionState.PLANNED, ActionState.FAILED):
        return [f"“{action}” is {action.get_state_display().lower()}: there is nothing to approve."]
    return [] if needs_second(action) else [f"“{action}” needs no second person at this level."]


def approve(action: Action, *, by: Any, digest: str | None = None) -> Approval:
    """The second person agrees to what will run.

    Args:
        digest: what the person saw; refused when the action has changed since.
    """
    with step(action.incident, Act.APPROVE_ACTION, by=by) as taken:
        action = _fresh(taken, action)
        chosen = _confirmed_target(taken)
        taken.refuse_if(approve_blockers(action))
        current = spec_digest(action, chosen)
        taken.refuse_if(
            ["The action has changed since you looked: read it again."] if digest not in (None, current) else []
        )
        mine = action.approvals.filter(digest=current, by=by, expires_at__gt=taken.at)
        taken.refuse_if([f"You have approved “{action}” already."] if mine.exists() else [])
        approval = Approval.objects.create(
            action=action, digest=current, by=by, approved_at=taken.at, expires_at=taken.at + policy.APPROVAL_LASTS
        )
        taken.record(Kind.ACTION_APPROVED, f"Approved: {action}", action=action.key, digest=current)
    return approval


# Running it ---------------------------------------------------------------------------------------------------------


def order_blockers(action: Action) -> list[str]:
    """Stages run in order: what still stands before this action."""
    before = [other for other in action.incident.actions.all() if other.stage < action.stage]
    return [f"“{earlier}” comes first (stage {earlier.stage})." for earlier in before if not earlier.is_settled]


def dispatch_blockers(action: Action, by: Any, at: Any) -> list[str]:
    """Why the action cannot run now, in the order a person would mend it."""
    chosen = targets.current(action.incident)
    if chosen is None or not targets.is_confirmed(chosen):
        return ["The target is not confirmed by its leads yet."]
    found = _state_blockers(action) + _connector_blockers(action) + _target_key_blockers(action)
    found += order_blockers(action)
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
    if action.connector is None or is_by_hand(action):
        return []
    if not settings.DISPATCH_ENABLED:
        return ["Dispatch is switched off for this installation."]
    return [] if action.connector.enabled else [f"The connector “{action.connector}” is switched off."]


def _target_key_blockers(action: Action) -> list[str]:
    """What else touches the same outside target. A connector waits its turn; nobody acts beside an unknown outcome."""
    others = [o for o in action.incident.actions.all() if o.target_key == action.target_key and o.pk != action.pk]
    held = [live for other in others if (live := live_attempt(other))]
    return [sentence for live in held for sentence in _beside(action, live)]


def _beside(action: Action, live: Attempt) -> list[str]:
    if live.state == AttemptState.UNKNOWN:
        return [f"The outcome of “{live.action}” on the same target is unknown: two people decide it first."]
    if is_by_hand(action) and not live.by_hand and live.state in HOLDING:
        return [f"“{live.action}” is running on the same target: wait for its result."]
    return []


def _elsewhere_blockers(action: Action) -> list[str]:
    """The same, where another incident touches the target."""
    holding = Attempt.objects.filter(target_key=action.target_key, state__in=HOLDING).select_related("action__incident")
    others = holding.exclude(action__incident=action.incident)
    return [f"{live.action.incident}: {sentence}" for live in others for sentence in _beside(action, live)]


def is_by_hand(action: Action) -> bool:
    return action.connector is None or action.connector.kind == ConnectorKind.MANUAL


def dispatch(action: Action, *, by: Any) -> Attempt:
    """Start the action: queue it for its connector, or note that its owner begins by hand."""
    with step(action.incident, Act.DISPATCH_ACTION, by=by, owner=Role(action.owner)) as taken:
        action = _fresh(taken, action)
        taken.refuse_if(dispatch_blockers(action, by, taken.at) + _elsewhere_blockers(action))
        attempt = _open_attempt(taken, action, by_hand=is_by_hand(action))
        kind = Kind.ACTION_STARTED if attempt.by_hand else Kind.ACTION_QUEUED
        verb = "Begun by hand" if attempt.by_hand else "Queued"
        taken.record(kind, f"{verb}: {action}", action=action.key, attempt=str(attempt.pk), digest=attempt.digest)
    return attempt


def _open_attempt(taken: Taken, action: Action, *, by_hand: bool) -> Attempt:
    chosen = _confirmed_target(taken)
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


def live_attempt(action: Action) -> Attempt | None:
    return next((attempt for attempt in action.attempts.all() if attempt.state in LIVE), None)


def complete_blockers(action: Action, by: Any, at: Any) -> list[str]:
    live = live_attempt(action)
    if live and not live.by_hand:
        return [f"“{action}” is with its connector: wait for its result or abort it."]
    return [] if live else dispatch_blockers(action, by, at)


def complete(action: Action, *, succeeded: bool, result: str, by: Any) -> None:
    """The owner records what came of an action done by hand. What was done is written down, also when it failed."""
    with step(action.incident, Act.COMPLETE_ACTION, by=by, owner=Role(action.owner)) as taken:
        action = _fresh(taken, action)
        result = taken.said(result, "Write what was done and what it showed.", longest=RESULT)
        taken.refuse_if(complete_blockers(action, by, taken.at))
        attempt = live_attempt(action)
        if attempt is None:
            taken.refuse_if(_elsewhere_blockers(action))
            attempt = _open_attempt(taken, action, by_hand=True)
        attempt.state = AttemptState.SUCCEEDED if succeeded else AttemptState.FAILED
        attempt.finished_at, attempt.sentence = taken.at, result
        attempt.save(update_fields=["state", "finished_at", "sentence"])
        settle_action(taken, action, succeeded, result)
        taken.record(
            Kind.ACTION_SUCCEEDED if succeeded else Kind.ACTION_FAILED,
            f"{'Done by hand' if succeeded else 'Failed by hand'}: {action}",
            action=action.key,
            attempt=str(attempt.pk),
            result=result,
            by_hand=True,
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
        action = _fresh(taken, action)
        taken.refuse_if(abort_blockers(action))
        reason = taken.said(reason)
        live = live_attempt(action)
        assert live  # noqa: S101 - abort_blockers() settled it
        changed = Attempt.objects.filter(pk=live.pk, state=live.state, epoch=live.epoch).update(
            state=AttemptState.CANCELLED, finished_at=taken.at, sentence=reason
        )
        taken.refuse_if([] if changed else [f"“{action}” has just been started."])
        action.state = ActionState.PLANNED
        action.save(update_fields=["state"])
        if live.by_hand and action.changes_state:
            taken.note_change()
        taken.record(
            Kind.ACTION_CANCELLED, f"Aborted: {action}", action=action.key, attempt=str(live.pk), reason=reason
        )


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
        action = _fresh(taken, action)
        taken.refuse_if(waive_blockers(action))
        if waiver_needs_second(action) and second is None:
            raise Denied(f"{taken.incident.level.label} makes “{action}” due: waiving it needs a second person.")
        reason = taken.said(reason)
        action.state, action.result, action.finished_at = ActionState.WAIVED, reason, taken.at
        action.save(update_fields=["state", "result", "finished_at"])
        taken.record(Kind.ACTION_WAIVED, f"Waived: {action}", action=action.key, reason=reason)


_LOOKED_AT = (
    "actions__connector",
    "actions__attempts",
    "actions__approvals__by",
    "memberships",
    "targets__confirmations",
)

# Shared -------------------------------------------------------------------------------------------------------------


def _fresh(taken: Taken, action: Action) -> Action:
    """The action as it is now, with everything its blockers look at."""
    prefetch_related_objects([taken.incident], *_LOOKED_AT)
    found = next((row for row in taken.incident.actions.all() if row.pk == action.pk), None)
    if found is None:
        raise Refused(f"“{action}” is no longer part of the plan.")
    return found


def _confirmed_target(taken: Taken) -> Target:
    chosen = targets.current(taken.incident)
    taken.refuse_if(plan_blockers(taken.incident))
    assert chosen  # noqa: S101 - plan_blockers() settled it
    return chosen


def open_actions(incident: Incident) -> Iterable[Action]:
    return [action for action in incident.actions.all() if not action.is_settled]
