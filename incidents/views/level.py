"""The scope level: raised at once, lowered with a second person."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from incidents import policy
from incidents.forms.fields import data_of
from incidents.forms.level import LevelForm
from incidents.models import Incident
from incidents.steps import declare, four_eyes
from incidents.terms import Act, Level
from incidents.views.acts import offer
from incidents.views.base import incident_page, render_incident, showing_refusals


@incident_page("level")
def level(request: Any, incident: Incident) -> HttpResponse:
    form = LevelForm(*data_of(request), incident=incident)
    if form.is_valid():
        with showing_refusals(form):
            messages.success(request, _change(request, incident, **form.cleaned_data))
            return redirect(incident)
    context = {
        "heading": "Scope level",
        "form": form,
        "raising": offer(request, incident, Act.RAISE_LEVEL),
        "levels": [_row(incident, level) for level in Level],
        "tracks": incident.book.tracks,
    }
    return render_incident(request, "incidents/level.html", incident, context)


def _change(request: Any, incident: Incident, level: Level, reason: str) -> str:
    if level.height > incident.level.height:
        declare.raise_level(incident, level, by=request.user, reason=reason)
        return f"The scope level is now {level.label}. New work may have appeared in the plan."
    four_eyes.propose(incident, Act.LOWER_LEVEL, by=request.user, reason=reason, level=level.value)
    return f"Lowering to {level.label} waits for a second person."


def _row(incident: Incident, level: Level) -> dict[str, Any]:
    """What a level asks of each track, and whether its actions need a second person."""
    return {
        "level": level,
        "text": incident.book.levels[level],
        "is_current": level == incident.level,
        "dues": [_dues(level, track) for track in incident.book.tracks],
        "every_dispatch": policy.dispatch_needs_second(level, destructive=False),
        "every_waiver": policy.cleanup_waiver_needs_second(level),
    }


def _dues(level: Level, track: Any) -> tuple[str, str]:
    """The sign and the words for what a level makes of a track's actions."""
    found = {policy.due(level, track.track, action.key) for action in track.actions}
    if found == {policy.Due.DUE}:
        return "ok", "Due in full"
    if policy.Due.DUE in found:
        return "due", "Partly due"
    return "muted", "Waived by its lead with a reason" if policy.Due.WAIVABLE in found else "Not part of it"
