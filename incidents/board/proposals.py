"""What waits for a second person, and the blockers as one person needs them: theirs first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from incidents import policy
from incidents.board.board import Board
from incidents.board.parts import Blocker, ProposalState
from incidents.models import Proposal
from incidents.steps import four_eyes
from incidents.terms import Act, Role

AT_LEAST = 5
_PRESSING = ("unknown", "bad")
_NO_SIGNER = "The commander or a lead of this incident confirms it."


def proposals_for(board: Board, held: frozenset[Role], user: Any) -> list[ProposalState]:
    """The incident's open proposals; those that this person can decide come first."""
    found = [_state(board, proposal, held, user) for proposal in board.proposals]
    return sorted(found, key=lambda proposal: not proposal.can_confirm)


def _state(board: Board, proposal: Proposal, held: frozenset[Role], user: Any) -> ProposalState:
    reason = str(proposal.arguments.get("reason", ""))
    blockers = four_eyes.confirm_blockers(proposal, user, board.at)
    return ProposalState(
        what=proposal.sentence.removesuffix(f": {reason}"),
        why=reason,
        by=proposal.proposed_by,
        at=proposal.proposed_at,
        expires_at=proposal.expires_at,
        pk=proposal.pk,
        act=str(Act(proposal.act).label),
        why_not=blockers[0] if blockers else "" if held & policy.COUNTER_SIGNERS else _NO_SIGNER,
        can_withdraw=proposal.proposed_by_id == user.pk and policy.role_for(held, Act.DECLINE) is not None,
    )


@dataclass(frozen=True)
class Shown:
    """Blockers for one person: what is theirs and what presses most, then the rest by who clears it."""

    first: list[Blocker]
    rest: list[tuple[str, list[Blocker]]]

    @property
    def folded(self) -> int:
        return sum(len(found) for _, found in self.rest)


def shown(board: Board, held: frozenset[Role], user: Any) -> Shown:
    """Twenty blockers stay readable: mine first, then what is unknown or failed, the rest folded by owner."""
    mine = [replace(b, who="you") for b in board.blockers if b.is_for(held, user.pk) and b.kind != "wait"]
    others = [b for b in board.blockers if not b.is_for(held, user.pk) or b.kind == "wait"]
    first = mine + [b for b in others if b.kind in _PRESSING]
    rest = [b for b in others if b.kind not in _PRESSING]
    room = max(0, AT_LEAST - len(first))
    if len(rest) <= room + 1:
        room = len(rest)
    folded = sorted(rest[room:], key=lambda b: b.who)
    return Shown(first + rest[:room], [(who, list(found)) for who, found in groupby(folded, key=lambda b: b.who)])
