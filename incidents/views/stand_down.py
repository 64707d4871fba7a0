"""The end of a false alarm: proposed here, done when a second person confirms."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from incidents import board
from incidents.forms.fields import data_of
from incidents.forms.stand_down import StandDownForm
from incidents.models import Incident
from incidents.steps import declare, four_eyes
from incidents.terms import Act
from incidents.views.acts import offer
from incidents.views.base import incident_page, render_incident, showing_refusals


@incident_page("stand_down", Act.STAND_DOWN)
def stand_down(request: Any, incident: Incident) -> HttpResponse:
    form = StandDownForm(*data_of(request))
    if form.is_valid():
        with showing_refusals(form):
            four_eyes.propose(incident, Act.STAND_DOWN, by=request.user, reason=form.cleaned_data["reason"])
            messages.success(request, "Standing down waits for a second person. The freeze holds until then.")
            return redirect(f"{incident.get_absolute_url()}#proposals")
    context = {
        "heading": "Stand down",
        "board": board.of(incident, timeline_rows=0),
        "form": form,
        "offer": offer(request, incident, Act.STAND_DOWN, declare.stand_down_blockers(incident)),
    }
    return render_incident(request, "incidents/stand_down.html", incident, context)
