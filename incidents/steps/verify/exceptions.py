"""What is accepted instead of a pass: a baseline blocker explains, a risk is signed off."""

from __future__ import annotations

from typing import Any

from incidents.models import AcceptedRisk, BaselineBlocker, Gate
from incidents.steps.base import step, store
from incidents.steps.text import RESULT
from incidents.steps.verify.standing import fresh, is_current, last_run, risk_of, target_of
from incidents.terms import Act, BlockerKind, GateOutcome, Kind


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
        gate = fresh(taken, gate)
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
        gate = fresh(taken, gate)
        taken.refuse_if(risk_blockers(gate))
        reason = taken.said(reason)
        risk = AcceptedRisk.objects.create(
            gate=gate,
            target=target_of(taken.incident),
            change_number=taken.incident.change_number,
            reason=reason,
            by=by,
            second=second,
            accepted_at=taken.at,
        )
        taken.record(
            Kind.RISK_ACCEPTED,
            f"Risk accepted at {gate}: {reason}",
            gate=gate.key,
            risk=risk.pk,
            target_id=risk.target_id,
            change_number=risk.change_number,
            reason=reason,
        )
    return risk
