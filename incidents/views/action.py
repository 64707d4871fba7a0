"""One action of the rollback: what will run, who agreed, how it went; by its connector or by hand."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django_htmx.http import HttpResponseClientRefresh

from incidents.board import Board, ProposalState, of
from incidents.board.states import planned_state
from incidents.forms.fields import data_of
from incidents.forms.rollback import CompleteForm, ReasonForm, ResolveForm
from incidents.models import Action, Incident
from incidents.steps import attempts, four_eyes
from incidents.steps import rollback as steps
from incidents.templatetags.look import kind_of
from incidents.terms import Act, ActionState, AttemptState, Role
from incidents.views.acts import Offer, back, bring, offer, waiting
from incidents.views.base import incident_page, showing_refusals, telling_refusals
from incidents.views.step_page import holder_of, render_step

WAITS_FOR_SECOND = "Proposed. It happens once a second person has confirmed it."


@incident_page("rollback")
def action(request: Any, incident: Incident, key: str) -> HttpResponse:
    page = _page(request, incident, key)
    return page if not request.htmx or _is_running(incident, key) else HttpResponseClientRefresh()


@incident_page("rollback")
def approve(request: Any, incident: Incident, key: str) -> HttpResponse:
    if request.method == "POST":
        seen = request.POST.get("digest") or "nothing"
        with telling_refusals(request):
            approval = steps.approve(_of(incident, key), by=request.user, digest=seen)
            messages.success(request, f"Approved until {approval.expires_at:%H:%M} UTC.")
    return back("incidents:action", incident, key)


@incident_page("rollback")
def dispatch(request: Any, incident: Incident, key: str) -> HttpResponse:
    if request.method == "POST":
        with telling_refusals(request):
            attempt = steps.dispatch(_of(incident, key), by=request.user)
            messages.success(request, "Begun by hand." if attempt.by_hand else "Queued for its connector.")
    return back("incidents:action", incident, key)


@incident_page("rollback")
def complete(request: Any, incident: Incident, key: str) -> HttpResponse:
    doing = _of(incident, key)
    form = CompleteForm(*data_of(request), auto_id="id_complete_%s")
    if form.is_valid():
        with showing_refusals(form), transaction.atomic():
            if form.brought:
                bring(request, incident, f"action:{key}", Role(doing.owner), **form.brought)
            steps.complete(
                doing, succeeded=form.cleaned_data["succeeded"], result=form.cleaned_data["result"], by=request.user
            )
            messages.success(request, "Recorded.")
            return back("incidents:action", incident, key)
    return _page(request, incident, key, complete=form)


@incident_page("rollback")
def abort(request: Any, incident: Incident, key: str) -> HttpResponse:
    form = ReasonForm(*data_of(request), auto_id="id_abort_%s")
    if form.is_valid():
        with showing_refusals(form):
            steps.abort(_of(incident, key), by=request.user, reason=form.cleaned_data["reason"])
            messages.success(request, "Called back. Nothing left the portal.")
            return back("incidents:action", incident, key)
    return _page(request, incident, key, abort=form)


@incident_page("rollback")
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
    return _page(request, incident, key, waive=form)


@incident_page("rollback")
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
    return _page(request, incident, key, resolve=form)


def _of(incident: Incident, key: str) -> Action:
    return get_object_or_404(incident.actions.select_related("connector"), key=key)


def _is_running(incident: Incident, key: str) -> bool:
    """Whether a connector has it: then its page follows along."""
    live = steps.live_attempt(_loaded(incident, key))
    return live is not None and not live.by_hand and live.state != AttemptState.UNKNOWN


def _loaded(incident: Incident, key: str) -> Action:
    found = next((action for action in incident.actions.all() if action.key == key), None)
    if found is None:
        raise Http404("No such action in this incident.")
    return found


def _page(request: Any, incident: Incident, key: str, **bound: Any) -> HttpResponse:
    board = of(incident, timeline_rows=0)
    shown = _loaded(incident, key)
    digest = steps.spec_digest(shown, board.target) if board.target else ""
    approval = steps.valid_approval(shown, digest, board.at)
    context = {
        "action": shown,
        "here": reverse("incidents:action", args=[incident.reference, key]),
        "role": Role(shown.owner),
        "holder": holder_of(board, shown.owner),
        "text": next((text for text in incident.book.actions if text.key == key), None),
        "target": board.target,
        "digest": digest,
        "spec": _spec(shown),
        "by_hand": steps.is_by_hand(shown),
        "needs_second": steps.needs_second(shown),
        "approval": approval,
        "owns": Role(shown.owner) in request.held,
        "kind": kind_of(shown.state).replace("unknown", "bad"),
        "headline": _headline(board, shown),
        "live": steps.live_attempt(shown),
        "is_running": _is_running(incident, key),
        "attempts": shown.attempts.select_related("requested_by", "approved_by").order_by("-number"),
        "exhibits": [exhibit for exhibit in incident.exhibits.all() if exhibit.subject == f"action:{key}"],
        "waiver_needs_second": steps.waiver_needs_second(shown),
        "offers": _offers(request, board, shown),
        "proposals": _proposals(request, board, shown),
        "forms": {
            "complete": bound.get("complete") or CompleteForm(auto_id="id_complete_%s"),
            "abort": bound.get("abort") or ReasonForm(auto_id="id_abort_%s"),
            "waive": bound.get("waive") or ReasonForm(auto_id="id_waive_%s"),
            "resolve": bound.get("resolve") or ResolveForm(auto_id="id_resolve_%s"),
        },
    }
    return render_step(request, "incidents/action.html", board, "rollback", context, action=key)


def _headline(board: Board, shown: Action) -> str:
    """How it stands, in the fewest words: what a planned action waits for is the fact."""
    if shown.state != ActionState.PLANNED:
        return str(shown.get_state_display())
    _, word = planned_state(shown, board.at)
    return {"next": "Ready", "second person": "Needs approval"}.get(word, f"Waits, {word}")


def _spec(shown: Action) -> str:
    """The arguments and the connector's settings, as the digest covers them. Secrets are references here."""
    found = {"arguments": shown.arguments} | ({"settings": shown.connector.config} if shown.connector else {})
    return json.dumps(found, indent=2, ensure_ascii=False, sort_keys=True) if any(found.values()) else ""


