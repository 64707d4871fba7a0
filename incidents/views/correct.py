"""Correcting one line of the log: its words, or when it happened. What was written stays beside it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from incidents import board
from incidents.forms.correct import CorrectForm
from incidents.forms.fields import data_of
from incidents.models import Incident
from incidents.steps import correct
from incidents.terms import Act
from incidents.views.acts import offer
from incidents.views.base import incident_page, render_incident, showing_refusals


@incident_page("evidence", Act.CORRECT)
def correct_entry(request: Any, incident: Incident, seq: int) -> HttpResponse:
    line = correct.line_of(incident, seq)
    if line is None:
        raise Http404("The log of this incident has no such entry.")
    number = line.entry.seq
    form = CorrectForm(*data_of(request), line=line)
    if form.is_valid():
        with showing_refusals(form):
            made = correct.entry(incident, number, by=request.user, **form.asked())
            messages.success(request, f"Entry {number} is corrected by entry {made.seq}.")
            log = reverse("incidents:evidence", args=[incident.reference])
            return redirect(f"{log}?before={number + 1}#entry-{number}")
    context = {
        "heading": f"Correct entry {number}",
        "board": board.of(incident, timeline_rows=0),
        "rows": board.lines([line.entry], corrected=line.corrections),
        "line": line,
        "asked": seq,
        "form": form,
        "offer": offer(request, incident, Act.CORRECT),
    }
    return render_incident(request, "incidents/correct.html", incident, context)
