"""A dry run: asked for by a person, made by a worker, bound to exactly what would run. It changes nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from incidents.models import Action, Rehearsal
from incidents.models.verify import RUNNING
from incidents.steps import kill_switch, lease
from incidents.steps import target as targets
from incidents.steps.base import step, step_of_portal
from incidents.steps.rollback.approval import confirmed_target, fresh, spec_digest
from incidents.steps.rollback.blockers import is_by_hand
from incidents.steps.rollback.plan import plan_blockers
from incidents.steps.text import RESULT, kept
from incidents.terms import Act, ActionState, AttemptState, Kind, Phase

_READ_WITH = ("action__incident__product", "action__connector", "target", "by")


def rehearse_blockers(action: Action) -> list[str]:
    """Why no dry run can be asked for now."""
    if found := plan_blockers(action.incident):
        return found
    if is_by_hand(action):
        return [f"“{action}” is done by hand: there is nothing that could say what it would do."]
    if action.state not in (ActionState.PLANNED, ActionState.FAILED):
        return [f"“{action}” is {action.get_state_display().lower()}: a dry run comes before that."]
    if action.connector and not action.connector.enabled:
        return [f"The connector “{action.connector}” is switched off."]
    if any(rehearsal.state in RUNNING for rehearsal in action.rehearsals.all()):
        return [f"A dry run of “{action}” is under way."]
    return kill_switch.blockers(action.incident)


def ask_for_rehearsal(action: Action, *, by: Any) -> Rehearsal:
    """Queue a dry run of exactly what would run now."""
    with step(action.incident, Act.REHEARSE_ACTION, by=by) as taken:
        action = fresh(taken, action)
        taken.refuse_if(rehearse_blockers(action))
        chosen = confirmed_target(taken)
        rehearsal = Rehearsal.objects.create(
            action=action, target=chosen, digest=spec_digest(action, chosen), by=by, asked_at=taken.at
        )
        taken.record(Kind.ACTION_REHEARSED, f"Dry run asked for: {action}", **_said_of(rehearsal))
    return rehearsal


def _said_of(rehearsal: Rehearsal) -> dict[str, Any]:
    return {
        "action": rehearsal.action.key,
        "rehearsal": str(rehearsal.pk),
        "digest": rehearsal.digest,
        "state": str(rehearsal.state),
    }


def claim_rehearsal(rehearsal_id: UUID | str, worker: str) -> tuple[Rehearsal, int] | None:
    """Take a queued dry run; None when someone else has it."""
    return lease.claim(Rehearsal.objects.select_related(*_READ_WITH).filter(pk=rehearsal_id), worker)


def rehearsal_objection(rehearsal: Rehearsal) -> str:
    """Why a dry run is not made any more, although it was asked for; empty when it is."""
    action, incident = rehearsal.action, rehearsal.action.incident
    if incident.phase != Phase.ROLLING_BACK:
        return f"Nothing was asked: the incident is {Phase(incident.phase).label.lower()} now."
    chosen = targets.current(incident)
    if chosen is None or spec_digest(action, chosen) != rehearsal.digest:
        return "Nothing was asked: the action or its target has changed since."
    if action.connector is None or not action.connector.enabled:
        return "Nothing was asked: the connector has been switched off."
    return "".join(kill_switch.blockers(incident))


def is_rehearsal_alive(rehearsal: Rehearsal, epoch: int) -> bool:
    return lease.renew(lease.held(rehearsal, epoch))


def settle_rehearsal(
    rehearsal: Rehearsal, epoch: int, *, succeeded: bool, sentence: str, output: str = "", **facts: Any
) -> None:
    """Write what the outside system said it would do.

    Args:
        facts: `output_dropped` (bytes) and `output_sha256`, as the connector gave them.

    Raises:
        TakenOver: the dry run is no longer held; nothing is written.
    """
    sentence = kept(sentence)[:RESULT]
    with step_of_portal(rehearsal.action.incident_id, Act.RUN_ACTION) as taken:
        rehearsal.state = AttemptState.SUCCEEDED if succeeded else AttemptState.FAILED
        written = lease.held(rehearsal, epoch).update(
            state=rehearsal.state, sentence=sentence, finished_at=taken.at, output=kept(output), **facts
        )
        if not written:
            raise lease.TakenOver("This dry run was taken over.")
        taken.record(
            Kind.ACTION_REHEARSED,
            f"Dry run of {rehearsal.action}: {sentence[:300]}",
            **_said_of(rehearsal),
            result=sentence,
            output_sha256=facts.get("output_sha256", ""),
        )
