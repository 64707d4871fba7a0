"""How an attempt moves: queued → leased → started → succeeded | failed | unknown, each by compare-and-set.

`started` is committed before the first byte leaves, so a lost worker leaves `unknown`, never a silent second run.
Leases are judged by the database's clock (DESIGN §6).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from incidents import authority
from incidents.models import Action, Attempt, TargetFence
from incidents.steps import rollback
from incidents.steps import target as targets
from incidents.steps.base import Taken, step
from incidents.steps.text import RESULT, kept
from incidents.terms import Act, ActionState, AttemptState, Kind, Phase, Role

RING_AGAIN_SECONDS = 20
LOST = "The worker was lost after it had started the action."
UNKNOWN_MARGIN = timedelta(seconds=30)


@dataclass(frozen=True)
class Claim:
    """A worker's hold on one attempt: valid while state and epoch are what they were."""

    attempt_id: UUID
    epoch: int
    fence: int = 0


def _lease() -> Any:
    return Now() + timedelta(seconds=settings.ATTEMPT_LEASE_SECONDS)


def due() -> Any:
    """Queued attempts whose bell was never rung, or rung long ago."""
    long_ago = Now() - timedelta(seconds=RING_AGAIN_SECONDS)
    queued = Attempt.objects.filter(state=AttemptState.QUEUED)
    return queued.filter(Q(rung_at=None, queued_at__lt=long_ago) | Q(rung_at__lt=long_ago))


def claim(attempt_id: UUID | str, worker: str) -> Claim | None:
    """Take a queued attempt. One winner, whatever the broker delivered; None for everyone else."""
    attempt = Attempt.objects.filter(pk=attempt_id, state=AttemptState.QUEUED).first()
    if attempt is None:
        return None
    mine = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.QUEUED, epoch=attempt.epoch)
    try:
        with transaction.atomic():
            won = mine.update(
                state=AttemptState.LEASED, epoch=F("epoch") + 1, lease_owner=worker[:80], lease_until=_lease()
            )
    except IntegrityError:
        return None  # another attempt holds this target: it stays queued, the sweep rings again
    return Claim(attempt.pk, attempt.epoch + 1) if won else None


def start(claimed: Claim) -> Claim | None:
    """The point of no return, committed before any byte is sent. None: fenced off, or no longer allowed."""
    attempt = _loaded(claimed.attempt_id)
    with step(attempt.action.incident, Act.RUN_ACTION, by=None) as taken:
        attempt = _loaded(claimed.attempt_id)
        if objection := _objection(taken, attempt):
            _cancel(taken, attempt, claimed, objection)
            return None
        held = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.LEASED, epoch=claimed.epoch)
        fence = _bump(attempt.target_key)
        if not held.update(state=AttemptState.STARTED, started_at=Now(), lease_until=_lease(), fence=fence):
            raise Fenced
        if attempt.action.changes_state:
            taken.note_change()
        taken.record(
            Kind.ACTION_STARTED,
            f"Started: {attempt.action}",
            action=attempt.action.key,
            attempt=str(attempt.pk),
            epoch=claimed.epoch,
            fence=fence,
        )
    return Claim(claimed.attempt_id, claimed.epoch, fence)


class Fenced(Exception):
    """Another worker, or the sweep, took the attempt over."""


def _objection(taken: Taken, attempt: Attempt) -> str:
    """Why the attempt may not start any more, although it was queued."""
    incident, action = taken.incident, attempt.action
    chosen = targets.current(incident)
    if not settings.DISPATCH_ENABLED:
        return "Dispatch is switched off for this installation."
    if incident.phase != Phase.ROLLING_BACK:
        return f"The incident is {Phase(incident.phase).label.lower()} now."
    if chosen is None or chosen.pk != attempt.target_id or not targets.is_confirmed(chosen):
        return "The target has changed since the action was queued."
    if rollback.spec_digest(action, chosen) != attempt.digest:
        return "The action has changed since it was queued."
    if action.connector is None or not action.connector.enabled:
        return "The connector has been switched off."
    if authority.can(attempt.requested_by, Act.DISPATCH_ACTION, incident, Role(action.owner)) is None:
        return "Whoever dispatched the action no longer holds its role."
    if rollback.needs_second(action) and not _approver_holds(attempt, incident):
        return "Whoever approved the action no longer holds a role."
    return ""