def _proposals(request: Any, board: Board, shown: Action) -> list[ProposalState]:
    about = [(Act.RESOLVE_UNKNOWN, {"attempt": str(attempt.pk)}) for attempt in shown.attempts.all()]
    about.append((Act.WAIVE_ACTION, {"action": shown.key}))
    return [state for act, arguments in about for state in waiting(request, board, act, **arguments)]


def _offers(request: Any, board: Board, shown: Action) -> dict[str, Offer]:
    by, at = request.user, board.at
    unknown = next((a for a in shown.attempts.all() if a.state == AttemptState.UNKNOWN), None)
    blockers: dict[str, tuple[Act, list[str]]] = {
        "approve": (Act.APPROVE_ACTION, steps.plan_blockers(board.incident) or steps.approve_blockers(shown)),
        "dispatch": (Act.DISPATCH_ACTION, steps.dispatch_blockers(shown, by, at)),
        "complete": (Act.COMPLETE_ACTION, steps.complete_blockers(shown, by, at)),
        "abort": (Act.ABORT_ACTION, steps.abort_blockers(shown)),
        "waive": (Act.WAIVE_ACTION, steps.waive_blockers(shown)),
        "resolve": (Act.RESOLVE_UNKNOWN, attempts.resolve_blockers(unknown, at) if unknown else []),
    }
    return {
        word: offer(request, board.incident, act, found, Role(shown.owner)) for word, (act, found) in blockers.items()
    }
