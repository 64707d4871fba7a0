"""Step 3 checklist, mandatory cleanup validation: the three areas, and one form for each area's owner."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.text import slugify

from incidents.board import AreaState, Board, area_state, of
from incidents.forms.cleanup import CleanupForm, WaiveForm
from incidents.forms.fields import data_of
from incidents.models import CleanupItem, Incident
from incidents.runbook.content import CleanupArea
from incidents.steps import cleanup as steps
from incidents.steps import four_eyes
from incidents.terms import Act, CleanupState, Role
from incidents.views.acts import back, bring, offer, receive, waiting
from incidents.views.base import incident_page, showing_refusals
from incidents.views.step_page import holder_of, render_step


@incident_page("cleanup")
def cleanup(request: Any, incident: Incident) -> HttpResponse:
    board = of(incident, timeline_rows=0)
    context = {
        "areas": [_area(request, board, state) for state in board.areas],
        "proposals": waiting(request, board, Act.WAIVE_CLEANUP),
    }
    return render_step(request, "incidents/cleanup.html", board, "cleanup", context)


def _owner(incident: Incident, area: str) -> Role:
    return _text(incident, area).owner


@incident_page("cleanup", Act.TICK_CLEANUP, owner=_owner)
def cleanup_area(request: Any, incident: Incident, area: str) -> HttpResponse:
    text = _text(incident, area)
    if request.method != "POST":
        return _page(request, incident, text)
    form = CleanupForm(*data_of(request), area=area_state(incident, text))
    if form.is_valid():
        with showing_refusals(form):
            found = {key: receive(request, incident, text.owner, brought) for key, brought in form.brought.items()}
            with transaction.atomic():
                for key, received in found.items():
                    bring(request, incident, steps.subject(key), text.owner, **received)
                if form.ticked:
                    steps.tick(incident, form.ticked, by=request.user, note=form.cleaned_data["note"])
            messages.success(request, f"{text.name}: recorded.")
            return back("incidents:cleanup_area", incident, area)
    return _page(request, incident, text, form)


@incident_page("cleanup", Act.WAIVE_CLEANUP, owner=_owner)
def waive_item(request: Any, incident: Incident, area: str) -> HttpResponse:
    text = _text(incident, area)
    form = _waive_form(request.POST.get("item", ""), *data_of(request))
    if form.is_valid():
        item = get_object_or_404(incident.cleanup_items, area=area, key=form.cleaned_data["item"])
        with showing_refusals(form):
            if steps.waiver_needs_second(incident):
                four_eyes.propose(incident, Act.WAIVE_CLEANUP, by=request.user, **form.cleaned_data)
                messages.success(request, "Proposed. It is waived once a second person has confirmed it.")
            else:
                steps.waive(item, by=request.user, reason=form.cleaned_data["reason"])
                messages.success(request, f"“{item}” is waived.")
            return back("incidents:cleanup_area", incident, area)
    return _page(request, incident, text, waiving=form)


def _text(incident: Incident, area: str) -> CleanupArea:
    found = next((text for text in incident.book.cleanup if text.key == area), None)
    if found is None:
        raise Http404("The runbook has no such cleanup area.")
    return found


def _area(request: Any, board: Board, state: AreaState) -> dict[str, Any]:
    owner = state.text.owner
    return {
        "state": state,
        "role": owner,
        "holder": holder_of(board, owner),
        "tick": offer(request, board.incident, Act.TICK_CLEANUP, owner=owner),
    }


def _page(
    request: Any,
    incident: Incident,
    text: CleanupArea,
    form: CleanupForm | None = None,
    waiving: WaiveForm | None = None,
) -> HttpResponse:
    board = of(incident, timeline_rows=0)
    state = next(state for state in board.areas if state.text.key == text.key)
    context = {
        **_area(request, board, state),
        "form": form or CleanupForm(area=state),
        "waive": offer(request, incident, Act.WAIVE_CLEANUP, owner=text.owner),
        "waiver_needs_second": steps.waiver_needs_second(incident),
        "waivers": _waivers(state, waiving),
        "refused": waiving,
        "proposals": [p for item in state.items for p in waiting(request, board, Act.WAIVE_CLEANUP, item=item.key)],
    }
    return render_step(request, "incidents/cleanup_area.html", board, "cleanup", context, area=text.key)


def _waivers(state: AreaState, bound: WaiveForm | None) -> list[tuple[CleanupItem, WaiveForm]]:
    """A small form for each item that is still open."""
    asked = bound.data.get("item") if bound else None
    return [
        (item, bound if bound and item.key == asked else _waive_form(item.key, initial={"item": item.key}))
        for item in state.items
        if item.state == CleanupState.OPEN
    ]


def _waive_form(key: str, data: Any = None, files: Any = None, *, initial: Any = None) -> WaiveForm:
    return WaiveForm(data, files, initial=initial, auto_id=f"id_waive_{slugify(key)[:40]}_%s")
