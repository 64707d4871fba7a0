"""What stands against unfreeze in the work itself: actions, cleanup, the begin of verification, gates."""

from __future__ import annotations

from incidents import policy
from incidents.board.board import Board
from incidents.board.parts import Blocker
from incidents.board.places import now_or_later, page
from incidents.board.states import planned_state
from incidents.models import Action
from incidents.terms import Act, ActionState, Phase, Role

# Actions ------------------------------------------------------------------------------------------------------------

_STATES = {
    ActionState.UNKNOWN: ("unknown", "Outcome unknown: ", "Decide"),
    ActionState.FAILED: ("bad", "Failed: ", "Open"),
    ActionState.RUNNING: ("run", "Running: ", "Open"),
}


def from_actions(board: Board) -> list[Blocker]:
    return [_from_action(board, action) for action in board.actions if not action.is_settled]


def _from_action(board: Board, action: Action) -> Blocker:
    if action.state == ActionState.PLANNED and planned_state(action, board.at) == ("due", "second person"):
        return _to_approve(board, action)
    kind, words, verb = _STATES.get(ActionState(action.state)) or _planned(board, action)
    return Blocker(
        f"{words}{action}",
        page(board, "incidents:action", action.key),
        str(Role(action.owner).label),
        kind,
        verb,
        Role(action.owner),
        policy.COUNTER_SIGNERS if verb == "Decide" else frozenset(),
    )


def _to_approve(board: Board, action: Action) -> Blocker:
    """Another person than the one who will run it reads what will run."""
    runs = next((lane.membership for lane in board.lanes if lane.role == action.owner), None)
    return Blocker(
        f"{action}: a second person approves what will run",
        page(board, "incidents:action", action.key),
        "Commander or a lead",
        now_or_later(board, Act.APPROVE_ACTION),
        "Approve",
        roles=policy.COUNTER_SIGNERS,
        asked_by=runs.user_id if runs else None,
    )


def _planned(board: Board, action: Action) -> tuple[str, str, str]:
    kind, _ = planned_state(action, board.at)
    can = now_or_later(board, Act.DISPATCH_ACTION) == "due"
    return kind if can else "wait", "", "Run" if kind == "due" and can else "Open"


# Cleanup, gates -----------------------------------------------------------------------------------------------------


def from_areas(board: Board) -> list[Blocker]:
    return [
        Blocker(
            f"Cleanup: {area.text.name}, {len(area.missing)} still missing.",
            page(board, "incidents:cleanup_area", area.text.key),
            str(area.text.owner.label),
            now_or_later(board, Act.TICK_CLEANUP),
            "Complete",
            area.text.owner,
        )
        for area in board.areas
        if area.missing
    ]


def from_the_end_of_rollback(board: Board) -> list[Blocker]:
    """When actions and cleanup are through, the commander says so and the gates are due."""
    open_work = board.settled_actions < len(board.actions) or board.complete_areas < len(board.areas)
    if board.incident.phase != Phase.ROLLING_BACK or open_work:
        return []
    url = page(board, "incidents:verify")
    return [Blocker("Verification has not begun.", url, str(Role.COMMANDER.label), "due", "Begin", Role.COMMANDER)]


def from_gates(board: Board) -> list[Blocker]:
    url = page(board, "incidents:verify")
    ready = now_or_later(board, Act.RUN_GATE)
    return [
        Blocker(
            sentence,
            f"{url}#gate-{state.gate.key}",
            str(Role(state.gate.owner).label),
            "run" if state.running else "bad" if state.kind == "bad" else ready,
            "Look" if state.running or ready == "wait" else "Run",
            Role(state.gate.owner),
        )
        for state in board.gates
        for sentence in state.blockers
    ]
