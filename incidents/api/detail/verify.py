"""The gates with their last run, and what was accepted instead of a pass."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from incidents.api.shapes import Person, person
from incidents.board import GateState
from incidents.models import GateRun
from incidents.steps import verify
from incidents.terms import AttemptState, BlockerKind, GateOutcome, Role


class RunRow(BaseModel):
    id: str
    state: AttemptState
    outcome: GateOutcome
    sentence: str
    by: Person
    asked_at: datetime
    recorded_at: datetime | None
    target: str
    output: str
    output_sha256: str


class BaselineRow(BaseModel):
    failing_step: str
    kind: BlockerKind
    proof: str
    not_executed: str
    accepted_at: datetime


class RiskRow(BaseModel):
    reason: str
    by: Person
    second: Person
    accepted_at: datetime


class GateStatus(BaseModel):
    key: str
    name: str
    owner: Role
    can_run: bool = Field(description="Wired to a probe or command; else it is recorded by hand.")
    is_running: bool
    is_stale: bool = Field(description="The last run is older than the target or the last change.")
    last_run: RunRow | None
    baseline_blocker: BaselineRow | None
    accepted_risk: RiskRow | None
    blockers: list[str]


def gate_status(state: GateState) -> GateStatus:
    gate, run, risk = state.gate, state.run, state.risk
    blocker = getattr(run, "baseline_blocker", None)
    return GateStatus(
        key=gate.key,
        name=gate.name,
        owner=Role(gate.owner),
        can_run=verify.can_run(gate),
        is_running=state.running is not None,
        is_stale=state.is_stale,
        last_run=_run(run) if run else None,
        baseline_blocker=BaselineRow.model_validate(blocker, from_attributes=True) if blocker else None,
        accepted_risk=RiskRow(
            reason=risk.reason, by=person(risk.by), second=person(risk.second), accepted_at=risk.accepted_at
        )
        if risk
        else None,
        blockers=state.blockers,
    )


def _run(run: GateRun) -> RunRow:
    names = ("sentence", "asked_at", "recorded_at", "output", "output_sha256")
    return RunRow(
        id=str(run.pk),
        state=AttemptState(run.state),
        outcome=GateOutcome(run.outcome),
        by=person(run.by),
        target=run.target.identifier,
        **{name: getattr(run, name) for name in names},
    )
