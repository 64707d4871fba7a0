"""The frame of a step's page: the runbook's words for it, who holds its roles, and its part of the log."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from incidents import lifecycle
from incidents.board import Board, kinds_of, timeline
from incidents.models import Incident
from incidents.terms import Kind, Phase
from incidents.views.base import render_incident

HISTORY_ROWS = 8
_HEADINGS = {
    "freeze": "Freeze",
    "cleanup": "Step 3 checklist: mandatory cleanup validation",
    "deliver": "Post-rollback deliverables",
}
_KINDS = {
    "freeze": [Kind.DECLARED, *kinds_of("freeze")],
    "target": [*kinds_of("target")],
    "rollback": [*kinds_of("actions")],
    "cleanup": [*kinds_of("cleanup")],
    "verify": [*kinds_of("gates"), Kind.ROLLBACK_REOPENED, Kind.RISK_ACCEPTED],
    "unfreeze": [Kind.LIFTED, Kind.REFROZEN, Kind.OWNER_NAMED, Kind.OWNER_ACCEPTED],
    "deliver": [*kinds_of("deliverables"), Kind.CLOSED],
}
# What an entry keeps as the person's reason, by the name each step gives it.
_REASONS = ("reason", "note", "result", "proof")


def render_step(
    request: Any, template: str, board: Board, word: str, context: dict[str, Any], **about: str
) -> HttpResponse:
    """Render a step's page.

    Args:
        word: the step, as the runbook's keys and the tabs name it.
        about: only entries of the log whose body says so: `action="3c-schema"`.
    """
    incident = board.incident
    frame = {
        "board": board,
        "heading": heading(incident, word),
        "points": points(incident, word),
        "is_ended": Phase(incident.phase) in lifecycle.ENDED,
        "history": history(incident, _KINDS[word], about),
    }
    return render_incident(request, template, incident, frame | context)


def holder_of(board: Board, role: str) -> Any:
    """Who holds the role or is asked to; nobody when it is not assigned."""
    return next((lane.membership.user for lane in board.lanes if lane.role == role and lane.membership), None)


def heading(incident: Incident, word: str) -> str:
    found = next((text for text in incident.book.steps if text.key == word), None)
    return f"Step {found.number}: {found.name}" if found else _HEADINGS[word]


def points(incident: Incident, word: str) -> list[str]:
    """What the runbook says about this step, sentence by sentence."""
    book = incident.book
    further = {
        "verify": [gate.text for gate in book.gates],
        "unfreeze": [clause.text for clause in book.preconditions],
        "deliver": [clause.text for clause in book.deliverables],
    }
    return [point for text in book.steps if text.key == word for point in text.points] + further.get(word, [])


def history(incident: Incident, kinds: list[Kind], about: dict[str, str]) -> list[dict[str, Any]]:
    """The last entries of these kinds, newest first, each with the reason that was given."""
    rows = timeline(incident, limit=HISTORY_ROWS, kinds=kinds, about=about)
    return [{"row": row, "why": next((row.body[name] for name in _REASONS if row.body.get(name)), "")} for row in rows]
