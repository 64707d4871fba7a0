"""What stands against unfreeze, the most pressing first, each with its owner and the page that mends it."""

from __future__ import annotations

from incidents import lifecycle, policy
from incidents.board.board import Board
from incidents.board.parts import Blocker
from incidents.board.places import now_or_later, page
from incidents.board.rollback_blockers import from_actions, from_areas, from_gates, from_the_end_of_rollback
from incidents.terms import Act, Phase, Role

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
        *from_actions(board),
        *from_areas(board),
        *from_the_end_of_rollback(board),
        *from_gates(board),
        *_from_the_rest(board),
    ]
    return sorted(found, key=lambda blocker: _PRESSING.index(blocker.kind))


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
            now_or_later(board, Act.CONFIRM_TARGET),
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
