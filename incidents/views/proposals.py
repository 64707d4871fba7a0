"""The second person's yes or no. What was proposed runs unchanged, or not at all."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from incidents.forms.notes import DeclineForm
from incidents.models import Incident, Proposal
from incidents.steps import four_eyes
from incidents.terms import Act
from incidents.views.base import STEP_DECIDES, incident_page, telling_refusals


@incident_page("war_room", STEP_DECIDES)
def confirm(request: Any, incident: Incident, pk: int) -> HttpResponse:
    proposal = _of(incident, pk)
    if request.method == "POST":
        with telling_refusals(request):
            four_eyes.confirm(proposal, by=request.user)
            messages.success(request, f"Confirmed and done: {proposal.sentence}")
    return _back(incident)


@incident_page("war_room", Act.DECLINE)
def decline(request: Any, incident: Incident, pk: int) -> HttpResponse:
    proposal, form = _of(incident, pk), DeclineForm(request.POST)
    if request.method != "POST":
        return _back(incident)
    if not form.is_valid():
        for sentence in form.errors.get("note", []):
            messages.error(request, str(sentence))
        return _back(incident)
    with telling_refusals(request):
        four_eyes.decline(proposal, by=request.user, reason=form.cleaned_data["note"])
        messages.success(request, f"Declined: {proposal.sentence}")
    return _back(incident)


def _of(incident: Incident, pk: int) -> Proposal:
    return get_object_or_404(incident.proposals.select_related("proposed_by", "incident"), pk=pk)


def _back(incident: Incident) -> HttpResponse:
    return redirect(f"{incident.get_absolute_url()}#proposals")
