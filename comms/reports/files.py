"""Reports and exports as answers: handed out as files, never shown inside a page."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpResponse, HttpResponseBase

from comms.models import Report
from incidents import exports
from incidents.evidence import custody, log
from incidents.evidence.bundle import Built
from incidents.models import Incident


def pdf(report: Report, *, by: Any) -> HttpResponseBase:
    """The report as it was rendered; that it was handed out is on record."""
    content = report.file.open("rb")
    log.append_custody(
        report.incident,
        by=by,
        sentence=f"Report up to entry {report.evidence_seq} handed out",
        what="report",
        sha256=report.sha256,
        size=report.size,
        entries=report.evidence_seq,
    )
    name = f"{report.incident.reference}-report.pdf"
    response = FileResponse(content, as_attachment=True, filename=name, content_type="application/pdf")
    response["Content-Length"] = str(report.size)
    response["ETag"] = f'"{report.sha256}"'
    _shut(response)
    return response


def bundle(built: Built) -> HttpResponseBase:
    response = FileResponse(built.file, as_attachment=True, filename=built.name, content_type="application/zip")
    response["Content-Length"] = str(built.size)
    response["ETag"] = f'"{built.sha256}"'
    _shut(response)
    return response


def review(incident: Incident, *, by: Any) -> HttpResponse:
    return _file(incident, exports.review(incident), exports.review_name(incident), "text/markdown", "review", by)


def follow_ups_csv(incident: Incident, *, by: Any) -> HttpResponse:
    name = f"{incident.reference}-followups.csv"
    return _file(incident, exports.follow_ups_csv(incident), name, "text/csv", "follow-ups", by)


def follow_ups_beads(incident: Incident, *, by: Any) -> HttpResponse:
    name = f"{incident.reference}-followups.beads.jsonl"
    return _file(incident, exports.follow_ups_beads(incident), name, "application/x-ndjson", "beads", by)


def _file(incident: Incident, text: str, name: str, media_type: str, what: str, by: Any) -> HttpResponse:
    content = text.encode()
    custody.export(incident, content, what=what, by=by)
    response = HttpResponse(content, content_type=f"{media_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    _shut(response)
    return response


def _shut(response: HttpResponseBase) -> None:
    """What leaves as a file is no page of ours, whatever is in it."""
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
