"""A note in the incident notes, written from the war room."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from incidents.forms.notes import NoteForm
from incidents.models import Incident
from incidents.steps import declare
from incidents.terms import Act
from incidents.views.base import incident_page, showing_refusals
from incidents.views.war_room import show


@incident_page("war_room", Act.ADD_NOTE)
def notes(request: Any, incident: Incident) -> HttpResponse:
    if request.method != "POST":
        return redirect(incident)
    form = NoteForm(request.POST)
    if form.is_valid():
        with showing_refusals(form):
            declare.add_note(incident, by=request.user, **form.cleaned_data)
            messages.success(request, "The note is in the log.")
            return redirect(f"{incident.get_absolute_url()}#timeline")
    return show(request, incident, form)
