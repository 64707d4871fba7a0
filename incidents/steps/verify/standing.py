"""What a gate says now."""

from __future__ import annotations

from incidents.models import AcceptedRisk, Gate, GateRun, Incident, Target
from incidents.models.verify import RUNNING
from incidents.steps import target as targets
from incidents.steps.base import Refused, Taken
from incidents.terms import GateOutcome


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


def fresh(taken: Taken, gate: Gate) -> Gate:
    """The gate as it is now, of the locked incident: nothing that was read before the lock decides."""
    found = Gate.objects.select_related("connector").get(pk=gate.pk, incident=taken.incident)
    found.incident = taken.incident
    return found


def target_of(incident: Incident) -> Target:
    chosen = targets.current(incident)
    if chosen is None:
        raise Refused("No target has been chosen yet.")
    return chosen
