"""The read side: incidents as people need them, from a constant number of statements."""

from incidents.board.blockers import blockers
from incidents.board.board import Board
from incidents.board.build import boards, of, read_board
from incidents.board.load import load, load_all
from incidents.board.parts import (
    AreaState,
    Blocker,
    ConfirmationState,
    Duty,
    GateState,
    Lane,
    MeasureState,
    ProposalState,
    TimelineRow,
)
from incidents.board.proposals import Shown, proposals_for, shown
from incidents.board.rail import rail
from incidents.board.staffing import Post, staffing
from incidents.board.states import area_state, confirmation_states, gate_state, lanes, measure_states
from incidents.board.timeline import GROUPS, TIMELINE_ROWS, LogPage, kinds_of, lines, log_page, timeline
from incidents.board.work import Work, open_for, waiting_for, work_count, work_of, works_of

__all__ = [
    "GROUPS",
    "TIMELINE_ROWS",
    "AreaState",
    "Blocker",
    "Board",
    "ConfirmationState",
    "Duty",
    "GateState",
    "Lane",
    "LogPage",
    "MeasureState",
    "Post",
    "ProposalState",
    "Shown",
    "TimelineRow",
    "Work",
    "area_state",
    "blockers",
    "boards",
    "confirmation_states",
    "gate_state",
    "kinds_of",
    "lanes",
    "lines",
    "load",
    "load_all",
    "log_page",
    "measure_states",
    "of",
    "open_for",
    "proposals_for",
    "rail",
    "read_board",
    "shown",
    "staffing",
    "timeline",
    "waiting_for",
    "work_count",
    "work_of",
    "works_of",
]
