"""One action, by its connector or by hand: rehearse, approve, start, record, call back, waive, decide."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django_htmx.http import HttpResponseClientRefresh

from incidents import dispatch as dispatching
from incidents.forms.fields import data_of
from incidents.forms.rollback import CompleteForm, ReasonForm, ResolveForm
from incidents.models import Action, Incident
from incidents.steps import four_eyes
from incidents.steps import rollback as steps
from incidents.terms import Act, Role
from incidents.views.action_page import is_followed, show
from incidents.views.acts import back, bring, receive
from incidents.views.base import incident_page, showing_refusals, telling_refusals

WAITS_FOR_SECOND = "Proposed. It happens once a second person has confirmed it."


@incident_page("rollback")
def action(request: Any, incident: Incident, key: str) -> HttpResponse:
    page = show(request, incident, key)
    return page if not request.htmx or is_followed(incident, key) else HttpResponseClientRefresh()


def _owner(incident: Incident, key: str) -> Role:
    return Role(_of(incident, key).owner)


@incident_page("rollback", Act.REHEARSE_ACTION)
def rehearse(request: Any, incident: Incident, key: str) -> HttpResponse:
    if request.method == "POST":
        with telling_refusals(request):
            dispatching.ask_for_rehearsal(_of(incident, key), by=request.user)
            messages.success(request, "Asked for: the dry run changes nothing.")
    return back("incidents:action", incident, key)


@incident_page("rollback", Act.APPROVE_ACTION)
def approve(request: Any, incident: Incident, key: str) -> HttpResponse:
    if request.method == "POST":
        seen = request.POST.get("digest") or "nothing"
        with telling_refusals(request):
            approval = steps.approve(_of(incident, key), by=request.user, digest=seen)
            messages.success(request, f"Approved until {approval.expires_at:%H:%M} UTC.")
    return back("incidents:action", incident, key)


@incident_page("rollback", Act.DISPATCH_ACTION, owner=_owner)
def dispatch(request: Any, incident: Incident, key: str) -> HttpResponse:
    if request.method == "POST":
        with telling_refusals(request):
            attempt = steps.dispatch(_of(incident, key), by=request.user)
            messages.success(request, "Begun by hand." if attempt.by_hand else "Queued for its connector.")
    return back("incidents:action", incident, key)


@incident_page("rollback", Act.COMPLETE_ACTION, owner=_owner)
def complete(request: Any, incident: Incident, key: str) -> HttpResponse:
    doing = _of(incident, key)
    form = CompleteForm(*data_of(request), auto_id="id_complete_%s")
    if form.is_valid():
        with showing_refusals(form):
            received = receive(request, incident, Role(doing.owner), form.brought)
            with transaction.atomic():
                if received:
                    bring(request, incident, f"action:{key}", Role(doing.owner), **received)
                said = {name: form.cleaned_data[name] for name in ("succeeded", "result", "happened_at")}
                steps.complete(doing, **said, by=request.user)
            messages.success(request, "Recorded.")
            return back("incidents:action", incident, key)
    return show(request, incident, key, complete=form)


@incident_page("rollback", Act.ABORT_ACTION)
def abort(request: Any, incident: Incident, key: str) -> HttpResponse:
    form = ReasonForm(*data_of(request), auto_id="id_abort_%s")
    if form.is_valid():
        with showing_refusals(form):
            steps.abort(_of(incident, key), by=request.user, reason=form.cleaned_data["reason"])
            messages.success(request, "Called back. Nothing left the portal.")
            return back("incidents:action", incident, key)
    return show(request, incident, key, abort=form)


@incident_page("rollback", Act.WAIVE_ACTION, owner=_owner)
def waive(request: Any, incident: Incident, key: str) -> HttpResponse:
    waived = _of(incident, key)
    form = ReasonForm(*data_of(request), auto_id="id_waive_%s")
    if form.is_valid():
        with showing_refusals(form):
            if steps.waiver_needs_second(waived):
                four_eyes.propose(incident, Act.WAIVE_ACTION, by=request.user, action=key, **form.cleaned_data)
                messages.success(request, WAITS_FOR_SECOND)
            else:
                steps.waive(waived, by=request.user, **form.cleaned_data)
                messages.success(request, "Waived.")
            return back("incidents:action", incident, key)
    return show(request, incident, key, waive=form)


@incident_page("rollback", Act.RESOLVE_UNKNOWN)
def resolve(request: Any, incident: Incident, key: str) -> HttpResponse:
    attempt = _of(incident, key).attempts.last()
    if attempt is None:
        raise Http404("Nobody has tried this action yet.")
    form = ResolveForm(*data_of(request), auto_id="id_resolve_%s")
    if form.is_valid():
        with showing_refusals(form):
            four_eyes.propose(
                incident, Act.RESOLVE_UNKNOWN, by=request.user, attempt=str(attempt.pk), **form.cleaned_data
            )
            messages.success(request, WAITS_FOR_SECOND)
            return back("incidents:action", incident, key)
    return show(request, incident, key, resolve=form)


def _of(incident: Incident, key: str) -> Action:
    return get_object_or_404(incident.actions.select_related("connector"), key=key)
