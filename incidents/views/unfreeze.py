"""Step 5: the four preconditions as they are computed now, next-cycle ownership, and the lift stage by stage."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse

from incidents.board import of
from incidents.forms.fields import data_of
from incidents.forms.unfreeze import OwnerForm, RefreezeForm
from incidents.models import Incident
from incidents.policy import LEADS
from incidents.steps import unfreeze as steps
from incidents.steps.roles import candidates
from incidents.terms import Act, Phase, Role
from incidents.views.acts import back, offer
from incidents.views.base import STEP_DECIDES, incident_page, showing_refusals, telling_refusals
from incidents.views.step_page import render_step

_PAGES = {"rollback": "incidents:rollback", "verify": "incidents:verify", "notices": "comms:notices"}


@incident_page("unfreeze")
def unfreeze(request: Any, incident: Incident) -> HttpResponse:
    return _page(request, incident)


@incident_page("unfreeze", Act.LIFT)
def lift(request: Any, incident: Incident, stage: str) -> HttpResponse:
    if request.method == "POST":
        with telling_refusals(request):
            steps.lift(incident, stage, by=request.user)
            messages.success(
                request, "Lifted." if incident.phase == Phase.UNFREEZING else "Lifted. The freeze is over."
            )
    return back("incidents:unfreeze", incident)


@incident_page("unfreeze", Act.REFREEZE)
def refreeze(request: Any, incident: Incident) -> HttpResponse:
    form = RefreezeForm(*data_of(request), auto_id="id_refreeze_%s")
    if form.is_valid():
        with showing_refusals(form):
            steps.refreeze(incident, by=request.user, **form.cleaned_data)
            messages.success(request, "Everything is frozen again.")
            return back("incidents:unfreeze", incident)
    return _page(request, incident, refreezing=form)


@incident_page("unfreeze", Act.NAME_OWNER)
def name_owner(request: Any, incident: Incident, area: str) -> HttpResponse:
    role = _area(area)
    form = _owner_form(incident, role, *data_of(request))
    if form.is_valid():
        with showing_refusals(form):
            steps.name_owner(incident, role, user=form.cleaned_data["person"], by=request.user)
            messages.success(request, f"{form.cleaned_data['person']} is asked to accept.")
            return back("incidents:unfreeze", incident)
    return _page(request, incident, naming={role: form})


@incident_page("unfreeze", STEP_DECIDES)
def accept_ownership(request: Any, incident: Incident, area: str) -> HttpResponse:
    if request.method == "POST":
        with telling_refusals(request):
            steps.accept_ownership(incident, _area(area), by=request.user)
            messages.success(request, "Accepted.")
    return back("incidents:unfreeze", incident)


def _area(key: str) -> Role:
    if key not in LEADS:
        raise Http404("No lead's area of that name.")
    return Role(key)


def _owner_form(incident: Incident, role: Role, *data: Any) -> OwnerForm:
    return OwnerForm(*data, people=candidates(incident, role), auto_id=f"id_{role}_%s")


def _page(
    request: Any,
    incident: Incident,
    naming: dict[Role, OwnerForm] | None = None,
    refreezing: RefreezeForm | None = None,
) -> HttpResponse:
    board = of(incident, timeline_rows=0)
    missing = [sentence for condition in board.preconditions for sentence in condition.missing]
    owners = _owners(request, incident, naming or {})
    held = [stage for stage in board.stages if not stage.is_lifted]
    context = {
        "preconditions": [(condition, _url(incident, condition.word)) for condition in board.preconditions],
        "holding": sum(condition.holds for condition in board.preconditions),
        "stable_at": steps.stable_at(incident),
        "is_watched": board.actions and board.settled_actions == len(board.actions),
        "stages": board.stages,
        "first_held": held[0].key if held else "",
        "lift": offer(request, incident, Act.LIFT, missing),
        "refreeze": offer(request, incident, Act.REFREEZE),
        "refreeze_form": refreezing or RefreezeForm(auto_id="id_refreeze_%s"),
        "name": offer(request, incident, Act.NAME_OWNER),
        "owners": owners,
        "accepted": sum(bool(row["owner"] and row["owner"].accepted_at) for row in owners),
        "is_over": not incident.freeze.active,
    }
    return render_step(request, "incidents/unfreeze.html", board, "unfreeze", context)


def _url(incident: Incident, word: str) -> str:
    return reverse(_PAGES[word], args=[incident.reference]) if word in _PAGES else "#owners"


def _owners(request: Any, incident: Incident, naming: dict[Role, OwnerForm]) -> list[dict[str, Any]]:
    """The four leads' areas, each with who is named for the next cycle."""
    named = {owner.area: owner for owner in incident.cycle_owners.all() if owner.replaced_at is None}
    people = candidates(incident, Role.API_LEAD)
    choices = [("", "Choose a person"), *((person.pk, str(person)) for person in people)]
    return [_owner(request, role, named.get(role), naming.get(role), people, choices) for role in Role if role in LEADS]


def _owner(request: Any, role: Role, owner: Any, bound: OwnerForm | None, people: Any, choices: Any) -> dict[str, Any]:
    form = bound or OwnerForm(people=people, auto_id=f"id_{role}_%s")
    form.fields["person"].choices = choices  # type: ignore[attr-defined]  # read once for the four of them
    return {"role": role, "owner": owner, "is_me": owner is not None and owner.user_id == request.user.pk, "form": form}
