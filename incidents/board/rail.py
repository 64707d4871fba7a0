"""The rail: the runbook's steps with where the incident stands."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from incidents.board.board import Board
from incidents.lifecycle import ENDED
from incidents.models import Incident
from incidents.terms import Phase

_STEPS: list[tuple[str, str, str, tuple[Phase, ...]]] = [
    ("war_room", "1 Declare", "incidents:war_room", ()),
    ("target", "2 Target", "incidents:target", (Phase.DECLARED,)),
    ("rollback", "3 Roll back", "incidents:rollback", (Phase.TARGETED, Phase.ROLLING_BACK)),
    ("cleanup", "3 Clean up", "incidents:cleanup", ()),
    ("verify", "4 Verify", "incidents:verify", (Phase.VERIFYING,)),
    ("unfreeze", "5 Unfreeze", "incidents:unfreeze", (Phase.UNFREEZING,)),
    ("deliver", "Deliver", "incidents:deliver", (Phase.REVIEW,)),
]


def rail(incident: Incident, current: str, board: Board | None = None) -> list[dict[str, Any]]:
    """The runbook's steps with where the incident stands. `board` adds the counts."""
    notes = _notes(board) if board else {}
    now = next((at for at, (*_, phases) in enumerate(_STEPS) if incident.phase in phases), None)
    now = len(_STEPS) if incident.phase == Phase.CLOSED else now
    return [
        {
            "label": label,
            "note": notes.get(word, ""),
            "state": _state(word, index, now, board),
            "url": reverse(name, args=[incident.reference]),
            "current": word == current,
        }
        for index, (word, label, name, _) in enumerate(_STEPS)
    ]


def _state(word: str, index: int, now: int | None, board: Board | None) -> str:
    if now is not None and index == now:
        return "now"
    if word == "war_room":
        return "done"
    if word == "cleanup" and board and board.incident.phase == Phase.ROLLING_BACK:
        return "done" if board.complete_areas == len(board.areas) else "now"
    return "done" if now is not None and index < now else "todo"


def _notes(board: Board) -> dict[str, str]:
    incident = board.incident
    holding = sum(precondition.holds for precondition in board.preconditions)
    ended = incident.phase in ENDED or incident.phase == Phase.REVIEW
    return {
        "war_room": f"{incident.declared_at:%H:%M} UTC",
        "target": board.target.identifier[:16] if board.target else "not chosen",
        "rollback": f"{board.settled_actions} of {len(board.actions)} actions" if board.actions else "no plan yet",
        "cleanup": f"{board.complete_areas} of {len(board.areas)} areas",
        "verify": f"{board.clear_gates} of {len(board.gates)} gates",
        "unfreeze": "lifted" if ended and not board.freeze.active else f"{holding} of {len(board.preconditions)} hold",
        "deliver": _delivered(board),
    }


def _delivered(board: Board) -> str:
    incident = board.incident
    if incident.phase == Phase.CLOSED:
        return "closed"
    return f"{len(board.deliverables) - len(board.undelivered)} of {len(board.deliverables)} parts"
