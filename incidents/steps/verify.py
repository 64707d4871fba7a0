"""Step 4, verification gates: run or recorded, passing only for the target and the last change they saw."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Now

from incidents import clock
from incidents.models import (
    AcceptedRisk,
    BaselineBlocker,
    Gate,
    GateRun,
    Incident,
    Target,
    Wiring,
)
from incidents.models.verify import RUNNING
from incidents.steps import cleanup, rollback
from incidents.steps import target as targets
from incidents.steps.base import Refused, Taken, step, store
from incidents.steps.text import RESULT, kept
from incidents.terms import (
    Act,
    AttemptState,
    BlockerKind,
    ConnectorKind,
    GateOutcome,
    Kind,
    Phase,
)

RING_AGAIN_SECONDS = 20


class TakenOver(Refused):
    """Another worker, the sweep, or a person who recorded the gate by hand, was first."""


def lay_out(incident: Incident) -> None:
    """Put the runbook's gates into the incident. Part of the declare transaction."""
    wiring = {row.key: row for row in Wiring.objects.filter(product=incident.product).select_related("connector")}
    Gate.objects.bulk_create(
        Gate(
            incident=incident,
            key=text.key,
            name=text.name,
            owner=text.owner,
            allows_baseline_blocker=text.allows_baseline_blocker,
            connector=wiring[text.key].connector if text.key in wiring else None,
            arguments=wiring[text.key].arguments if text.key in wiring else {},
        )
        for text in incident.book.gates
    )


# Into verification and back -----------------------------------------------------------------------------------------


def begin_blockers(incident: Incident) -> list[str]:
    """The technical rollback comes first: open actions and cleanup, one sentence each."""
    found = [f"“{action}” is {action.get_state_display().lower()}." for action in rollback.open_actions(incident)]
    return found + cleanup.blockers(incident)


def begin(incident: Incident, *, by: Any) -> None:
    """The commander says the technical rollback is complete and the gates are due."""
    with step(incident, Act.BEGIN_VERIFICATION, by=by) as taken:
        taken.refuse_if(begin_blockers(taken.incident))
        taken.move_to(Phase.VERIFYING)
        taken.record(Kind.VERIFICATION_BEGUN, "Verification begun")


def reopen_rollback(incident: Incident, *, by: Any, reason: str) -> None:
    """Go back to rolling back: something was not right after all."""
    with step(incident, Act.REOPEN_ROLLBACK, by=by) as taken:
        reason = taken.said(reason)
        taken.move_to(Phase.ROLLING_BACK)
        taken.record(Kind.ROLLBACK_REOPENED, f"Back to rolling back: {reason}", reason=reason)


# Runs ---------------------------------------------------------------------------------------------------------------


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
        gate = _fresh(taken, gate)
        taken.refuse_if([] if can_run(gate) else [f"“{gate}” is not wired to a probe or command: record it by hand."])
        taken.refuse_if(run_blockers(gate))
        run = GateRun.objects.create(
            gate=gate,
            target=_target(taken.incident),
            change_number=taken.incident.change_number,
            state=AttemptState.QUEUED,
            by=by,
            asked_at=taken.at,
        )
        taken.record(Kind.GATE_QUEUED, f"Run asked for: {gate}", gate=gate.key, run=str(run.pk))
    return run


