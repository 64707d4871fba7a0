"""What stands against unfreeze, the most pressing first, each with its owner and the page that mends it."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from incidents import lifecycle, policy
from incidents.board.parts import Blocker, Board
from incidents.board.states import planned_state
from incidents.models import Action
from incidents.terms import Act, ActionState, Phase, Role

_PRESSING = ("unknown", "bad", "due", "run", "wait")
_COMMANDER = str(Role.COMMANDER.label)


def blockers(board: Board) -> list[Blocker]:
    """What stands against unfreeze, or in review against closing."""
    if board.incident.phase == Phase.REVIEW:
        return from_deliverables(board)
    if board.incident.phase not in lifecycle.FROZEN:
        return []
    found = [
        *from_proposals(board),
        *_from_target(board),
        *_from_actions(board),
        *_from_areas(board),
        *_from_the_end_of_rollback(board),
        *_from_gates(board),
        *_from_the_rest(board),
    ]
    return sorted(found, key=lambda blocker: _PRESSING.index(blocker.kind))


def page(board: Board, name: str, *args: Any) -> str:
    return reverse(name, args=[board.incident.reference, *args])


def _now_or_later(board: Board, act: Act) -> str:
    """Due where the phase lets it be done now, else it waits."""
    return "due" if board.incident.phase in lifecycle.ALLOWED[act] else "wait"


def from_proposals(board: Board) -> list[Blocker]:
    url = page(board, "incidents:war_room") + "#proposals"
    return [
        Blocker(
            f"Second person wanted: {proposal.sentence}",
            url,
            "Commander or a lead",
            "due",
            "Decide",
            roles=policy.COUNTER_SIGNERS,
            asked_by=proposal.proposed_by_id,
        )
        for proposal in board.proposals
    ]


def _from_target(board: Board) -> list[Blocker]:
    url = page(board, "incidents:target")
    if board.target is None:
        who = policy.who_may(Act.CHOOSE_TARGET)
        roles = policy.ROLES[Act.CHOOSE_TARGET]
        return [Blocker("No target has been chosen.", url, who, "due", "Choose", Role.COMMANDER, roles)]
    found = [
        Blocker(
            f"{state.text.name} is not confirmed for {board.target}.",
            url,
            str(state.text.owner.label),
            _now_or_later(board, Act.CONFIRM_TARGET),
            "Confirm",
            state.text.owner,
        )
        for state in board.confirmations
        if state.done is None
    ]
    if not found and board.incident.phase == Phase.TARGETED:
        plan = page(board, "incidents:rollback")
        found.append(Blocker("The rollback plan is not made yet.", plan, _COMMANDER, "due", "Plan", Role.COMMANDER))
    return found


# Actions ------------------------------------------------------------------------------------------------------------

_STATES = {
    ActionState.UNKNOWN: ("unknown", "Outcome unknown: ", "Decide"),
    ActionState.FAILED: ("bad", "Failed: ", "Open"),
    ActionState.RUNNING: ("run", "Running: ", "Open"),
}


def _from_actions(board: Board) -> list[Blocker]:
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
        _now_or_later(board, Act.APPROVE_ACTION),
        "Approve",
        roles=policy.COUNTER_SIGNERS,
        asked_by=runs.user_id if runs else None,
    )


def _planned(board: Board, action: Action) -> tuple[str, str, str]:
    kind, _ = planned_state(action, board.at)
    can = _now_or_later(board, Act.DISPATCH_ACTION) == "due"
    return kind if can else "wait", "", "Run" if kind == "due" and can else "Open"


# Cleanup, gates -----------------------------------------------------------------------------------------------------


def _from_areas(board: Board) -> list[Blocker]:
    return [
        Blocker(
            f"Cleanup: {area.text.name}, {len(area.missing)} still missing.",
            page(board, "incidents:cleanup_area", area.text.key),
            str(area.text.owner.label),
            _now_or_later(board, Act.TICK_CLEANUP),
            "Complete",
            area.text.owner,
        )
        for area in board.areas
        if area.missing
    ]


def _from_the_end_of_rollback(board: Board) -> list[Blocker]:
    """When actions and cleanup are through, the commander says so and the gates are due."""
    open_work = board.settled_actions < len(board.actions) or board.complete_areas < len(board.areas)
    if board.incident.phase != Phase.ROLLING_BACK or open_work:
        return []
    url = page(board, "incidents:verify")
    return [Blocker("Verification has not begun.", url, _COMMANDER, "due", "Begin", Role.COMMANDER)]


def _from_gates(board: Board) -> list[Blocker]:
    url = page(board, "incidents:verify")
    ready = _now_or_later(board, Act.RUN_GATE)
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


# Stability, ownership, updates --------------------------------------------------------------------------------------


def _from_the_rest(board: Board) -> list[Blocker]:
    missing = {precondition.key: precondition.missing for precondition in board.preconditions}
    return [
        *_from_stability(board, missing["stable"]),
        *_from_ownership(board, missing["ownership"]),
        *(_update(board, sentence) for sentence in missing["informed"]),
    ]


def _from_stability(board: Board, missing: tuple[str, ...]) -> list[Blocker]:
    """The watch itself; open actions and an unconfirmed target have rows of their own."""
    if not board.actions or board.settled_actions < len(board.actions):
        return []
    return [Blocker(sentence, page(board, "incidents:unfreeze"), "watching", "wait", "Look") for sentence in missing]


def _from_ownership(board: Board, missing: tuple[str, ...]) -> list[Blocker]:
    """Areas without an owner are one row: they are named on one page. It presses once the gates are due."""
    named = {owner.area for owner in board.owners}
    nobody = [str(role.label) for role in Role if role in policy.LEADS and role not in named]
    waiting = [sentence for sentence in missing if not sentence.startswith("Nobody")]
    if len(nobody) > 1:
        waiting.append(f"Nobody is named for the next cycle's work of {len(nobody)} areas: {', '.join(nobody)}.")
    else:
        waiting += [sentence for sentence in missing if sentence.startswith("Nobody")]
    kind = "due" if board.incident.phase in (Phase.VERIFYING, Phase.UNFREEZING) else "wait"
    url = page(board, "incidents:unfreeze")
    return [Blocker(sentence, url, _COMMANDER, kind, "Name", Role.COMMANDER) for sentence in waiting]


def _update(board: Board, sentence: str) -> Blocker:
    role = Role.COMMUNICATIONS_OWNER
    is_next = board.next_notice is not None and sentence.startswith(f"Update {board.next_notice.value} ")
    is_late = not sentence.startswith("Update ")
    kind = "bad" if is_late else "due" if is_next else "wait"
    return Blocker(sentence, page(board, "comms:notices"), str(role.label), kind, "Write", role)


# Review -------------------------------------------------------------------------------------------------------------


def from_deliverables(board: Board) -> list[Blocker]:
    """What the review still asks for; when nothing is missing, the commander closes the incident."""
    url = page(board, "incidents:deliver")
    found = [
        Blocker(sentence, url, _COMMANDER, "due", "Write", Role.COMMANDER) for sentence in board.undelivered.values()
    ]
    return found or [Blocker("The incident can be closed.", url, _COMMANDER, "due", "Close", Role.COMMANDER)]
