"""Step 3, execute technical rollback: the plan from level and runbook, who agreed to it, and running it."""

from incidents.steps.rollback.approval import approve, approve_blockers, needs_second, spec_digest, valid_approval
from incidents.steps.rollback.blockers import dispatch_blockers, is_by_hand, live_attempt, order_blockers
from incidents.steps.rollback.plan import add_action, fit_plan_to_level, make_plan, open_actions, plan_blockers
from incidents.steps.rollback.rehearsal import (
    ask_for_rehearsal,
    claim_rehearsal,
    is_rehearsal_alive,
    rehearsal_objection,
    rehearse_blockers,
    settle_rehearsal,
)
from incidents.steps.rollback.running import (
    abort,
    abort_blockers,
    complete,
    complete_blockers,
    dispatch,
    moved,
    settle_action,
)
from incidents.steps.rollback.waiver import waive, waive_blockers, waiver_needs_second

__all__ = [
    "abort",
    "abort_blockers",
    "add_action",
    "approve",
    "approve_blockers",
    "ask_for_rehearsal",
    "claim_rehearsal",
    "complete",
    "complete_blockers",
    "dispatch",
    "dispatch_blockers",
    "fit_plan_to_level",
    "is_by_hand",
    "is_rehearsal_alive",
    "live_attempt",
    "make_plan",
    "moved",
    "needs_second",
    "open_actions",
    "order_blockers",
    "plan_blockers",
    "rehearsal_objection",
    "rehearse_blockers",
    "settle_action",
    "settle_rehearsal",
    "spec_digest",
    "valid_approval",
    "waive",
    "waive_blockers",
    "waiver_needs_second",
]
