"""The incident report in every form it can be taken away in."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from ninja import Query, Router, Status
from pydantic import BaseModel, Field

from comms.models import Report, ReportState
from comms.reports import files, queue
from comms.reports.request import once_more
from comms.reports.request import request as ask
from incidents import clock
from incidents.api.found import ApiRequest, incident_of
from incidents.api.shapes import api_url, bytes_of
from incidents.models import Incident
from incidents.steps.base import Refused

router = Router(tags=["report"])
RETRY_AFTER_SECONDS = 2


class Rendering(BaseModel):
    """The report is being made: ask again."""

    state: ReportState
    progress: str
    evidence_seq: int = Field(description="The entry of the log that it holds everything up to.")
    retry_after: int = Field(description="Seconds.")
    url: str = Field(description="Answers with this report once it is there, however the log grows meanwhile.")


class Wanted(BaseModel):
    entry: int | None = Field(default=None, ge=1, le=2**53, description="Any report that holds this entry will do.")


_PDF: dict[str, Any] = bytes_of("application/pdf")


@router.get("/{ref}/report.pdf", response={200: None, 202: Rendering}, openapi_extra=_PDF)
def report_pdf(request: ApiRequest, ref: str, wanted: Query[Wanted]) -> Any:
    """The PDF of the log as it stands now; 202 while it is rendered, 409 with the reason when it cannot be."""
    incident = incident_of(request, ref)
    report = queue.newest(incident, since_entry=wanted.entry) if wanted.entry else None
    return _answer(incident, report or ask(incident), request.auth.user)


def _answer(incident: Incident, report: Report, by: Any) -> Any:
    if report.state == ReportState.READY:
        return files.pdf(report, by=by)
    if report.state == ReportState.FAILED:
        problem = report.problem
        if report.finished_at and clock.now() - report.finished_at > queue.TRY_AGAIN_AFTER:
            once_more(report)
        else:
            raise Refused(problem)
    return Status(
        202,
        Rendering(
            state=ReportState(report.state),
            progress=report.progress,
            evidence_seq=report.evidence_seq,
            retry_after=RETRY_AFTER_SECONDS,
            url=f"{api_url(incident)}/report.pdf?entry={report.evidence_seq}",
        ),
    )


@router.get("/{ref}/report.md", response={200: None}, openapi_extra=bytes_of("text/markdown"))
def report_md(request: ApiRequest, ref: str) -> HttpResponseBase:
    """The review as Markdown, for the repository's review folder."""
    return files.review(incident_of(request, ref), by=request.auth.user)


@router.get("/{ref}/followups.csv", response={200: None}, openapi_extra=bytes_of("text/csv"))
def followups_csv(request: ApiRequest, ref: str) -> HttpResponseBase:
    """The follow-ups for a spreadsheet, every cell quoted and none a formula."""
    return files.follow_ups_csv(incident_of(request, ref), by=request.auth.user)


@router.get("/{ref}/followups.beads.jsonl", response={200: None}, openapi_extra=bytes_of("application/x-ndjson"))
def followups_beads(request: ApiRequest, ref: str) -> HttpResponseBase:
    """The follow-ups as beads, one line each, under ids that stay."""
    return files.follow_ups_beads(incident_of(request, ref), by=request.auth.user)
