"""Who holds which role, how it came to be, and what one person may do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incidents import lifecycle, policy
from incidents.board.board import Board
from incidents.board.parts import Lane
from incidents.models import Membership
from incidents.terms import Act, Phase, Role


@dataclass(frozen=True)
class Post:
    """One role: its lane, who held it before, who else stands ready, and the acts that one person is offered."""

    lane: Lane
    past: list[Membership]
    deputies: list[Any]
    acts: list[str]

    @property
    def role(self) -> Role:
        return self.lane.role


def staffing(board: Board, held: frozenset[Role], user: Any) -> list[Post]:
    """The six roles as one person sees them. The steps ask again; this only shapes the page."""
    return [_post(board, lane, held, user) for lane in board.lanes]


def _post(board: Board, lane: Lane, held: frozenset[Role], user: Any) -> Post:
    members = [row for row in board.incident.memberships.all() if row.role == lane.role]
    ready = [entry.user for entry in board.roster if entry.role == lane.role]
    holder = lane.membership.user if lane.membership else None
    return Post(
        lane=lane,
        past=[row for row in reversed(members) if row.ended_at],
        deputies=[person for person in ready if person != holder],
        acts=_acts(lane, held, user, user in ready) if Phase(board.incident.phase) in lifecycle.OPEN else [],
    )


def _acts(lane: Lane, held: frozenset[Role], user: Any, stands_ready: bool) -> list[str]:
    commands = policy.role_for(held, Act.ASSIGN_ROLE) is not None
    holds = lane.membership is not None and lane.membership.user_id == user.pk
    offers = {
        "accept": holds and not lane.is_accepted,
        "take_over": stands_ready and not holds,
        "assign": commands and not lane.is_accepted and lane.role != Role.COMMANDER,
        "hand_over": lane.is_accepted and (commands or holds),
    }
    return [act for act, is_offered in offers.items() if is_offered]
