"""Step 2, identify the rollback target: the last known good commit, build or deployment, confirmed three times."""

from __future__ import annotations

from typing import Any

from incidents.models import Attempt, Confirmation, Incident, Target
from incidents.steps.base import Taken, step, store
from incidents.terms import Act, ActionState, Aspect, AttemptState, Kind, Phase, Role, TargetKind

REPLACED = "The target was replaced before it started."


def current(incident: Incident) -> Target | None:
    return next((chosen for chosen in incident.targets.all() if chosen.replaced_at is None), None)


def choose_blockers(incident: Incident, identifier: str) -> list[str]:
    found = []
    chosen = current(incident)
    if chosen and chosen.identifier == identifier.strip():
        found.append(f"{chosen} is already the target.")
    running = incident.actions.filter(
        attempts__state__in=[AttemptState.LEASED, AttemptState.STARTED, AttemptState.UNKNOWN]
    ).distinct()
    found += [f"“{action}” is running or its outcome is unknown: settle it first." for action in running]
    return found


def choose(incident: Incident, *, kind: TargetKind, identifier: str, reason: str, by: Any) -> Target:
    """Choose the last known good commit, build or deployment. A target chosen before stays on record as replaced."""
    with step(incident, Act.CHOOSE_TARGET, by=by) as taken:
        taken.refuse_if([] if identifier.strip() else ["Name the commit, build or deployment."])
        taken.refuse_if(choose_blockers(taken.incident, identifier))
        reason = taken.said(reason, "Say why this is the last known good.")
        replaced = current(taken.incident)
        undone = _replace(taken, replaced) if replaced else {}
        chosen = store(
            Target(
                incident=taken.incident,
                kind=kind,
                identifier=identifier.strip(),
                reason=reason,
                chosen_by=by,
                chosen_at=taken.at,
            )
        )
        taken.record(
            Kind.TARGET_CHOSEN,
            f"Target chosen: {chosen}",
            target=chosen.identifier,
            target_id=chosen.pk,
            target_kind=kind,
            reason=reason,
            replaces=replaced.identifier if replaced else None,
            **undone,
        )
    return chosen


def _replace(taken: Taken, replaced: Target) -> dict[str, Any]:
    """What ran for the old target is due again for the new one, once that is confirmed. Returns what the log says."""
    replaced.replaced_at = taken.at
    replaced.save(update_fields=["replaced_at"])
    # By ids: in an UPDATE over a join, PostgreSQL does not look again at the state of a row just claimed.
    actions = list(taken.incident.actions.values_list("pk", flat=True))
    Attempt.objects.filter(action__in=actions, state=AttemptState.QUEUED).update(
        state=AttemptState.CANCELLED, finished_at=taken.at, sentence=REPLACED
    )
    cancelled = Attempt.objects.filter(action__in=actions, state=AttemptState.CANCELLED, finished_at=taken.at)
    again = taken.incident.actions.exclude(state__in=[ActionState.WAIVED])
    due_again = list(again.values_list("key", flat=True))
    again.update(state=ActionState.PLANNED, result="", finished_at=None)
    taken.note_change()
    taken.move_to(Phase.DECLARED)
    return {
        "replaces_id": replaced.pk,
        "due_again": due_again,
        "cancelled": [str(pk) for pk in cancelled.values_list("pk", flat=True)],
    }


def blockers(target: Target | None, aspect: Aspect) -> list[str]:
    """Why this aspect cannot be confirmed now."""
    if target is None:
        return ["No target has been chosen yet."]
    done = any(confirmation.aspect == aspect for confirmation in target.confirmations.all())
    return [f"{aspect.label} is already confirmed for {target}."] if done else []


def owner_of(incident: Incident, aspect: Aspect) -> Role:
    return incident.book.confirmations[aspect].owner


def confirm(incident: Incident, aspect: Aspect, *, by: Any, note: str) -> None:
    """Record that the owning lead checked one aspect of the target; the third makes the incident targeted."""
    with step(incident, Act.CONFIRM_TARGET, by=by, owner=owner_of(incident, aspect)) as taken:
        chosen = current(taken.incident)
        taken.refuse_if(blockers(chosen, aspect))
        note = taken.said(note, "Write what you checked, and what it showed.")
        assert chosen  # noqa: S101 - blockers() settled it
        assert taken.role  # noqa: S101 - step() settled it
        Confirmation.objects.create(
            target=chosen, aspect=aspect, note=note, by=by, role=taken.role, confirmed_at=taken.at
        )
        if is_confirmed(chosen):
            taken.move_to(Phase.ROLLING_BACK if taken.incident.actions.exists() else Phase.TARGETED)
        taken.record(
            Kind.TARGET_CONFIRMED,
            f"{aspect.label} confirmed for {chosen}",
            target=chosen.identifier,
            target_id=chosen.pk,
            aspect=aspect,
            note=note,
        )


def is_confirmed(target: Target) -> bool:
    return len(target.confirmations.all()) == len(Aspect)
