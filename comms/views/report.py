"""The incident report: its state, how far the renderer is, and every form it can be taken away in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from comms.models import ReportState
from comms.reports import files, queue
from comms.reports.request import once_more
from comms.reports.request import request as ask
from incidents import board as boards
from incidents import exports
from incidents.models import EvidenceChain, Incident
from incidents.views.acts import back
from incidents.views.base import STEP_DECIDES, incident_page, render_incident

_KINDS: dict[str, str] = {
    ReportState.QUEUED: "wait",
    ReportState.RENDERING: "run",
    ReportState.READY: "ok",
    ReportState.FAILED: "bad",
}
AT_WORK = (ReportState.QUEUED, ReportState.RENDERING)


@incident_page("report")
def page(request: Any, incident: Incident) -> HttpResponse:
    head = EvidenceChain.objects.get(incident=incident)
    newest = queue.newest(incident)
    ready = queue.newest_ready(incident)
    context = {
        "board": boards.of(incident, timeline_rows=0),
        "heading": "Incident report",
        "head": head,
        "report": newest,
        "ready": ready,
        "newer_entries": head.seq - ready.evidence_seq if ready else 0,
        "report_kind": _KINDS[newest.state] if newest else "wait",
        "is_at_work": newest is not None and newest.state in AT_WORK,
        "review_path": settings.REVIEW_PATH,
        "review_name": exports.review_name(incident),
        "follow_ups": incident.follow_ups.count(),
    }
    return render_incident(request, "comms/report.html", incident, context)


@incident_page("report", STEP_DECIDES)
@require_POST
def make(request: Any, incident: Incident) -> HttpResponse:
    """Ask for a report of the log as it stands now, or try once more what failed."""
    report = ask(incident)
    if report.state == ReportState.FAILED:
        report = once_more(report)
    if report.state == ReportState.READY:
        messages.success(request, "The report is up to date.")
    return back("comms:report", incident)


@incident_page("report")
@require_GET
def pdf(request: Any, incident: Incident) -> Any:
    """The PDF of the log as it stands now; while it is rendered, the page that shows how far it is."""
    entry = request.GET.get("entry", "")
    report = queue.newest(incident, since_entry=int(entry[:18])) if entry.isdecimal() else None
    report = report or ask(incident)
    return files.pdf(report, by=request.user) if report.state == ReportState.READY else back("comms:report", incident)


@incident_page("report")
@require_GET
def markdown(request: Any, incident: Incident) -> HttpResponse:
    return files.review(incident, by=request.user)


@incident_page("report")
@require_GET
def follow_ups_csv(request: Any, incident: Incident) -> HttpResponse:
    return files.follow_ups_csv(incident, by=request.user)


@incident_page("report")
@require_GET
def follow_ups_beads(request: Any, incident: Incident) -> HttpResponse:
    return files.follow_ups_beads(incident, by=request.user)
