"""How an attempt moves: queued → leased → started → succeeded | failed | unknown, each by compare-and-set.

`started` is committed before the first byte leaves, so a lost worker leaves `unknown`, never a silent second run.
"""

from incidents.steps.attempts.claiming import Claim, Fenced, claim, due, held_up_by, next_after, waiting
from incidents.steps.attempts.deciding import decidable_at, resolve, resolve_blockers
from incidents.steps.attempts.ending import give_back, is_alive, report, send_again, settle, sweep
from incidents.steps.attempts.starting import start, warm_up

__all__ = [
    "Claim",
    "Fenced",
    "claim",
    "decidable_at",
    "due",
    "give_back",
    "held_up_by",
    "is_alive",
    "next_after",
    "report",
    "resolve",
    "resolve_blockers",
    "send_again",
    "settle",
    "start",
    "sweep",
    "waiting",
    "warm_up",
]