def record_by_hand(gate: Gate, *, outcome: GateOutcome, note: str, by: Any) -> GateRun:
    """Record what a person saw; the evidence for it is attached under `gate:<key>`."""
    with step(gate.incident, Act.RECORD_GATE, by=by) as taken:
        gate = _fresh(taken, gate)
        taken.refuse_if(record_blockers(gate))
        taken.refuse_if([] if outcome != GateOutcome.NOT_RUN else ["Record pass, fail or error."])
        taken.refuse_if(evidence_blockers(gate))
        note = taken.said(note, "Write what was run and what it showed.", longest=RESULT)
        taken.refuse_repeat(Kind.GATE_RECORDED, gate=gate.key, outcome=outcome, note=note)
        withdrawn = _withdraw(gate)
        run = store(
            GateRun(
                gate=gate,
                target=_target(taken.incident),
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
            gate=gate.key,
            run=str(run.pk),
            outcome=outcome,
            note=note,
            target=run.target.identifier,
            by_hand=True,
            instead_of=withdrawn,
        )
    return run


def evidence_blockers(gate: Gate) -> list[str]:
    """A gate recorded by hand shows evidence that was brought after the last change."""
    since = gate.incident.changed_at
    brought = gate.incident.exhibits.filter(subject=f"gate:{gate.key}", added_at__gte=since).exists()
    return [] if brought else [f"“{gate}” needs evidence from after the last change: a file, a link or a text."]


def claim(run_id: UUID | str, worker: str) -> tuple[GateRun, int] | None:
    """Take a queued gate run; None when someone else has it."""
    lease = Now() + timedelta(seconds=settings.ATTEMPT_LEASE_SECONDS)
    run = (
        GateRun.objects.select_related("gate__incident__product", "gate__connector", "target").filter(pk=run_id).first()
    )
    if run is None:
        return None
    queued = GateRun.objects.filter(pk=run.pk, state=AttemptState.QUEUED, epoch=run.epoch)
    won = queued.update(state=AttemptState.LEASED, epoch=F("epoch") + 1, lease_owner=worker[:80], lease_until=lease)
    return (run, run.epoch + 1) if won else None


def is_wanted(run: GateRun, epoch: int) -> bool:
    """Whether a claimed run should be made. One that waited until the incident moved on is dropped, on record.

    Raises:
        TakenOver: the run is no longer held.
    """
    if run.gate.incident.phase == Phase.VERIFYING:
        return True
    with step(run.gate.incident, Act.SETTLE_GATE, by=None) as taken:
        held = GateRun.objects.filter(pk=run.pk, state=AttemptState.LEASED, epoch=epoch)
        if not held.update(state=AttemptState.CANCELLED):
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
    lease = Now() + timedelta(seconds=settings.ATTEMPT_LEASE_SECONDS)
    held = GateRun.objects.filter(pk=run.pk, state=AttemptState.LEASED, epoch=epoch)
    return held.update(lease_until=lease) == 1


def settle(run: GateRun, epoch: int, outcome: GateOutcome, sentence: str, **facts: Any) -> bool:
    """Write what the probe or command said. Checks change nothing, so a lost run is simply asked for again.

    Raises:
        TakenOver: the run is no longer held; nothing is written.
    """
    sentence, facts = kept(sentence), kept(facts)
    with step(run.gate.incident, Act.SETTLE_GATE, by=None) as taken:
        held = GateRun.objects.filter(pk=run.pk, state=AttemptState.LEASED, epoch=epoch)
        written = held.update(
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
            output_sha256=facts.get("output_sha256", ""),
        )
    return True


def due() -> Any:
    long_ago = Now() - timedelta(seconds=RING_AGAIN_SECONDS)
    queued = GateRun.objects.filter(state=AttemptState.QUEUED)
    return queued.filter(Q(rung_at=None, asked_at__lt=long_ago) | Q(rung_at__lt=long_ago))


def sweep() -> int:
    lapsed = GateRun.objects.filter(state=AttemptState.LEASED, lease_until__lt=Now())
    return lapsed.update(state=AttemptState.QUEUED, lease_owner="", rung_at=None)


# What a gate says now -----------------------------------------------------------------------------------------------


def last_run(gate: Gate) -> GateRun | None:
    finished = [run for run in gate.runs.all() if run.recorded_at]
    return finished[-1] if finished else None


def is_current(incident: Incident, run: GateRun | AcceptedRisk) -> bool:
    """A run counts only for the target and the last state-changing act that it was run after."""
    chosen = targets.current(incident)
    return run.change_number == incident.change_number and chosen is not None and run.target_id == chosen.pk


def risk_of(gate: Gate) -> AcceptedRisk | None:
    risks = [risk for risk in gate.accepted_risks.all() if is_current(gate.incident, risk)]
    return risks[-1] if risks else None


def gate_blockers(gate: Gate) -> list[str]:
    """Why this gate still blocks unfreeze; empty when it passes or its risk is accepted."""
    if any(run.state in RUNNING for run in gate.runs.all()):
        return [f"“{gate}” is running: wait for what it says."]
    if risk_of(gate):
        return []
    run = last_run(gate)
    if run is None:
        return [f"“{gate}” has not run."]
    if not is_current(gate.incident, run):
        return [f"“{gate}” is stale: the target or the system changed after it ran."]
    if run.outcome == GateOutcome.PASS:
        return []
    return [f"“{gate}” ended as {GateOutcome(run.outcome).label.lower()}: run it again, or accept the risk."]


def blockers(incident: Incident) -> list[str]:
    return [sentence for gate in incident.gates.all() for sentence in gate_blockers(gate)]


# Exceptions to a pass -----------------------------------------------------------------------------------------------


def baseline_blockers(gate: Gate) -> list[str]:
    run = last_run(gate)
    if not gate.allows_baseline_blocker:
        return [f"The runbook knows no baseline blocker for “{gate}”."]
    if run is None or run.outcome not in (GateOutcome.FAIL, GateOutcome.ERROR):
        return [f"“{gate}” has no recorded failure to explain."]
    return ["This failure is already explained."] if hasattr(run, "baseline_blocker") else []


def accept_baseline(
    gate: Gate, *, failing_step: str, kind: BlockerKind, proof: str, not_executed: str, by: Any
) -> BaselineBlocker:
    """Capture a failure as older than the cycle (runbook, step 4). It stays a failure: the risk is accepted apart."""
    with step(gate.incident, Act.ACCEPT_BASELINE, by=by) as taken:
        gate = _fresh(taken, gate)
        taken.refuse_if(baseline_blockers(gate))
        failing_step = taken.said(failing_step, "Name the step that fails.")
        proof = taken.said(proof, "Say what proves that the failure is older than the cycle.", longest=RESULT)
        run = last_run(gate)
        assert run  # noqa: S101 - baseline_blockers() settled it
        blocker = store(
            BaselineBlocker(
                run=run,
                failing_step=failing_step,
                kind=kind,
                proof=proof,
                not_executed=not_executed,
                accepted_by=by,
                accepted_at=taken.at,
            )
        )
        taken.record(
            Kind.BASELINE_ACCEPTED,
            f"Baseline blocker of {gate}: {blocker}",
            gate=gate.key,
            run=str(run.pk),
            failing_step=failing_step,
            blocker_kind=kind,
            proof=proof,
            not_executed=not_executed,
        )
    return blocker


def risk_blockers(gate: Gate) -> list[str]:
    run = last_run(gate)
    if run is None or not is_current(gate.incident, run):
        return [f"Run “{gate}” first: a risk is accepted for an outcome one has seen."]
    if run.outcome == GateOutcome.PASS:
        return [f"“{gate}” passes: there is no risk to accept."]
    return ["This risk is already accepted."] if risk_of(gate) else []


def accept_risk(gate: Gate, *, reason: str, by: Any, second: Any) -> AcceptedRisk:
    """The commander signs off a gate that does not pass, with a second person. The next change voids it."""
    with step(gate.incident, Act.ACCEPT_RISK, by=by, second=second) as taken:
        gate = _fresh(taken, gate)
        taken.refuse_if(risk_blockers(gate))
        reason = taken.said(reason)
        risk = AcceptedRisk.objects.create(
            gate=gate,
            target=_target(taken.incident),
            change_number=taken.incident.change_number,
            reason=reason,
            by=by,
            second=second,
            accepted_at=taken.at,
        )
        taken.record(Kind.RISK_ACCEPTED, f"Risk accepted at {gate}: {reason}", gate=gate.key, reason=reason)
    return risk


def _fresh(taken: Taken, gate: Gate) -> Gate:
    """The gate as it is now, of the locked incident: nothing that was read before the lock decides."""
    found = Gate.objects.select_related("connector").get(pk=gate.pk, incident=taken.incident)
    found.incident = taken.incident
    return found


def _target(incident: Incident) -> Target:
    chosen = targets.current(incident)
    if chosen is None:
        raise Refused("No target has been chosen yet.")
    return chosen
