"""Step 2: which commit, build or deployment the incident goes back to, and the three confirmations of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse

from incidents.board import Board, ConfirmationState, of
from incidents.forms.fields import data_of
from incidents.forms.target import ConfirmForm, TargetForm
from incidents.models import Incident
from incidents.steps import target as steps
from incidents.terms import Act, Aspect, Role
from incidents.views.acts import back, offer
from incidents.views.base import incident_page, showing_refusals
from incidents.views.step_page import holder_of, render_step


@incident_page("target", Act.CHOOSE_TARGET)
def target(request: Any, incident: Incident) -> HttpResponse:
    form = TargetForm(*data_of(request))
    if form.is_valid():
        with showing_refusals(form):
            chosen = steps.choose(incident, **form.cleaned_data, by=request.user)
            messages.success(request, f"The target is {chosen}. Three confirmations are due.")
            return back("incidents:target", incident)
    return _page(request, incident, form)


def _owner(incident: Incident, aspect: str) -> Role:
    if aspect not in Aspect.values:
        raise Http404("No such aspect of a target.")
    return steps.owner_of(incident, Aspect(aspect))


@incident_page("target", Act.CONFIRM_TARGET, owner=_owner)
def confirm(request: Any, incident: Incident, aspect: str) -> HttpResponse:
    if aspect not in Aspect.values:
        raise Http404("No such aspect of a target.")
    form = _confirm_form(incident, Aspect(aspect), *data_of(request))
    if form.is_valid():
        with showing_refusals(form):
            steps.confirm(incident, Aspect(aspect), by=request.user, **form.cleaned_data)
            messages.success(request, f"{Aspect(aspect).label} confirmed.")
            return back("incidents:target", incident)
    return _page(request, incident, TargetForm(), {aspect: form})


def _confirm_form(incident: Incident, aspect: Aspect, *data: Any) -> ConfirmForm:
    return ConfirmForm(*data, ask=incident.book.confirmations[aspect].ask, auto_id=f"id_{aspect}_%s")


def _page(
    request: Any, incident: Incident, form: TargetForm, confirming: dict[str, ConfirmForm] | None = None
) -> HttpResponse:
    board = of(incident, timeline_rows=0)
    chosen = board.target
    confirmations = [_confirmation(request, board, state, confirming or {}) for state in board.confirmations]
    context = {
        "chosen": chosen,
        "confirmations": confirmations,
        "is_confirming": bool(confirming),
        "confirmed": sum(row["state"].done is not None for row in confirmations),
        "form": form,
        "choose": offer(request, incident, Act.CHOOSE_TARGET, steps.choose_blockers(incident, "")),
        "replaced": [row for row in reversed(incident.targets.all()) if row.replaced_at],
    }
    return render_step(request, "incidents/target.html", board, "target", context)


def _confirmation(
    request: Any, board: Board, state: ConfirmationState, confirming: dict[str, ConfirmForm]
) -> dict[str, Any]:
    """One of the three: who vouches for it, or the form for its lead."""
    aspect, owner = state.text.aspect, state.text.owner
    return {
        "state": state,
        "holder": holder_of(board, owner),
        "offer": offer(request, board.incident, Act.CONFIRM_TARGET, steps.blockers(board.target, aspect), owner=owner),
        "form": confirming.get(aspect) or _confirm_form(board.incident, aspect),
    }
