"""The scope level: raised at once, lowered with a second person."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from incidents import board, policy
from incidents.forms.fields import data_of
from incidents.forms.level import LevelForm
from incidents.models import Incident
from incidents.policy import Due
from incidents.runbook.content import TrackText
from incidents.steps import declare, four_eyes
from incidents.terms import Act, Level
from incidents.views.acts import offer
from incidents.views.base import incident_page, render_incident, showing_refusals


@incident_page("level", Act.RAISE_LEVEL)
def level(request: Any, incident: Incident) -> HttpResponse:
    form = LevelForm(*data_of(request), incident=incident)
    if form.is_valid():
        with showing_refusals(form):
            messages.success(request, _change(request, incident, **form.cleaned_data))
            return redirect(incident)
    context = {
        "heading": "Scope level",
        "board": board.of(incident, timeline_rows=0),
        "form": form,
        "raising": offer(request, incident, Act.RAISE_LEVEL),
        "levels": [(level, incident.book.levels[level], level == incident.level) for level in Level],
        "parts": _parts(incident),
    }
    return render_incident(request, "incidents/level.html", incident, context)


def _change(request: Any, incident: Incident, level: Level, reason: str) -> str:
    if level.height > incident.level.height:
        declare.raise_level(incident, level, by=request.user, reason=reason)
        return f"The scope level is now {level.label}. New work may have appeared in the plan."
    four_eyes.propose(incident, Act.LOWER_LEVEL, by=request.user, reason=reason, level=level.value)
    return f"Lowering to {level.label} waits for a second person."


def _parts(incident: Incident) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """What each level asks of each part of the rollback, as a table."""
    rows = [
        (f"{text.track} {text.name}", [(str(level.label), *_due(level, text)) for level in Level])
        for text in incident.book.tracks
    ]
    seconds = [(str(level.label), *_second(policy.dispatch_needs_second(level, destructive=False))) for level in Level]
    waivers = [(str(level.label), *_second(policy.cleanup_waiver_needs_second(level))) for level in Level]
    return [*rows, ("Dispatch of an action", seconds), ("Waiver of a cleanup item", waivers)]


def _due(level: Level, text: TrackText) -> tuple[str, str]:
    found = {policy.due(level, text.track, action.key) for action in text.actions}
    if found == {Due.DUE}:
        return "ok", "Due in full"
    if Due.DUE in found:
        return "due", "Chain validation due"
    return ("muted", "Waived with a reason") if Due.WAIVABLE in found else ("muted", "Not part of it")


def _second(needed: bool) -> tuple[str, str]:
    return ("due", "Needs a second person") if needed else ("muted", "By its owner alone")
