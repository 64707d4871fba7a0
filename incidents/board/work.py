"""What waits for one person, across incidents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from incidents import clock, lifecycle
from incidents.board.board import Board
from incidents.board.build import boards, built
from incidents.board.load import along
from incidents.board.parts import Blocker
from incidents.board.places import page
from incidents.models import CycleOwner, Incident, Membership
from incidents.terms import Role


def open_for(user: Any) -> Any:
    """The open incidents in which the person holds, or is asked to take, a role or next-cycle work."""
    held = Membership.objects.filter(user=user, ended_at=None).values("incident")
    owned = CycleOwner.objects.filter(user=user, replaced_at=None).values("incident")
    mine = Incident.objects.filter(Q(pk__in=held) | Q(pk__in=owned), phase__in=lifecycle.OPEN)
    return mine.select_related("product", "runbook").order_by("-pk")


def work_of(user: Any, incidents: Iterable[Incident]) -> list[tuple[Incident, list[Blocker]]]:
    """For each open incident: what waits for this person, by the roles they hold. One statement for all of them."""
    return [(board.incident, waiting_for(user, board)) for board in boards(list(incidents))]


@dataclass(frozen=True)
class Work:
    """One open incident as it waits for one person."""

    board: Board
    duties: list[Blocker]
    roles: list[str]


def works_of(user: Any) -> list[Work]:
    """Everything that waits for a person, the incidents with most to do first."""
    found = [
        Work(
            board,
            waiting_for(user, board),
            [lane.text.name for lane in board.lanes if lane.membership and lane.membership.user_id == user.pk],
        )
        for board in boards(list(open_for(user)))
    ]
    return sorted(found, key=lambda work: (work.board.incident.drill, not work.duties))


def work_count(user: Any, read: Incident | None = None) -> int:
    """How many things wait for this person.

    Args:
        read: an incident that the page has loaded, which is then not read again.
    """
    mine = list(open_for(user))
    if not mine:
        return 0
    known = read if read and along(read) and any(incident.pk == read.pk for incident in mine) else None
    found = boards([incident for incident in mine if known is None or incident.pk != known.pk])
    if known:
        found.append(built(known, clock.now()))
    return sum(len(waiting_for(user, board)) for board in found)


def waiting_for(user: Any, board: Board) -> list[Blocker]:
    """What this person can do now: roles to accept first, then what their roles owe."""
    held = frozenset(
        lane.role for lane in board.lanes if lane.is_accepted and lane.membership and lane.membership.user_id == user.pk
    )
    owed = [blocker for blocker in board.blockers if blocker.kind != "wait" and blocker.is_for(held, user.pk)]
    return _personal(board, user) + owed


def _personal(board: Board, user: Any) -> list[Blocker]:
    return [
        *(
            Blocker(f"Accept the role {lane.role.label}.", _role_page(board, lane.role), "you", "due", "Accept")
            for lane in board.lanes
            if lane.membership and lane.membership.user_id == user.pk and not lane.is_accepted
        ),
        *(
            Blocker(
                f"Accept the next cycle's work of the {Role(owner.area).label}.",
                page(board, "incidents:unfreeze"),
                "you",
                "due",
                "Accept",
            )
            for owner in board.owners
            if owner.user_id == user.pk and owner.accepted_at is None and board.incident.phase in lifecycle.FROZEN
        ),
    ]


def _role_page(board: Board, role: Role) -> str:
    return f"{page(board, 'incidents:roles')}#{role.value}"
