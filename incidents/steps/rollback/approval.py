"""What will run, and the second person who agreed to exactly that."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.db.models import prefetch_related_objects

from incidents import policy
from incidents.models import Action, Approval, Incident, Target
from incidents.steps import target as targets
from incidents.steps.base import Refused, Taken, step
from incidents.steps.rollback.plan import plan_blockers
from incidents.terms import Act, ActionState, Kind


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
        action = fresh(taken, action)
        chosen = confirmed_target(taken)
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
        taken.record(
            Kind.ACTION_APPROVED,
            f"Approved: {action}",
            action=action.key,
            approval=approval.pk,
            digest=current,
            expires_at=approval.expires_at.isoformat(),
        )
    return approval


_LOOKED_AT = (
    "actions__connector",
    "actions__attempts",
    "actions__approvals__by",
    "memberships",
    "targets__confirmations",
)


def fresh(taken: Taken, action: Action) -> Action:
    """The action as it is now, with everything its blockers look at."""
    prefetch_related_objects([taken.incident], *_LOOKED_AT)
    found = next((row for row in taken.incident.actions.all() if row.pk == action.pk), None)
    if found is None:
        raise Refused(f"“{action}” is no longer part of the plan.")
    return found


def confirmed_target(taken: Taken) -> Target:
    chosen = targets.current(taken.incident)
    taken.refuse_if(plan_blockers(taken.incident))
    assert chosen  # noqa: S101 - plan_blockers() settled it
    return chosen
