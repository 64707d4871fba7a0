"""Runs of a gate: asked for and claimed by a worker, or recorded by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from incidents import clock
from incidents.models import Gate, GateRun
from incidents.models.verify import RUNNING
from incidents.steps import event_time, lease
from incidents.steps.base import Refused, step, store
from incidents.steps.lease import TakenOver
from incidents.steps.text import RESULT, kept
from incidents.steps.verify.standing import fresh, target_of
from incidents.terms import Act, AttemptState, ConnectorKind, GateOutcome, Kind, Phase


def can_run(gate: Gate) -> bool:
    return gate.connector is not None and gate.connector.enabled and gate.connector.kind != ConnectorKind.MANUAL


def run_blockers(gate: Gate) -> list[str]:
    """Why no run can be asked for now."""
    if any(run.state in RUNNING for run in gate.runs.all()):
        return [f"“{gate}” is running already."]
    return []


def record_blockers(gate: Gate) -> list[str]:
    """Why the gate cannot be recorded by hand now. A run that no worker has is withdrawn: nobody waits for a worker."""
    held = [run for run in gate.runs.all() if run.state in RUNNING and not _is_waiting(run)]
    return [f"“{gate}” is running already."] if held else []


def _is_waiting(run: GateRun) -> bool:
    lapsed = run.lease_until is not None and run.lease_until < clock.now()
    return run.state == AttemptState.QUEUED or (run.state == AttemptState.LEASED and lapsed)


def _withdraw(gate: Gate) -> str | None:
    """Cancel the run that waits, if there is one and no worker has just taken it."""
    for run in gate.runs.all():
        if run.state in RUNNING:
            held = GateRun.objects.filter(pk=run.pk, state=run.state, epoch=run.epoch)
            if not held.update(state=AttemptState.CANCELLED):
                raise Refused(f"“{gate}” is running already.")
            return str(run.pk)
    return None


def ask_for_run(gate: Gate, *, by: Any) -> GateRun:
    """Queue a run of a gate that a probe or a command can check."""
    with step(gate.incident, Act.RUN_GATE, by=by) as taken:
        gate = fresh(taken, gate)
        taken.refuse_if([] if can_run(gate) else [f"“{gate}” is not wired to a probe or command: record it by hand."])
        taken.refuse_if(run_blockers(gate))
        run = GateRun.objects.create(
            gate=gate,
            target=target_of(taken.incident),
            change_number=taken.incident.change_number,
            state=AttemptState.QUEUED,
            by=by,
            asked_at=taken.at,
        )
        taken.record(Kind.GATE_QUEUED, f"Run asked for: {gate}", **_said_of(run))
    return run


def _said_of(run: GateRun) -> dict[str, Any]:
    """What the log says of a run when it begins: for which target and which state of the system it counts."""
    return {
        "gate": run.gate.key,
        "run": str(run.pk),
        "target": run.target.identifier,
        "target_id": run.target_id,
        "change_number": run.change_number,
    }


def record_by_hand(
    gate: Gate, *, outcome: GateOutcome, note: str, by: Any, happened_at: datetime | None = None
) -> GateRun:
    """Record what a person saw; the evidence for it is attached under `gate:<key>`.

    Args:
        happened_at: when it was run, where that is not now. What ran before the last change says nothing of it.
    """
    with step(gate.incident, Act.RECORD_GATE, by=by) as taken:
        gate = fresh(taken, gate)
        taken.refuse_if(record_blockers(gate))
        taken.refuse_if([] if outcome != GateOutcome.NOT_RUN else ["Record pass, fail or error."])
        taken.refuse_if(evidence_blockers(gate))
        note = taken.said(note, "Write what was run and what it showed.", longest=RESULT)
        taken.refuse_if(_too_early(gate, happened_at))
        event = event_time.fact(taken, happened_at)
        taken.refuse_repeat(Kind.GATE_RECORDED, gate=gate.key, outcome=outcome, note=note, **event)
        withdrawn = _withdraw(gate)
        run = store(
            GateRun(
                gate=gate,
                target=target_of(taken.incident),
                change_number=taken.incident.change_number,
                state=AttemptState.SUCCEEDED,
                outcome=outcome,
                sentence=note,
                by=by,
                asked_at=taken.at,
                recorded_at=taken.at,
            )
        )
        taken.record(
            Kind.GATE_RECORDED,
            f"{gate}: {outcome.label.lower()}, recorded by hand",
            **_said_of(run),
            outcome=outcome,
            note=note,
            by_hand=True,
            instead_of=withdrawn,
            **event,
        )
    return run


def _too_early(gate: Gate, happened_at: datetime | None) -> list[str]:
    changed_at = gate.incident.changed_at
    if happened_at is None or happened_at >= changed_at:
        return []
    return [f"“{gate}” has to run after the last change of the system, {clock.utc_text(changed_at)}."]


def evidence_blockers(gate: Gate) -> list[str]:
    """A gate recorded by hand shows evidence that was brought after the last change."""
    since = gate.incident.changed_at
    brought = gate.incident.exhibits.filter(subject=f"gate:{gate.key}", added_at__gte=since).exists()
    return [] if brought else [f"“{gate}” needs evidence from after the last change: a file, a link or a text."]


def claim(run_id: UUID | str, worker: str) -> tuple[GateRun, int] | None:
    """Take a queued gate run; None when someone else has it."""
    rows = GateRun.objects.select_related("gate__incident__product", "gate__connector", "target")
    return lease.claim(rows.filter(pk=run_id), worker)


def is_wanted(run: GateRun, epoch: int) -> bool:
    """Whether a claimed run should be made. One that waited until the incident moved on is dropped, on record.

    Raises:
        TakenOver: the run is no longer held.
    """
    if run.gate.incident.phase == Phase.VERIFYING:
        return True
    with step(run.gate.incident, Act.SETTLE_GATE, by=None) as taken:
        if not lease.held(run, epoch).update(state=AttemptState.CANCELLED):
            raise TakenOver("This run was taken over.")
        phase = Phase(taken.incident.phase).label.lower()
        taken.record(
            Kind.GATE_RECORDED,
            f"{run.gate}: not run. The incident is {phase} now.",
            gate=run.gate.key,
            run=str(run.pk),
            outcome=GateOutcome.NOT_RUN,
            target=run.target.identifier,
        )
    return False


def is_alive(run: GateRun, epoch: int) -> bool:
    return lease.renew(lease.held(run, epoch))


def settle(run: GateRun, epoch: int, outcome: GateOutcome, sentence: str, **facts: Any) -> bool:
    """Write what the probe or command said. Checks change nothing, so a lost run is simply asked for again.

    Raises:
        TakenOver: the run is no longer held; nothing is written.
    """
    sentence, facts = kept(sentence), kept(facts)
    with step(run.gate.incident, Act.SETTLE_GATE, by=None) as taken:
        written = lease.held(run, epoch).update(
            state=AttemptState.SUCCEEDED, outcome=outcome, sentence=sentence[:RESULT], recorded_at=taken.at, **facts
        )
        if not written:
            raise TakenOver("This run was taken over.")
        taken.record(
            Kind.GATE_RECORDED,
            f"{run.gate}: {outcome.label.lower()}. {sentence[:300]}",
            gate=run.gate.key,
            run=str(run.pk),
            outcome=outcome,
            target=run.target.identifier,
            result=sentence[:RESULT],
            output_sha256=facts.get("output_sha256", ""),
        )
    return True


def due() -> Any:
    return lease.due(GateRun)


def sweep() -> int:
    return lease.sweep(GateRun)
