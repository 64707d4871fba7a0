"""Where on the pages a thing is mended, and whether it can be mended now."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from incidents import lifecycle
from incidents.board.board import Board
from incidents.terms import Act


def page(board: Board, name: str, *args: Any) -> str:
    return reverse(name, args=[board.incident.reference, *args])


def now_or_later(board: Board, act: Act) -> str:
    """Due where the phase lets it be done now, else it waits."""
    return "due" if board.incident.phase in lifecycle.ALLOWED[act] else "wait"
