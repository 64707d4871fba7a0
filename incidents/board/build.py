"""Boards from incidents: everything a war room shows, computed from rows read in one statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from incidents import clock, lifecycle
from incidents.board import states
from incidents.board.blockers import blockers
from incidents.board.board import Board
from incidents.board.load import along, load_all
from incidents.board.rail import rail
from incidents.board.timeline import TIMELINE_ROWS, lines, timeline
from incidents.evidence import log
from incidents.models import Incident
from incidents.steps import deliver, unfreeze
from incidents.steps import target as targets
from incidents.terms import Kind, Role


def of(incident: Incident, *, timeline_rows: int = TIMELINE_ROWS, kinds: Collection[Kind] | None = None) -> Board:
    """The board of one incident.

    Args:
        timeline_rows: how many lines of the log it shows.
        kinds: only lines of these kinds; costs a statement of its own.
    """
    [board] = boards([incident], timeline_rows=0 if kinds else timeline_rows)
    if kinds:
        board.timeline = timeline(incident, limit=timeline_rows, kinds=kinds)
    return board


def boards(incidents: Sequence[Incident], *, timeline_rows: int = 0) -> list[Board]:
    """The boards of several incidents, from one statement for all of them."""
    load_all(incidents, output=False, recent=timeline_rows)
    at = clock.now()
    return [built(incident, at) for incident in incidents]


def read_board(incident: Incident) -> Board | None:
    """The board of an incident that has been read whole, without reading again; None where it has not."""
    return built(incident, clock.now()) if along(incident) else None


def built(incident: Incident, at: datetime) -> Board:
    """The board of an incident that `load` has read already."""
    read = along(incident)
    assert read  # noqa: S101 - whoever calls this has loaded the incident
    chosen = targets.current(incident)
    preconditions = unfreeze.preconditions(incident, at)
    recovered = all(precondition.holds for precondition in preconditions if precondition.key != "informed")
    open_ = incident.phase not in lifecycle.ENDED
    due_at = unfreeze.next_update_due(incident) if open_ else None
    issued = log.notices_of(incident, Kind.NOTICE_ISSUED)
    board = Board(
        incident=incident,
        at=at,
        freeze=incident.freeze,
        measures=states.measure_states(incident),
        exceptions=[e for e in incident.freeze.exceptions.all() if e.revoked_at is None and e.expires_at > at],
        target=chosen,
        confirmations=states.confirmation_states(incident, chosen),
        lanes=states.lanes(incident, at),
        areas=[states.area_state(incident, area) for area in incident.book.cleanup],
        gates=[states.gate_state(gate) for gate in incident.gates.all()],
        preconditions=preconditions,
        stages=unfreeze.stages(incident),
        owners=[owner for owner in incident.cycle_owners.all() if owner.replaced_at is None],
        proposals=[p for p in incident.proposals.all() if p.decided_at is None and p.expires_at > at],
        next_update_at=due_at,
        next_notice=states.next_notice(issued, due_at, is_recovered=recovered) if open_ else None,
        timeline=lines(reversed(read.recent), read.names),
        head=incident.chain,
        deliverables=incident.book.deliverables,
        undelivered=deliver.missing(incident),
        roster=read.roster,
    )
    _owe_updates(board)
    board.blockers = blockers(board)
    board.rail = rail(incident, "war_room", board)
    return board


def _owe_updates(board: Board) -> None:
    duty = states.inform_duty(board)
    for lane in board.lanes:
        if duty and lane.role == Role.COMMUNICATIONS_OWNER:
            lane.duties.append(duty)
