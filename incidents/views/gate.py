"""One gate: run it or record it by hand, explain a failure that is older than the cycle, sign off a risk."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django_htmx.http import HttpResponseClientRefresh

from incidents import policy
from incidents.board import GateState, of
from incidents.forms.fields import data_of
from incidents.forms.verify import BaselineForm, RecordForm, RiskForm
from incidents.models import Gate, Incident
from incidents.models.verify import RUNNING
from incidents.steps import four_eyes
from incidents.steps import verify as steps
from incidents.terms import Act, GateOutcome, Role
from incidents.views.acts import Offer, back, bring, offer, receive, waiting
from incidents.views.base import incident_page, showing_refusals, telling_refusals
from incidents.views.step_page import holder_of, render_step


@incident_page("verify")
def gate(request: Any, incident: Incident, gate: str) -> HttpResponse:
    page = _page(request, incident, gate)
    return page if not request.htmx or _is_running(incident, gate) else HttpResponseClientRefresh()


@incident_page("verify", Act.RUN_GATE)
def run(request: Any, incident: Incident, gate: str) -> HttpResponse:
    if request.method == "POST":
        with telling_refusals(request):
            steps.ask_for_run(_of(incident, gate), by=request.user)
            messages.success(request, "Asked for: the check runs now.")
    return back("incidents:gate", incident, gate)


@incident_page("verify", Act.RECORD_GATE)
def record(request: Any, incident: Incident, gate: str) -> HttpResponse:
    checked = _of(incident, gate)
    form = RecordForm(*data_of(request), auto_id="id_record_%s")
    if form.is_valid():
        with showing_refusals(form):
            owner = _as(request, checked)
            received = receive(request, incident, owner, form.brought)
            with transaction.atomic():
                if received:
                    bring(request, incident, f"gate:{gate}", owner, **received)
                said = {name: form.cleaned_data[name] for name in ("outcome", "note", "happened_at")}
                steps.record_by_hand(checked, **said, by=request.user)
            messages.success(request, "Recorded.")
            return back("incidents:gate", incident, gate)
    return _page(request, incident, gate, record=form)


@incident_page("verify", Act.ACCEPT_BASELINE)
def baseline(request: Any, incident: Incident, gate: str) -> HttpResponse:
    form = BaselineForm(*data_of(request), auto_id="id_baseline_%s")
    if form.is_valid():
        with showing_refusals(form):
            steps.accept_baseline(_of(incident, gate), by=request.user, **form.cleaned_data)
            messages.success(request, "Captured as a baseline blocker. It is still no pass: sign off the risk.")
            return back("incidents:gate", incident, gate)
    return _page(request, incident, gate, baseline=form)


@incident_page("verify", Act.ACCEPT_RISK)
def risk(request: Any, incident: Incident, gate: str) -> HttpResponse:
    form = RiskForm(*data_of(request), auto_id="id_risk_%s")
    if form.is_valid():
        with showing_refusals(form):
            four_eyes.propose(
                incident, Act.ACCEPT_RISK, by=request.user, gate=_of(incident, gate).key, **form.cleaned_data
            )
            messages.success(request, "Proposed. The risk is accepted once a second person has confirmed it.")
            return back("incidents:gate", incident, gate)
    return _page(request, incident, gate, risk=form)


def _of(incident: Incident, key: str) -> Gate:
    return get_object_or_404(incident.gates.select_related("connector"), key=key)


def _is_running(incident: Incident, key: str) -> bool:
    """Whether a probe or command has it: then its page follows along."""
    runs = [run for gate in incident.gates.all() if gate.key == key for run in gate.runs.all()]
    return any(run.state in RUNNING for run in runs)


def _as(request: Any, checked: Gate) -> Role:
    """The role in which the person records a gate, and so brings its evidence."""
    return policy.role_for(request.held, Act.RECORD_GATE) or Role(checked.owner)


def _page(request: Any, incident: Incident, key: str, **bound: Any) -> HttpResponse:
    board = of(incident, timeline_rows=0)
    state = next((found for found in board.gates if found.gate.key == key), None)
    if state is None:
        raise Http404("No such gate in this incident.")
    failed = state.run is not None and state.run.outcome in (GateOutcome.FAIL, GateOutcome.ERROR)
    proposals = waiting(request, board, Act.ACCEPT_RISK, gate=key)
    context = {
        "gate": state.gate,
        "here": reverse("incidents:gate", args=[incident.reference, key]),
        "state": state,
        "role": Role(state.gate.owner),
        "holder": holder_of(board, state.gate.owner),
        "text": incident.book.gate(key),
        "can_run": steps.can_run(state.gate),
        "runs": state.gate.runs.select_related("by", "target", "baseline_blocker").order_by("-asked_at"),
        "can_explain": failed and state.gate.allows_baseline_blocker and not hasattr(state.run, "baseline_blocker"),
        "can_be_carried": failed and not state.risk and not proposals,
        "exhibits": [exhibit for exhibit in incident.exhibits.all() if exhibit.subject == f"gate:{key}"],
        "proposals": proposals,
        "offers": _offers(request, incident, state),
        "forms": {
            "record": bound.get("record") or RecordForm(auto_id="id_record_%s"),
            "baseline": bound.get("baseline") or BaselineForm(auto_id="id_baseline_%s"),
            "risk": bound.get("risk") or RiskForm(auto_id="id_risk_%s"),
        },
    }
    return render_step(request, "incidents/gate.html", board, "verify", context, gate=key)


def _offers(request: Any, incident: Incident, state: GateState) -> dict[str, Offer]:
    blockers = {
        "run": (Act.RUN_GATE, steps.run_blockers),
        "record": (Act.RECORD_GATE, steps.record_blockers),
        "baseline": (Act.ACCEPT_BASELINE, steps.baseline_blockers),
        "risk": (Act.ACCEPT_RISK, steps.risk_blockers),
    }
    return {word: offer(request, incident, act, found(state.gate)) for word, (act, found) in blockers.items()}
