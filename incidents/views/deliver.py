"""Post-rollback deliverables: the summary with its root cause, follow-ups, safeguards; then the incident closes."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse

from incidents.board import of
from incidents.forms.deliver import FollowUpForm, SafeguardForm, SummaryForm
from incidents.forms.fields import data_of
from incidents.models import Incident
from incidents.steps import deliver as steps
from incidents.steps.roles import candidates
from incidents.terms import Act, Role
from incidents.views.acts import back, offer
from incidents.views.base import incident_page, showing_refusals, telling_refusals
from incidents.views.step_page import render_step


@incident_page("deliver")
def deliver(request: Any, incident: Incident) -> HttpResponse:
    return _page(request, incident)


@incident_page("deliver", Act.WRITE_SUMMARY)
def summary(request: Any, incident: Incident) -> HttpResponse:
    form = _summary_form(incident, *data_of(request))
    if form.is_valid():
        with showing_refusals(form):
            steps.write_summary(incident, **form.cleaned_data, by=request.user)
            messages.success(request, "The summary is on record.")
            return back("incidents:deliver", incident)
    return _page(request, incident, summary=form)


@incident_page("deliver", Act.ADD_FOLLOW_UP)
def add_follow_up(request: Any, incident: Incident) -> HttpResponse:
    form = FollowUpForm(*data_of(request), auto_id="id_follow_up_%s")
    if form.is_valid():
        with showing_refusals(form):
            added = steps.add_follow_up(incident, **form.cleaned_data, by=request.user)
            messages.success(request, f"Follow-up {added.number} is on the list.")
            return back("incidents:deliver", incident)
    return _page(request, incident, follow_up=form)


@incident_page("deliver", Act.ADD_SAFEGUARD)
def add_safeguard(request: Any, incident: Incident) -> HttpResponse:
    form = SafeguardForm(*data_of(request), auto_id="id_safeguard_%s")
    if form.is_valid():
        with showing_refusals(form):
            steps.add_safeguard(incident, **form.cleaned_data, by=request.user)
            messages.success(request, "The safeguard is on record.")
            return back("incidents:deliver", incident)
    return _page(request, incident, safeguard=form)


@incident_page("deliver", Act.CLOSE)
def close(request: Any, incident: Incident) -> HttpResponse:
    if request.method == "POST":
        with telling_refusals(request):
            steps.close(incident, by=request.user)
            messages.success(request, f"{incident} is closed.")
    return back("incidents:deliver", incident)


def _summary_form(incident: Incident, *data: Any) -> SummaryForm:
    people = candidates(incident, Role.COMMANDER)
    return SummaryForm(*data, people=people, review=steps.review_of(incident), auto_id="id_summary_%s")


def _page(request: Any, incident: Incident, **bound: Any) -> HttpResponse:
    board = of(incident, timeline_rows=0)
    context = {
        "review": steps.review_of(incident),
        "follow_ups": incident.follow_ups.all(),
        "safeguards": incident.safeguards.all(),
        "close": offer(request, incident, Act.CLOSE, steps.close_blockers(incident)),
        "delivered": len(board.deliverables) - len(board.undelivered),
        "write": offer(request, incident, Act.WRITE_SUMMARY),
        "add": offer(request, incident, Act.ADD_FOLLOW_UP),
        "forms": {
            "summary": bound.get("summary") or _summary_form(incident),
            "follow_up": bound.get("follow_up") or FollowUpForm(auto_id="id_follow_up_%s"),
            "safeguard": bound.get("safeguard") or SafeguardForm(auto_id="id_safeguard_%s"),
        },
    }
    return render_step(request, "incidents/deliver.html", board, "deliver", context)
