"""A report's way: asked for, claimed by one worker, rendered, kept; a lost worker's report is taken up again."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from comms.models import Report, ReportState
from comms.reports import document, process
from comms.reports.process import Rendered, Stopped
from incidents import clock
from incidents.models import EvidenceChain, Incident
from incidents.terms import Phase

MOST_TRIES = 3
RING_AGAIN = timedelta(seconds=20)
TRY_AGAIN_AFTER = timedelta(seconds=30)
TELL_EVERY_SECONDS = 0.5
CLOSED_LATELY = timedelta(days=7)
_MARGIN_SECONDS = 60


def ask(incident_id: int) -> Report:
    """The report of the log as it stands now. Whoever asks at the same entry gets the same row."""
    seq = EvidenceChain.objects.values_list("seq", flat=True).get(incident=incident_id)
    report, _ = Report.objects.get_or_create(
        incident_id=incident_id, evidence_seq=seq, defaults={"asked_at": clock.now()}
    )
    return report


def again(report: Report) -> Report:
    """Queue a report that failed once more."""
    failed = Report.objects.filter(pk=report.pk, state=ReportState.FAILED)
    failed.update(state=ReportState.QUEUED, tries=0, problem="", rung_at=None, asked_at=clock.now())
    report.refresh_from_db()
    return report


def newest(incident: Incident, *, since_entry: int | None = None) -> Report | None:
    """The newest report, or the first that holds the log up to an entry."""
    reports = Report.objects.filter(incident=incident)
    if since_entry is None:
        return reports.order_by("evidence_seq").last()
    return reports.filter(evidence_seq__gte=since_entry, state=ReportState.READY).order_by("evidence_seq").first()


def newest_ready(incident: Incident) -> Report | None:
    return Report.objects.filter(incident=incident, state=ReportState.READY).order_by("evidence_seq").last()


# Rendering ----------------------------------------------------------------------------------------------------------


def claim(report_id: uuid.UUID | str) -> Report | None:
    """Take a queued report. One winner; None for everyone else."""
    lease = Now() + timedelta(seconds=settings.REPORT_SECONDS + _MARGIN_SECONDS)
    won = Report.objects.filter(pk=report_id, state=ReportState.QUEUED).update(
        state=ReportState.RENDERING, epoch=F("epoch") + 1, tries=F("tries") + 1, lease_until=lease, progress=""
    )
    return Report.objects.select_related("incident").get(pk=report_id) if won else None


def run(report_id: uuid.UUID | str) -> None:
    """Render one queued report. Called any number of times, one worker renders it."""
    report = claim(report_id)
    if report is None:
        return
    written = document.written(report.incident)
    if not _stands_at(report, written.seq):
        return
    try:
        rendered = process.render(
            written.html,
            identifier=written.identifier,
            seconds=settings.REPORT_SECONDS,
            memory_bytes=settings.REPORT_MEMORY_BYTES,
            evidence=written.evidence,
            at=written.at,
            tell=_teller(report),
        )
    except Stopped as problem:
        _held(report).update(state=ReportState.FAILED, problem=str(problem), finished_at=clock.now())
        return
    keep(report, written.seq, rendered)


def _held(report: Report) -> Any:
    """The row, if it is still this worker's."""
    return Report.objects.filter(pk=report.pk, state=ReportState.RENDERING, epoch=report.epoch)


def _stands_at(report: Report, seq: int) -> bool:
    """Say which entry the report was written at: the log may have grown since it was asked for.

    False when a report of that entry was asked for as well: that one is made, this one is not needed.
    """
    try:
        with transaction.atomic():
            moved: int = _held(report).update(evidence_seq=seq)
    except IntegrityError:
        _held(report).delete()
        return False
    return moved == 1


def _teller(report: Report) -> Callable[[str], None]:
    last = 0.0

    def tell(progress: str) -> None:
        nonlocal last
        if time.monotonic() - last >= TELL_EVERY_SECONDS:
            last = time.monotonic()
            _held(report).update(progress=progress)

    return tell


def keep(report: Report, seq: int, rendered: Rendered) -> None:
    name = f"{report.incident.reference}-{seq}.pdf"
    report.file.save(name, ContentFile(rendered.content), save=False)
    kept = _held(report).update(
        state=ReportState.READY,
        file=report.file.name,
        pages=rendered.pages,
        size=len(rendered.content),
        sha256=rendered.sha256,
        problem="",
        finished_at=clock.now(),
    )
    if not kept:
        report.file.delete(save=False)


# What a lost nudge or worker left undone ----------------------------------------------------------------------------


def due() -> Any:
    """Queued reports whose bell was never rung, or rung long ago."""
    long_ago = Now() - RING_AGAIN
    quiet = Q(rung_at=None, asked_at__lt=long_ago) | Q(rung_at__lt=long_ago)
    return Report.objects.filter(quiet, state=ReportState.QUEUED)


def take_back() -> None:
    """Queue again what a worker held when it was lost; say so when it was lost every time."""
    lapsed = Report.objects.filter(state=ReportState.RENDERING, lease_until__lt=Now())
    lapsed.filter(tries__lt=MOST_TRIES).update(state=ReportState.QUEUED, rung_at=None)
    lost = f"The worker was lost {MOST_TRIES} times while it made this report."
    lapsed.update(state=ReportState.FAILED, problem=lost, finished_at=Now())


def ask_for_closed() -> None:
    """An incident that was closed lately has its report, also when the nudge was lost."""
    lately = clock.now() - CLOSED_LATELY
    for incident_id in Incident.objects.filter(phase=Phase.CLOSED, ended_at__gt=lately, reports=None).values_list(
        "pk", flat=True
    ):
        ask(incident_id)
