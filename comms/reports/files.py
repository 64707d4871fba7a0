"""Reports and exports as answers: handed out as files, never shown inside a page."""

from __future__ import annotations

from django.http import FileResponse, HttpResponse, HttpResponseBase

from comms.models import Report
from incidents import exports
from incidents.models import Incident


def pdf(report: Report) -> HttpResponseBase:
    name = f"{report.incident.reference}-report.pdf"
    response = FileResponse(report.file.open("rb"), as_attachment=True, filename=name, content_type="application/pdf")
    response["Content-Length"] = str(report.size)
    response["ETag"] = f'"{report.sha256}"'
    _shut(response)
    return response


def review(incident: Incident) -> HttpResponse:
    return _file(exports.review(incident), exports.review_name(incident), "text/markdown")


def follow_ups_csv(incident: Incident) -> HttpResponse:
    return _file(exports.follow_ups_csv(incident), f"{incident.reference}-followups.csv", "text/csv")


def follow_ups_beads(incident: Incident) -> HttpResponse:
    name = f"{incident.reference}-followups.beads.jsonl"
    return _file(exports.follow_ups_beads(incident), name, "application/x-ndjson")


def _file(text: str, name: str, media_type: str) -> HttpResponse:
    response = HttpResponse(text.encode(), content_type=f"{media_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    _shut(response)
    return response


def _shut(response: HttpResponseBase) -> None:
    """What leaves as a file is no page of ours, whatever is in it."""
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
