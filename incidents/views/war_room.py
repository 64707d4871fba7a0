"""The war room: one incident on one screen, what blocks it first."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from incidents import board as boards
from incidents import lifecycle
from incidents.forms.filters import LogFilter
from incidents.forms.notes import NoteForm
from incidents.models import Incident
from incidents.terms import Act
from incidents.views.acts import offer
from incidents.views.base import incident_page, render_incident

TIMELINE_ROWS = 12
ROOM_GROUPS = ("decisions", "actions", "updates", "notes")


@incident_page("war_room")
def war_room(request: Any, incident: Incident) -> HttpResponse:
    return show(request, incident, NoteForm())


def show(request: Any, incident: Incident, note: NoteForm) -> HttpResponse:
    """The whole room; asked by htmx, only what lives in it."""
    asked = LogFilter(request.GET).asked()["show"]
    board = boards.of(incident, timeline_rows=TIMELINE_ROWS, kinds=boards.kinds_of(asked or ""))
    template = "incidents/_room.html" if request.htmx and request.method == "GET" else "incidents/war_room.html"
    context = {
        "board": board,
        "is_ended": incident.phase in lifecycle.ENDED,
        "trigger": next((text for text in incident.book.triggers if text.key == incident.trigger), None),
        "room_groups": [(key, boards.GROUPS[key][0]) for key in ROOM_GROUPS],
        "asked": asked,
        "note": note,
        "add_note": offer(request, incident, Act.ADD_NOTE),
        "change_level": offer(request, incident, Act.RAISE_LEVEL),
        "stand_down": offer(request, incident, Act.STAND_DOWN),
    }
    return render_incident(request, template, incident, context | _for_me(request, board) | _lengths(board))


def _for_me(request: Any, board: boards.Board) -> dict[str, Any]:
    """What depends on who looks: their blockers first, their roles, what they can decide."""
    posts = boards.staffing(board, request.held, request.user)
    return {
        "shown": boards.shown(board, request.held, request.user),
        "proposals": boards.proposals_for(board, request.held, request.user),
        "posts": posts,
        "asked_of_me": [post for post in posts if "accept" in post.acts],
    }


def _lengths(board: boards.Board) -> dict[str, Any]:
    ended, lifted = board.incident.ended_at or board.at, board.freeze.ended_at or board.at
    return {"lasted": ended - board.incident.declared_at, "frozen": lifted - board.freeze.since}
