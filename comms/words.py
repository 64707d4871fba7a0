"""The words of an update, drawn from the facts: what each placeholder of the runbook's templates says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from comms.clean import one_line
from comms.facts import Facts
from comms.facts.values import ActionFact, GateFact
from incidents.clock import utc_text
from incidents.terms import ActionState, AttemptState


def values(facts: Facts, *, at: datetime, next_update_at: datetime | None) -> dict[str, str]:
    """The single placeholders, each one line: a value cannot begin a line of its own."""
    found = {
        "product": facts.product,
        "now": utc_text(at),
        "reference": facts.reference,
        "incident_url": facts.url,
        "trigger_summary": f"{facts.trigger}: {facts.summary}".rstrip("."),
        "scope_level": str(facts.level),
        "freeze_scope": ", ".join(dict.fromkeys(m.name.lower() for m in facts.measures if not m.lifted_at)) or "none",
        "commander": f"{facts.commander}, {facts.roles[0].name}",
        "next_update": utc_text(next_update_at) if next_update_at else "none planned",
        "target": str(facts.target) if facts.target else "not chosen yet",
        "completed_at": utc_text(completed_at(facts)),
        "verification_status": verification_status(facts),
        "review_owner": facts.review_owner,
    }
    return {name: one_line(value) for name, value in found.items()}


def lists(facts: Facts) -> dict[str, list[str]]:
    """The list placeholders, a line an item."""
    found = {
        "actions_completed": actions_completed(facts),
        "actions_in_progress": actions_in_progress(facts),
        "risks": risks(facts),
        "remaining_risks": remaining_risks(facts),
        "unfreeze_scope": unfreeze_scope(facts),
    }
    return {name: [one_line(item) for item in items] for name, items in found.items()}


def completed_at(facts: Facts) -> datetime:
    """When the last action ended: from then on the target runs."""
    return max((action.finished_at for action in facts.actions if action.finished_at), default=facts.changed_at)


def actions_completed(facts: Facts) -> list[str]:
    done = [a for a in facts.actions if a.state == ActionState.SUCCEEDED]
    waived = [a for a in facts.actions if a.state == ActionState.WAIVED]
    return [_done(action) for action in done] + [f"{action} (waived: {action.result})" for action in waived]


def _done(action: ActionFact) -> str:
    return f"{action} ({action.finished_at:%H:%M} UTC)" if action.finished_at else str(action)


def actions_in_progress(facts: Facts) -> list[str]:
    running = [action for action in facts.actions if action.state == ActionState.RUNNING]
    return [f"{action} ({action.owner}{_since(action)})" for action in running]


def _since(action: ActionFact) -> str:
    last = action.attempts[-1] if action.attempts else None
    if last is None or last.state == AttemptState.QUEUED or last.begun_at is None:
        return ", queued"
    return f", since {last.begun_at:%H:%M} UTC"


def risks(facts: Facts) -> list[str]:
    """What may go wrong, the worst first: unknown and failed actions, gates that do not hold, open exceptions."""
    unknown = [f"Outcome unknown: {a}" for a in facts.actions if a.state == ActionState.UNKNOWN]
    failed = [f"Failed: {a}" for a in facts.actions if a.state == ActionState.FAILED]
    gates = [f"Gate {g.name}: {g.word.lower()}" for g in facts.gates if g.state == "bad" and not g.holds]
    let_through = [
        f"Let through the freeze: {e.subject} ({e.measure.lower()}, until {utc_text(e.expires_at)})"
        for e in facts.exceptions
        if e.revoked_at is None and e.expires_at > facts.read_at
    ]
    return unknown + failed + gates + accepted(facts.gates) + let_through


def accepted(gates: Iterable[GateFact]) -> list[str]:
    """Baseline blockers and accepted risks: what does not pass and is known."""
    found = []
    for gate in gates:
        if gate.baseline:
            blocker = gate.baseline
            found.append(
                f"Known baseline blocker at {gate.name}: {blocker.failing_step} ({blocker.kind}); "
                f"not executed: {blocker.not_executed}"
            )
        if gate.risk:
            found.append(f"Accepted risk at {gate.name}: {gate.risk.reason}")
    return found


def remaining_risks(facts: Facts) -> list[str]:
    follow_ups = [
        f"Follow-up {f.number} ({f.priority}): {f.title}, {f.owner}, due {f.due_on.isoformat()}"
        for f in facts.follow_ups
    ]
    return accepted(facts.gates) + follow_ups


def unfreeze_scope(facts: Facts) -> list[str]:
    """What is open already and what the commander opens next, stage by stage."""
    return [
        f"{stage.name} (open since {stage.lifted_at:%H:%M} UTC)" if stage.lifted_at else f"{stage.name} (opens next)"
        for stage in facts.stages
    ]


def verification_status(facts: Facts) -> str:
    passing = sum(gate.passes for gate in facts.gates)
    words = [f"{passing} of {len(facts.gates)} gates pass"]
    words += [f"accepted risk at {gate.name}" for gate in facts.gates if gate.risk]
    words += [f"{gate.name}: {gate.word.lower()}" for gate in facts.gates if not gate.holds]
    return "; ".join(words)
