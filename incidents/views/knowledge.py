"""Who may know of an incident: all who stand ready for the product, or its own people and auditors alone."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from incidents import board
from incidents.forms.fields import data_of
from incidents.forms.knowledge import KnowledgeForm
from incidents.models import Incident
from incidents.steps import declare, roles
from incidents.terms import Act
from incidents.views.acts import offer
from incidents.views.base import incident_page, render_incident, showing_refusals


@incident_page("roles", Act.LIMIT_KNOWLEDGE)
def knowledge(request: Any, incident: Incident) -> HttpResponse:
    form = KnowledgeForm(*data_of(request))
    if form.is_valid():
        with showing_refusals(form):
            need_to_know = not incident.need_to_know
            declare.limit_knowledge(incident, need_to_know, by=request.user, reason=form.cleaned_data["reason"])
            messages.success(request, _said(incident))
            return redirect("incidents:knowledge", incident.reference)
    context = {
        "heading": "Who may know",
        "board": board.of(incident, timeline_rows=0),
        "form": form,
        "verb": "Open it again" if incident.need_to_know else "Make it need-to-know",
        "offer": offer(request, incident, Act.LIMIT_KNOWLEDGE),
        "people": roles.current(incident).order_by("role"),
    }
    return render_incident(request, "incidents/knowledge.html", incident, context)


def _said(incident: Incident) -> str:
    if incident.need_to_know:
        return f"{incident} is known to its own people and to auditors alone. The freeze holds and is told as before."
    return f"Everybody who stands ready for {incident.product} may know of {incident} again."
