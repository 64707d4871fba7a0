"""Step 4: the four gates, what each said last, and whether that still counts."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django_htmx.http import HttpResponseClientRefresh

from incidents.board import GateState, of
from incidents.forms.fields import data_of
from incidents.forms.rollback import ReasonForm
from incidents.models import Incident
from incidents.models.verify import RUNNING
from incidents.steps import cleanup, rollback
from incidents.steps import verify as steps
from incidents.terms import Act, ActionState, CleanupState, Phase, Role
from incidents.views.acts import back, offer, waiting
from incidents.views.base import incident_page, showing_refusals, telling_refusals
from incidents.views.step_page import render_step


@incident_page("verify")
def verify(request: Any, incident: Incident) -> HttpResponse:
    page = _page(request, incident)
    running = any(run.state in RUNNING for gate in incident.gates.all() for run in gate.runs.all())
    return page if running or not request.htmx else HttpResponseClientRefresh()


@incident_page("verify", Act.BEGIN_VERIFICATION)
def begin(request: Any, incident: Incident) -> HttpResponse:
    if request.method == "POST":
        with telling_refusals(request):
            steps.begin(incident, by=request.user)
            messages.success(request, "Verification has begun: run the gates.")
    return back("incidents:verify", incident)


@incident_page("verify", Act.REOPEN_ROLLBACK)
def reopen(request: Any, incident: Incident) -> HttpResponse:
    form = _reopen_form(*data_of(request))
    if form.is_valid():
        with showing_refusals(form):
            steps.reopen_rollback(incident, by=request.user, **form.cleaned_data)
            messages.success(request, "Back to rolling back.")
            return back("incidents:rollback", incident)
    return _page(request, incident, form)


def _reopen_form(*data: Any) -> ReasonForm:
    return ReasonForm(*data, label="Why back to rolling back", auto_id="id_reopen_%s")


def _page(request: Any, incident: Incident, form: ReasonForm | None = None) -> HttpResponse:
    board = of(incident, timeline_rows=0)
    context = {
        "gates": [_gate(request, incident, state) for state in board.gates],
        "is_running": any(state.running for state in board.gates),
        "begin_is_next": Phase(incident.phase) in (Phase.DECLARED, Phase.TARGETED, Phase.ROLLING_BACK),
        "begin": offer(request, incident, Act.BEGIN_VERIFICATION, _linked_begin_blockers(incident)),
        "reopen": offer(request, incident, Act.REOPEN_ROLLBACK),
        "form": form or _reopen_form(),
        "here": reverse("incidents:verify", args=[incident.reference]),
        "proposals": waiting(request, board, Act.ACCEPT_RISK),
    }
    return render_step(request, "incidents/verify.html", board, "verify", context)


def _gate(request: Any, incident: Incident, state: GateState) -> dict[str, Any]:
    return {
        "state": state,
        "role": Role(state.gate.owner),
        "text": incident.book.gate(state.gate.key),
        "can_run": steps.can_run(state.gate),
        "run": offer(request, incident, Act.RUN_GATE, steps.run_blockers(state.gate)),
    }


def _linked_begin_blockers(incident: Incident) -> list[dict[str, str]]:
    """The step's own sentences, each with the page that mends it."""
    pages = [
        *(("incidents:action", action.key, action.owner, action.state) for action in rollback.open_actions(incident)),
        *(
            ("incidents:cleanup_area", area.key, area.owner, CleanupState.OPEN)
            for area in incident.book.cleanup
            for _ in cleanup.missing(incident, area)
        ),
    ]
    return [
        {
            "sentence": sentence,
            "url": reverse(page, args=[incident.reference, key]),
            "who": str(Role(owner).label),
            "kind": "due" if state == ActionState.PLANNED else state,
        }
        for sentence, (page, key, owner, state) in zip(steps.begin_blockers(incident), pages, strict=True)
    ]