def _approver_holds(attempt: Attempt, incident: Any) -> bool:
    approver = attempt.approved_by
    return approver is not None and authority.can(approver, Act.APPROVE_ACTION, incident) is not None


def _cancel(taken: Taken, attempt: Attempt, claimed: Claim, objection: str) -> None:
    held = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.LEASED, epoch=claimed.epoch)
    if not held.update(state=AttemptState.CANCELLED, finished_at=taken.at, sentence=objection):
        raise Fenced
    before = attempt.action.state
    Action.objects.filter(pk=attempt.action_id, state=ActionState.RUNNING).update(state=ActionState.PLANNED)
    taken.record(
        Kind.ACTION_CANCELLED,
        f"Not started: {attempt.action}. {objection}",
        action=attempt.action.key,
        attempt=str(attempt.pk),
        reason=objection,
        **rollback.moved(before, ActionState.PLANNED if before == ActionState.RUNNING else before),
    )


def _bump(target_key: str) -> int:
    TargetFence.objects.get_or_create(target_key=target_key)
    TargetFence.objects.filter(target_key=target_key).update(value=F("value") + 1)
    return TargetFence.objects.get(target_key=target_key).value


def is_alive(claimed: Claim) -> bool:
    """Renew the lease of a started attempt; False when it was taken away."""
    held = Attempt.objects.filter(pk=claimed.attempt_id, state=AttemptState.STARTED, epoch=claimed.epoch)
    return held.update(lease_until=_lease()) == 1


def give_back(claimed: Claim, *, started: bool) -> None:
    """Return an attempt of which provably nothing was sent to the queue. What the log calls started, it calls back."""
    held = Attempt.objects.filter(pk=claimed.attempt_id, epoch=claimed.epoch)
    queued = {"state": AttemptState.QUEUED, "lease_owner": "", "lease_until": None, "rung_at": Now()}
    if not started:
        held.filter(state=AttemptState.LEASED).update(**queued)
        return
    attempt = _loaded(claimed.attempt_id)
    with step(attempt.action.incident, Act.RUN_ACTION, by=None) as taken:
        if not held.filter(state=AttemptState.STARTED).update(**queued, started_at=None):
            raise Fenced
        taken.record(
            Kind.ACTION_QUEUED,
            f"Queued again, nothing was sent: {attempt.action}",
            action=attempt.action.key,
            attempt=str(attempt.pk),
            digest=attempt.digest,
            epoch=claimed.epoch,
        )


_KINDS = {
    AttemptState.SUCCEEDED: (Kind.ACTION_SUCCEEDED, "Done"),
    AttemptState.FAILED: (Kind.ACTION_FAILED, "Failed"),
    AttemptState.UNKNOWN: (Kind.ACTION_UNKNOWN, "Outcome unknown"),
}


def settle(claimed: Claim, state: AttemptState, sentence: str, **facts: Any) -> bool:
    """Write how a started attempt ended. A late result is recorded and changes nothing.

    Args:
        facts: `detail`, `output`, `output_dropped` (bytes), `output_sha256`, `remote_ref`, as the connector gave them.
    """
    attempt, sentence, facts = _loaded(claimed.attempt_id), kept(sentence), kept(facts)
    with step(attempt.action.incident, Act.RUN_ACTION, by=None) as taken:
        held = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.STARTED, epoch=claimed.epoch)
        if not held.update(state=state, finished_at=taken.at, sentence=sentence[:RESULT], **facts):
            taken.record(
                Kind.ACTION_LATE,
                f"Late result of {attempt.action}, not applied: {sentence[:300]}",
                action=attempt.action.key,
                attempt=str(attempt.pk),
                epoch=claimed.epoch,
                state=state,
            )
            return False
        _ended(taken, attempt, claimed, state, sentence, facts.get("output_sha256", ""))
    return True


