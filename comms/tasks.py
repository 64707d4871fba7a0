"""Doorbells: a row id in, one call. Whoever claims a row first works on it; a lost ring is swept up."""

from __future__ import annotations

from celery import shared_task
from django.db.models.functions import Now

from comms import cadence, delivery, telling
from comms.models import Notice, Report
from comms.reports import queue
from incidents.tasks import ring


@shared_task
def deliver(notice_id: str) -> None:
    delivery.run(notice_id)


@shared_task
def tell() -> None:
    telling.check()


@shared_task
def render_report(report_id: str) -> None:
    queue.run(report_id)


@shared_task
def sweep() -> None:
    delivery.take_back()
    queue.take_back()
    queue.ask_for_closed()
    for rows, model, task in ((delivery.due(), Notice, deliver), (queue.due(), Report, render_report)):
        for row_id in list(rows.values_list("pk", flat=True)[:500]):
            if ring(task, row_id):
                model.objects.filter(pk=row_id).update(rung_at=Now())
    telling.check()
    cadence.check()
