"""How each part of an incident stands, from rows that are already read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse

from incidents.board.board import Board
from incidents.board.parts import AreaState, ConfirmationState, Duty, GateState, Lane, MeasureState
from incidents.models import Action, Attempt, Gate, Incident, Target
from incidents.models.verify import RUNNING
from incidents.runbook.content import CleanupArea
from incidents.steps import cleanup, rollback, verify
from incidents.terms import ActionState, AttemptState, Measure, NoticeKind, Role


def measure_states(incident: Incident) -> list[MeasureState]:
    rows = list(incident.freeze.measures.all())
    return [
        MeasureState(measure, incident.book.measures[measure], [row for row in rows if row.measure == measure])
        for measure in Measure
    ]


def confirmation_states(incident: Incident, chosen: Target | None) -> list[ConfirmationState]:
    done = {row.aspect: row for row in chosen.confirmations.all()} if chosen else {}
    return [ConfirmationState(text, done.get(aspect)) for aspect, text in incident.book.confirmations.items()]


def area_state(incident: Incident, area: CleanupArea) -> AreaState:
    exhibits = list(incident.exhibits.all())
    evidence = [
        (wanted.key, wanted.name, [e for e in exhibits if e.subject == cleanup.subject(wanted.key)])
        for wanted in area.evidence
    ]
    items = [item for item in incident.cleanup_items.all() if item.area == area.key]
    return AreaState(area, items, evidence, cleanup.missing(incident, area))


def gate_state(gate: Gate) -> GateState:
    run = verify.last_run(gate)
    return GateState(
        gate=gate,
        run=run,
        running=next((found for found in gate.runs.all() if found.state in RUNNING), None),
        risk=verify.risk_of(gate),
        is_stale=run is not None and not verify.is_current(gate.incident, run),
        blockers=verify.gate_blockers(gate),
    )


# Lanes: a role, who holds it, what it owes ---------------------------------------------------------------------------


def lanes(incident: Incident, at: datetime | None = None) -> list[Lane]:
    held = {row.role: row for row in incident.memberships.all() if row.ended_at is None}
    actions = list(incident.actions.all())
    return [
        Lane(
            role,
            incident.book.roles[role],
            held.get(role),
            [action for action in actions if action.owner == role],
            [_duty(action, at) for action in actions if action.owner == role] if at else [],
        )
        for role in Role
    ]


def inform_duty(board: Board) -> Duty | None:
    """What the Communications Owner owes next."""
    if board.next_notice is None:
        return None
    words = f"Send update {board.next_notice.value}: {board.next_notice.label.lower()}"
    url = reverse("comms:notices", args=[board.incident.reference])
    return Duty(words, url, "bad" if board.is_update_overdue else "due", due_at=board.next_update_at)


def next_notice(issued: list[dict[str, Any]], due_at: datetime | None, *, is_recovered: bool) -> NoticeKind | None:
    """Which of the runbook's updates comes next; None after the last.

    Args:
        due_at: when the next one was promised; a promise after C means that the rollback was taken up again.
    """
    kinds = {body["notice"] for body in issued}
    if NoticeKind.STAND_DOWN in kinds or (NoticeKind.C in kinds and due_at is None):
        return None
    if NoticeKind.A not in kinds:
        return NoticeKind.A
    return NoticeKind.C if is_recovered and NoticeKind.B in kinds else NoticeKind.B


_KINDS = {
    ActionState.SUCCEEDED: "ok",
    ActionState.WAIVED: "muted",
    ActionState.RUNNING: "run",
    ActionState.FAILED: "bad",
    ActionState.UNKNOWN: "unknown",
}


def _duty(action: Action, at: datetime) -> Duty:
    state = ActionState(action.state)
    url = reverse("incidents:action", args=[action.incident.reference, action.key])
    attempt = next(iter(reversed(action.attempts.all())), None)
    if state == ActionState.PLANNED:
        kind, word = planned_state(action, at)
        return Duty(str(action), url, kind, word)
    word = "" if state == ActionState.SUCCEEDED else str(state.label).lower()
    since = (attempt.started_at or attempt.queued_at) if attempt and state == ActionState.RUNNING else None
    return Duty(str(action), url, _KINDS[state], word, at=action.finished_at, took=_took(attempt), since=since)


def planned_state(action: Action, at: datetime) -> tuple[str, str]:
    """Whether a planned action is due, and what it waits for otherwise."""
    before = [o for o in action.incident.actions.all() if o.stage < action.stage and not o.is_settled]
    if before:
        return "wait", f"after stage {max(other.stage for other in before)}"
    if rollback.needs_second(action):
        chosen = next((row for row in action.incident.targets.all() if row.replaced_at is None), None)
        if chosen and not rollback.valid_approval(action, rollback.spec_digest(action, chosen), at):
            return "due", "second person"
    return "due", "next"


def _took(attempt: Attempt | None) -> timedelta | None:
    if attempt is None or attempt.state != AttemptState.SUCCEEDED or attempt.by_hand:
        return None
    begun, ended = attempt.started_at, attempt.finished_at
    return ended - begun if begun and ended else None