def _ended(
    taken: Taken, attempt: Attempt, claimed: Claim, state: AttemptState, sentence: str, output_sha256: str = ""
) -> None:
    moved = _apply(taken, attempt.action, state, sentence)
    kind, word = _KINDS[state]
    taken.record(
        kind,
        f"{word}: {attempt.action}. {sentence[:300]}",
        action=attempt.action.key,
        attempt=str(attempt.pk),
        epoch=claimed.epoch,
        result=sentence[:RESULT],
        output_sha256=output_sha256,
        **moved,
    )


def _apply(taken: Taken, action: Action, state: AttemptState, sentence: str) -> dict[str, Any]:
    """Write an attempt's outcome onto its action. Returns the action's state before and after."""
    action = Action.objects.get(pk=action.pk)
    before = action.state
    if state == AttemptState.UNKNOWN:
        action.state, action.result = ActionState.UNKNOWN, sentence[:RESULT]
        action.save(update_fields=["state", "result"])
        if action.changes_state:
            taken.note_change()
    else:
        rollback.settle_action(taken, action, state == AttemptState.SUCCEEDED, sentence)
    return rollback.moved(before, action.state)


def sweep() -> tuple[int, int]:
    """Repeat what a lost worker left undone. Any number of sweeps may run at once.

    Returns:
        How many attempts went back to the queue, and how many became unknown.
    """
    lapsed = Attempt.objects.filter(state=AttemptState.LEASED, lease_until__lt=Now())
    requeued = lapsed.update(state=AttemptState.QUEUED, lease_owner="", rung_at=None)
    lost = Attempt.objects.filter(state=AttemptState.STARTED, by_hand=False, lease_until__lt=Now())
    found = [Claim(attempt_id, epoch) for attempt_id, epoch in lost.values_list("pk", "epoch")]
    return requeued, sum(map(_lose, found))


def _lose(claimed: Claim) -> bool:
    """Say that nobody knows; False when the worker renewed its lease meanwhile, or another sweep was first."""
    attempt = _loaded(claimed.attempt_id)
    try:
        with step(attempt.action.incident, Act.RUN_ACTION, by=None) as taken:
            held = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.STARTED, epoch=claimed.epoch)
            if not held.filter(lease_until__lt=Now()).update(
                state=AttemptState.UNKNOWN, finished_at=taken.at, sentence=LOST
            ):
                raise Fenced
            _ended(taken, attempt, claimed, AttemptState.UNKNOWN, LOST)
    except Fenced:
        return False
    return True


def resolve_blockers(attempt: Attempt, at: Any) -> list[str]:
    """Why an unknown outcome cannot be decided yet: the lost worker might still be at it."""
    if attempt.state != AttemptState.UNKNOWN:
        return ["The outcome of this attempt is not unknown."]
    seconds = attempt.action.connector.deadline_seconds if attempt.action.connector else 0
    free_at = (attempt.started_at or attempt.queued_at) + timedelta(seconds=seconds) + UNKNOWN_MARGIN
    return [f"Wait until {free_at:%H:%M:%S} UTC: until then the lost worker may still act."] if at < free_at else []


def resolve(attempt: Attempt, *, succeeded: bool, note: str, by: Any, second: Any) -> None:
    """Two people decide what an unknown attempt did, after looking at the outside system."""
    with step(attempt.action.incident, Act.RESOLVE_UNKNOWN, by=by, second=second) as taken:
        attempt = _loaded(attempt.pk)
        taken.refuse_if(resolve_blockers(attempt, taken.at))
        note = taken.said(note, "Write what you saw in the outside system.")
        state = AttemptState.SUCCEEDED if succeeded else AttemptState.FAILED
        Attempt.objects.filter(pk=attempt.pk, state=AttemptState.UNKNOWN).update(state=state, finished_at=taken.at)
        before = attempt.action.state
        rollback.settle_action(taken, attempt.action, succeeded, note)
        taken.record(
            Kind.ACTION_RESOLVED,
            f"Decided as {state.label.lower()}: {attempt.action}",
            action=attempt.action.key,
            attempt=str(attempt.pk),
            state=state,
            note=note,
            **rollback.moved(before, attempt.action.state),
        )


def _loaded(attempt_id: Any) -> Attempt:
    return Attempt.objects.select_related(
        "action__incident", "action__connector", "requested_by", "approved_by", "target"
    ).get(pk=attempt_id)
