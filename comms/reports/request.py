"""Asking for a report: the row first, then the bell."""

from __future__ import annotations

from django.db import transaction

from comms import tasks
from comms.models import Report, ReportState
from comms.reports import queue
from incidents.models import Incident
from incidents.tasks import ring


def request(incident: Incident) -> Report:
    """The report of the log as it stands now; rendered once, whoever asks."""
    return _rung(queue.ask(incident.pk))


def once_more(report: Report) -> Report:
    """Try again what could not be rendered."""
    return _rung(queue.again(report))


def _rung(report: Report) -> Report:
    if report.state == ReportState.QUEUED:
        transaction.on_commit(lambda: ring(tasks.render_report, report.pk))
    return report
