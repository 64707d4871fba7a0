"""The plan: the actions that level and runbook ask for, and what is added to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from incidents import policy
from incidents.models import Action, Incident, Wiring
from incidents.policy import Due
from incidents.runbook.content import ActionText
from incidents.steps import target as targets
from incidents.steps.base import step, store
from incidents.terms import Act, ActionState, Kind, Phase, Role, Track


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
            Kind.ACTION_ADDED,
            f"Action added: {action}",
            action=action.key,
            name=name,
            track=track,
            owner=owner,
            stage=stage,
            destructive=destructive,
            reason=reason,
        )
    return action


def _listed_already(incident: Incident, track: Track, name: str) -> list[str]:
    same = [action for action in incident.actions.filter(track=track, name=name) if not action.is_settled]
    return [f"“{action}” is in the plan already." for action in same[:1]]


def open_actions(incident: Incident) -> Iterable[Action]:
    return [action for action in incident.actions.all() if not action.is_settled]
