"""Authority and shape as tables: which role may do what, what a level makes due, what needs a second person."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from enum import StrEnum

from incidents.terms import Act, Level, Role, Track

LEADS = frozenset({Role.API_LEAD, Role.INFRASTRUCTURE_LEAD, Role.DATA_EVIDENCE_LEAD, Role.SECURITY_LEAD})
ALL_ROLES = frozenset(Role)
_COMMANDER = frozenset({Role.COMMANDER})
_INFORMERS = frozenset({Role.COMMUNICATIONS_OWNER, Role.COMMANDER})

# Acts whose owner is named by the thing itself: an action's owner role, a confirmation's lead, a cleanup area's lead.
OWNED = frozenset(
    {
        Act.CONFIRM_TARGET,
        Act.DISPATCH_ACTION,
        Act.COMPLETE_ACTION,
        Act.WAIVE_ACTION,
        Act.TICK_CLEANUP,
        Act.ATTACH_EVIDENCE,
        Act.WAIVE_CLEANUP,
    }
)

# Acts of which a person's own assignment is the authority, not a role already accepted.
PERSONAL = frozenset({Act.ACCEPT_ROLE, Act.TAKE_OVER, Act.STEP_IN, Act.ACCEPT_OWNERSHIP})

ROLES: dict[Act, frozenset[Role]] = {
    Act.ASSIGN_ROLE: _COMMANDER,
    Act.HAND_OVER: ALL_ROLES,
    Act.RAISE_LEVEL: _COMMANDER,
    Act.LOWER_LEVEL: _COMMANDER,
    Act.STAND_DOWN: _COMMANDER,
    Act.LIMIT_KNOWLEDGE: _COMMANDER,
    Act.ADD_NOTE: ALL_ROLES,
    Act.DECLINE: _COMMANDER | LEADS,
    Act.ALLOW_EXCEPTION: _COMMANDER | LEADS,
    Act.REVOKE_EXCEPTION: _COMMANDER | LEADS,
    Act.CHOOSE_TARGET: _COMMANDER | {Role.API_LEAD},
    Act.MAKE_PLAN: _COMMANDER,
    Act.ADD_ACTION: _COMMANDER | LEADS,
    Act.APPROVE_ACTION: _COMMANDER | LEADS,
    Act.REHEARSE_ACTION: _COMMANDER | LEADS,
    Act.ABORT_ACTION: _COMMANDER | LEADS,
    Act.RESOLVE_UNKNOWN: _COMMANDER | LEADS,
    Act.BEGIN_VERIFICATION: _COMMANDER,
    Act.REOPEN_ROLLBACK: _COMMANDER,
    Act.RUN_GATE: _COMMANDER | LEADS,
    Act.RECORD_GATE: _COMMANDER | LEADS,
    Act.ACCEPT_BASELINE: _COMMANDER,
    Act.ACCEPT_RISK: _COMMANDER,
    Act.NAME_OWNER: _COMMANDER,
    Act.LIFT: _COMMANDER,
    Act.REFREEZE: _COMMANDER,
    Act.SEND_NOTICE: _INFORMERS,
    Act.WRITE_SUMMARY: _COMMANDER,
    Act.ADD_FOLLOW_UP: ALL_ROLES,
    Act.ADD_SAFEGUARD: ALL_ROLES,
    Act.CLOSE: _COMMANDER,
    Act.CORRECT: _COMMANDER,
    Act.ERASE: _COMMANDER | {Role.SECURITY_LEAD},
    Act.VERIFY_FOREIGN: _COMMANDER | {Role.DATA_EVIDENCE_LEAD},
    Act.ANNOTATE_FOREIGN: _COMMANDER | {Role.DATA_EVIDENCE_LEAD},
}

# Acts the portal does on its own behalf, after a person asked for them: a worker settles, a sweep repeats.
SYSTEM = frozenset({Act.RUN_ACTION, Act.SETTLE_GATE, Act.SEND_NOTICE, Act.SETTLE_NOTICE})

COUNTER_SIGNERS = _COMMANDER | LEADS
APPROVAL_LASTS = timedelta(minutes=30)
PROPOSAL_LASTS = timedelta(hours=2)


class Due(StrEnum):
    """What a level asks of one track of actions."""

    DUE = "due"
    WAIVABLE = "waivable"
    ABSENT = "absent"


_DUE_FROM = {
    Track.APPLICATION: Level.L1,
    Track.INFRASTRUCTURE: Level.L1,
    Track.DATA: Level.L2,
    Track.EVIDENCE: Level.L3,
    Track.CREDENTIALS: Level.L3,
}
CHAIN_VALIDATION = "3d-chain"
ADDED = "added-"  # how the keys of actions begin that people add to a plan


def due(level: Level, track: Track, action_key: str = "") -> Due:
    """What the level makes of an action (DESIGN §4): due, to be waived with a reason, or not part of the plan."""
    if action_key == CHAIN_VALIDATION or level.height >= _DUE_FROM[track].height:
        return Due.DUE
    return Due.ABSENT if track == Track.EVIDENCE else Due.WAIVABLE


def dispatch_needs_second(level: Level, *, destructive: bool) -> bool:
    return destructive or level == Level.L3


def action_waiver_needs_second(level: Level, track: Track, action_key: str) -> bool:
    return due(level, track, action_key) == Due.DUE


def cleanup_waiver_needs_second(level: Level) -> bool:
    return level == Level.L3


# Acts that always wait for a second person; the three above depend on the level or the thing.
FOUR_EYES = frozenset(
    {Act.ALLOW_EXCEPTION, Act.LOWER_LEVEL, Act.STAND_DOWN, Act.ACCEPT_RISK, Act.RESOLVE_UNKNOWN, Act.ERASE}
)


def role_for(held: Collection[Role], act: Act, owner: Role | None = None) -> Role | None:
    """The role among `held` that carries the act, or None. `owner` is the role that an owned act belongs to."""
    allowed: Iterable[Role] = (owner,) if act in OWNED and owner else ROLES.get(act, frozenset())
    return next((role for role in Role if role in held and role in allowed), None)


def who_may(act: Act, owner: Role | None = None) -> str:
    """The roles that may do it, in words: `Incident Commander or API Lead`."""
    allowed = (owner,) if act in OWNED and owner else [role for role in Role if role in ROLES.get(act, ())]
    return " or ".join(str(role.label) for role in allowed if role)
