"""The war room: one incident on one screen, what blocks it first."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, QueryDict

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
    """The whole room; asked by htmx, only what lives in it, and nothing while nothing has changed."""
    asked = LogFilter(request.GET).asked()["show"]
    board = boards.of(incident, timeline_rows=TIMELINE_ROWS, kinds=boards.kinds_of(asked or ""))
    is_live = request.htmx and request.method == "GET"
    if is_live and request.GET.get("seen") == board.fingerprint:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    template = "incidents/_room.html" if is_live else "incidents/war_room.html"
    context = {
        "board": board,
        "is_ended": incident.phase in lifecycle.ENDED,
        "trigger": next((text for text in incident.book.triggers if text.key == incident.trigger), None),
        "live_url": _live_url(incident, board, asked),
        "room_groups": [(key, boards.GROUPS[key][0]) for key in ROOM_GROUPS],
        "asked": asked,
        "note": note,
        **_offers(request, incident),
    }
    return render_incident(request, template, incident, context | _for_me(request, board) | _lengths(board))


def _live_url(incident: Incident, board: boards.Board, asked: str | None) -> str:
    query = QueryDict(mutable=True)
    for name, value in (("show", asked), ("seen", board.fingerprint)):
        if value:
            query[name] = value
    return f"{incident.get_absolute_url()}?{query.urlencode()}"


def _offers(request: Any, incident: Incident) -> dict[str, Any]:
    acts = {"add_note": Act.ADD_NOTE, "change_level": Act.RAISE_LEVEL, "stand_down": Act.STAND_DOWN}
    return {name: offer(request, incident, act) for name, act in acts.items()}


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
