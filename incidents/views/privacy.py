"""The personal values of an incident: who may see them sees them, and erasing one waits for a second person."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from incidents import board
from incidents.forms.privacy import EraseForm
from incidents.models import Incident
from incidents.steps import four_eyes, privacy
from incidents.terms import Act
from incidents.views.acts import offer
from incidents.views.base import incident_page, render_incident, showing_refusals


@incident_page("evidence", Act.ERASE)
def personal_values(request: Any, incident: Incident) -> HttpResponse:
    form = EraseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with showing_refusals(form):
            four_eyes.propose(incident, Act.ERASE, by=request.user, **form.cleaned_data)
            messages.success(request, "Erasing it waits for a second person. Until then the value stays.")
            return redirect(f"{incident.get_absolute_url()}#proposals")
    values = privacy.values_of(incident)
    context = {
        "heading": "Personal values",
        "board": board.of(incident, timeline_rows=0),
        "form": form,
        "forms": [(value, _form_for(value, form)) for value in values],
        "offer": offer(request, incident, Act.ERASE),
    }
    return render_incident(request, "incidents/personal.html", incident, context, status=422 if form.errors else 200)


def _form_for(value: Any, sent: EraseForm) -> EraseForm:
    """The form that was sent keeps what was typed; each other one is fresh."""
    if sent.is_bound and sent.data.get("entry") == str(value.seq) and sent.data.get("path") == value.path:
        return sent
    return EraseForm(initial={"entry": value.seq, "path": value.path}, prefix=None, auto_id=f"id_{value.pk}_%s")
