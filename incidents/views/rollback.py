"""Step 3: the rollback's plan by stage and track, made from level and runbook, and added to where it must be."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import HttpResponse

from incidents import lifecycle, policy
from incidents.board import Board, of
from incidents.board.states import planned_state
from incidents.forms.fields import data_of
from incidents.forms.rollback import AddActionForm
from incidents.models import Action, Approval, Incident
from incidents.steps import rollback as steps
from incidents.terms import Act, ActionState, Phase, Role, Track
from incidents.views.acts import back, offer, waiting
from incidents.views.base import incident_page, showing_refusals, telling_refusals
from incidents.views.step_page import holder_of, render_step

SIGNS = {
    Track.APPLICATION: "code",
    Track.INFRASTRUCTURE: "server",
    Track.DATA: "database",
    Track.EVIDENCE: "chain",
    Track.CREDENTIALS: "key",
}
_KINDS = {
    ActionState.SUCCEEDED: "ok",
    ActionState.WAIVED: "muted",
    ActionState.RUNNING: "run",
    ActionState.FAILED: "bad",
    ActionState.UNKNOWN: "unknown",
}


@incident_page("rollback")
def rollback(request: Any, incident: Incident) -> HttpResponse:
    return _page(request, incident)


@incident_page("rollback", Act.MAKE_PLAN)
def make_plan(request: Any, incident: Incident) -> HttpResponse:
    if request.method == "POST":
        with telling_refusals(request):
            steps.make_plan(incident, by=request.user)
            messages.success(request, "The plan is made. Stage 1 can begin.")
    return back("incidents:rollback", incident)


@incident_page("rollback", Act.ADD_ACTION)
def add_action(request: Any, incident: Incident) -> HttpResponse:
    form = AddActionForm(*data_of(request))
    if form.is_valid():
        with showing_refusals(form):
            action = steps.add_action(incident, **form.cleaned_data, by=request.user)
            messages.success(request, f"“{action}” is part of the plan.")
            return back("incidents:rollback", incident)
    return _page(request, incident, form)


def _page(request: Any, incident: Incident, form: AddActionForm | None = None) -> HttpResponse:
    board = of(incident, timeline_rows=0)
    stages = [_stage(request, board, number, list(rows)) for number, rows in groupby(incident.actions.all(), _stage_of)]
    now = next((stage for stage in stages if not stage["is_settled"]), None)
    context = {
        "stages": stages,
        "now": now,
        "next_mine": next((row["action"] for row in now["rows"] if row["is_mine"]), None) if now else None,
        "unknown": [action for action in board.actions if action.state == ActionState.UNKNOWN],
        "tracks": [] if stages else _preview(incident),
        "plan": offer(request, incident, Act.MAKE_PLAN, steps.plan_blockers(incident)),
        "has_add": form is not None or (bool(stages) and Phase(incident.phase) not in lifecycle.ENDED),
        "add": offer(request, incident, Act.ADD_ACTION),
        "form": form or AddActionForm(initial={"stage": stages[-1]["number"] if stages else 1}),
        "proposals": waiting(request, board, Act.WAIVE_ACTION, Act.RESOLVE_UNKNOWN),
    }
    return render_step(request, "incidents/rollback.html", board, "rollback", context)


def _stage_of(action: Action) -> int:
    return action.stage


def _stage(request: Any, board: Board, number: int, actions: list[Action]) -> dict[str, Any]:
    """One stage: its actions side by side, in a lane for each track and owner."""
    rows = [_row(request, board, action) for action in actions]
    rows.sort(key=lambda row: (row["action"].track, row["action"].owner))
    lanes = groupby(rows, lambda row: (row["action"].track, row["action"].owner))
    return {
        "number": number,
        "rows": rows,
        "lanes": [
            {
                "track": Track(track),
                "sign": SIGNS[Track(track)],
                "role": Role(owner),
                "holder": holder_of(board, owner),
                "rows": list(members),
            }
            for (track, owner), members in lanes
        ],
        "is_settled": all(action.is_settled for action in actions),
    }


def _row(request: Any, board: Board, action: Action) -> dict[str, Any]:
    state = ActionState(action.state)
    kind, word = planned_state(action, board.at) if state == ActionState.PLANNED else (_KINDS[state], "")
    return {
        "action": action,
        "kind": kind,
        "word": word,
        "approval": _approval(board, action) if state == ActionState.PLANNED else None,
        "live": steps.live_attempt(action),
        "is_mine": Role(action.owner) in request.held and not action.is_settled,
    }


def _approval(board: Board, action: Action) -> Approval | None:
    return steps.valid_approval(action, steps.spec_digest(action, board.target), board.at) if board.target else None


def _preview(incident: Incident) -> list[dict[str, Any]]:
    """What the level will make of each track of the runbook, before there is a plan."""
    return [
        {
            "track": track.track,
            "sign": SIGNS[track.track],
            "rows": [(text, policy.due(incident.level, text.track, text.key)) for text in track.actions],
        }
        for track in incident.book.tracks
    ]
