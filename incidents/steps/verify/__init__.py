"""Step 4, verification gates: run or recorded, passing only for the target and the last change they saw."""

from incidents.steps.lease import TakenOver
from incidents.steps.verify.exceptions import accept_baseline, accept_risk, baseline_blockers, risk_blockers
from incidents.steps.verify.phase import begin, begin_blockers, lay_out, reopen_rollback
from incidents.steps.verify.runs import (
    ask_for_run,
    can_run,
    claim,
    due,
    evidence_blockers,
    is_alive,
    is_wanted,
    record_blockers,
    record_by_hand,
    run_blockers,
    settle,
    sweep,
)
from incidents.steps.verify.standing import blockers, gate_blockers, is_current, last_run, risk_of

__all__ = [
    "TakenOver",
    "accept_baseline",
    "accept_risk",
    "ask_for_run",
    "baseline_blockers",
    "begin",
    "begin_blockers",
    "blockers",
    "can_run",
    "claim",
    "due",
    "evidence_blockers",
    "gate_blockers",
    "is_alive",
    "is_current",
    "is_wanted",
    "last_run",
    "lay_out",
    "record_blockers",
    "record_by_hand",
    "reopen_rollback",
    "risk_blockers",
    "risk_of",
    "run_blockers",
    "settle",
    "sweep",
]
