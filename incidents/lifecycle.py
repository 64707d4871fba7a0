"""Which phase may follow which, and in which phases an act makes sense. docs/lifecycle.md is drawn from it."""

from __future__ import annotations

from incidents.terms import Act, Phase

NEXT: dict[Phase, frozenset[Phase]] = {
    Phase.DECLARED: frozenset({Phase.TARGETED, Phase.ROLLING_BACK, Phase.STOOD_DOWN}),
    Phase.TARGETED: frozenset({Phase.DECLARED, Phase.ROLLING_BACK, Phase.STOOD_DOWN}),
    Phase.ROLLING_BACK: frozenset({Phase.DECLARED, Phase.VERIFYING, Phase.STOOD_DOWN}),
    Phase.VERIFYING: frozenset({Phase.DECLARED, Phase.ROLLING_BACK, Phase.UNFREEZING, Phase.REVIEW}),
    Phase.UNFREEZING: frozenset({Phase.ROLLING_BACK, Phase.REVIEW}),
    Phase.REVIEW: frozenset({Phase.CLOSED}),
    Phase.CLOSED: frozenset(),
    Phase.STOOD_DOWN: frozenset(),
}

_BEFORE_PLAN = frozenset({Phase.DECLARED, Phase.TARGETED})
_WORKING = frozenset({Phase.ROLLING_BACK, Phase.VERIFYING})
_ROLLBACK = _BEFORE_PLAN | _WORKING
FROZEN = _ROLLBACK | {Phase.UNFREEZING}
OPEN = FROZEN | {Phase.REVIEW}
ENDED = frozenset({Phase.CLOSED, Phase.STOOD_DOWN})

ALLOWED: dict[Act, frozenset[Phase]] = {
    Act.ASSIGN_ROLE: OPEN,
    Act.ACCEPT_ROLE: OPEN,
    Act.HAND_OVER: OPEN,
    Act.TAKE_OVER: OPEN,
    Act.STEP_IN: OPEN,
    # What turns out to be delicate may do so in the review, or long after it.
    Act.LIMIT_KNOWLEDGE: frozenset(Phase),
    Act.RAISE_LEVEL: _ROLLBACK,
    Act.LOWER_LEVEL: _ROLLBACK,
    Act.STAND_DOWN: _BEFORE_PLAN | {Phase.ROLLING_BACK},
    Act.ADD_NOTE: OPEN,
    Act.DECLINE: OPEN,
    Act.ALLOW_EXCEPTION: FROZEN,
    Act.REVOKE_EXCEPTION: FROZEN,
    Act.CHOOSE_TARGET: _ROLLBACK,
    Act.CONFIRM_TARGET: frozenset({Phase.DECLARED}),
    Act.MAKE_PLAN: frozenset({Phase.TARGETED}),
    Act.ADD_ACTION: _WORKING,
    Act.APPROVE_ACTION: frozenset({Phase.ROLLING_BACK}),
    Act.DISPATCH_ACTION: frozenset({Phase.ROLLING_BACK}),
    Act.REHEARSE_ACTION: frozenset({Phase.ROLLING_BACK}),
    Act.COMPLETE_ACTION: frozenset({Phase.ROLLING_BACK}),
    Act.ABORT_ACTION: OPEN,
    Act.WAIVE_ACTION: frozenset({Phase.ROLLING_BACK}),
    Act.RESOLVE_UNKNOWN: FROZEN,
    Act.RUN_ACTION: frozenset(Phase),
    Act.TICK_CLEANUP: _WORKING,
    Act.ATTACH_EVIDENCE: _WORKING,
    Act.WAIVE_CLEANUP: _WORKING,
    Act.BEGIN_VERIFICATION: frozenset({Phase.ROLLING_BACK}),
    Act.REOPEN_ROLLBACK: frozenset({Phase.VERIFYING}),
    Act.RUN_GATE: frozenset({Phase.VERIFYING}),
    Act.RECORD_GATE: frozenset({Phase.VERIFYING}),
    # A check may come back after the incident has moved on; what it said is on record whenever it says it.
    Act.SETTLE_GATE: frozenset(Phase),
    Act.ACCEPT_BASELINE: frozenset({Phase.VERIFYING}),
    Act.ACCEPT_RISK: frozenset({Phase.VERIFYING}),
    Act.NAME_OWNER: _WORKING | {Phase.UNFREEZING},
    Act.ACCEPT_OWNERSHIP: _WORKING | {Phase.UNFREEZING},
    Act.LIFT: frozenset({Phase.VERIFYING, Phase.UNFREEZING}),
    Act.REFREEZE: frozenset({Phase.UNFREEZING}),
    Act.SEND_NOTICE: OPEN | {Phase.STOOD_DOWN},
    # Mail servers may keep a copy waiting for a day, longer than the incident is open.
    Act.SETTLE_NOTICE: frozenset(Phase),
    Act.WRITE_SUMMARY: OPEN,
    Act.ADD_FOLLOW_UP: OPEN,
    Act.ADD_SAFEGUARD: OPEN,
    Act.CLOSE: frozenset({Phase.REVIEW}),
    Act.CORRECT: frozenset(Phase),
    # A request for erasure may come years later.
    Act.ERASE: frozenset(Phase),
    Act.VERIFY_FOREIGN: OPEN,
    Act.ANNOTATE_FOREIGN: OPEN,
}


def refusal(act: Act, phase: Phase) -> str:
    """Why the act makes no sense in this phase, as a sentence; empty when it does."""
    allowed = ALLOWED[act]
    if phase in allowed:
        return ""
    when = " or ".join(str(p.label).lower() for p in Phase if p in allowed)
    return f"“{act.label}” is possible while the incident is {when}; it is {phase.label.lower()}."
