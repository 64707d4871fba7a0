"""The freeze of one incident: what it stops, what may still pass, and how a pipeline asks."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404

from incidents import clock
from incidents.board import MeasureState, of
from incidents.forms.fields import data_of
from incidents.forms.freeze import ExceptionForm, RevokeForm
from incidents.models import FreezeException, FreezeMeasure, Incident
from incidents.steps import four_eyes
from incidents.steps import freeze as steps
from incidents.terms import Act, Measure
from incidents.views.acts import back, offer, waiting
from incidents.views.base import incident_page, showing_refusals
from incidents.views.step_page import render_step

_QUERIES = {
    Measure.MERGES: "operation=merge&subject=PR-1182",
    Measure.CLAIMS: "operation=claim&subject=lg-41&labels=rollback",
    Measure.PROMOTIONS: "operation=promote&subject=1182&environment={last}",
    Measure.DEPLOYS: "operation=deploy&subject=1182&environment={last}&actor=you@example.org",
}

_SIGNS = {
    Measure.MERGES: "merge",
    Measure.CLAIMS: "claim",
    Measure.PROMOTIONS: "promote",
    Measure.DEPLOYS: "deploy",
}


@incident_page("freeze")
def freeze(request: Any, incident: Incident) -> HttpResponse:
    return _page(request, incident)


@incident_page("freeze", Act.ALLOW_EXCEPTION)
def propose_exception(request: Any, incident: Incident) -> HttpResponse:
    form = ExceptionForm(*data_of(request), incident=incident)
    if form.is_valid():
        with showing_refusals(form):
            four_eyes.propose(incident, Act.ALLOW_EXCEPTION, by=request.user, **form.arguments)
            messages.success(request, "Proposed. It passes once a second person has confirmed it.")
            return back("incidents:freeze", incident)
    return _page(request, incident, form)


@incident_page("freeze", Act.REVOKE_EXCEPTION)
def revoke_exception(request: Any, incident: Incident, pk: int) -> HttpResponse:
    exception = get_object_or_404(FreezeException, freeze__incident=incident, pk=pk)
    form = RevokeForm(*data_of(request), auto_id=f"id_revoke_{pk}_%s")
    if form.is_valid():
        with showing_refusals(form):
            steps.revoke_exception(incident, exception, by=request.user, **form.cleaned_data)
            messages.success(request, f"The exception for {exception.subject} is revoked.")
            return back("incidents:freeze", incident)
    return _page(request, incident, revoking=(pk, form))


def _page(
    request: Any,
    incident: Incident,
    form: ExceptionForm | None = None,
    revoking: tuple[int, RevokeForm] | None = None,
) -> HttpResponse:
    board = of(incident, timeline_rows=0)
    exceptions = _exceptions(incident, revoking)
    context = {
        "measures": [_measure(incident, state) for state in board.measures],
        "exceptions": exceptions,
        "running_exceptions": sum(item["state"] == "in_force" for item in exceptions),
        "form": form or ExceptionForm(incident=incident),
        "propose": offer(request, incident, Act.ALLOW_EXCEPTION),
        "revoke": offer(request, incident, Act.REVOKE_EXCEPTION),
        "proposals": waiting(request, board, Act.ALLOW_EXCEPTION),
        "check_url": f"{settings.PUBLIC_URL}/api/v1/freeze/{incident.product.slug}/check",
    }
    return render_step(request, "incidents/freeze.html", board, "freeze", context)


def _measure(incident: Incident, state: MeasureState) -> dict[str, Any]:
    """One of the four, with the pairs of environments it holds and the people whom it lets pass."""
    names = [row.environment.name for row in state.rows if row.environment]
    return {
        "state": state,
        "sign": _SIGNS[state.measure],
        "pairs": [(words, row) for row in state.rows if (words := _pair(state.measure, row, names))],
        "people": [
            member
            for member in incident.memberships.all()
            if member.role in state.text.allowed_roles and member.is_accepted and member.ended_at is None
        ],
        "query": _QUERIES[state.measure].format(last=names[-1] if names else "prod"),
    }


def _pair(measure: Measure, row: FreezeMeasure, names: list[str]) -> str:
    """`dev → staging` for promotions into staging; into the first environment nothing is promoted."""
    if row.environment is None or measure != Measure.PROMOTIONS:
        return row.environment.name if row.environment else ""
    at = names.index(row.environment.name)
    return f"{names[at - 1]} → {names[at]}" if at else ""


def _exceptions(incident: Incident, revoking: tuple[int, RevokeForm] | None) -> list[dict[str, Any]]:
    at = clock.now()
    bound_to, bound = revoking or (0, None)
    found = [
        {
            "row": row,
            "state": "revoked" if row.revoked_at else "expired" if row.expires_at <= at else "in_force",
            "form": bound if row.pk == bound_to and bound else RevokeForm(auto_id=f"id_revoke_{row.pk}_%s"),
        }
        for row in reversed(incident.freeze.exceptions.all())
    ]
    return sorted(found, key=lambda item: item["state"] != "in_force")
