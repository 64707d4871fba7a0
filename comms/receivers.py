"""What comms does when an entry was recorded: an issued update goes out, people are told, a report is made."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from comms import tasks
from comms.reports import queue
from comms.telling import NEWS
from incidents.evidence.signals import entry_recorded
from incidents.tasks import ring
from incidents.terms import Kind


@receiver(entry_recorded, dispatch_uid="comms-listen")
def listen(incident_id: int, kind: Kind, body: dict[str, Any], **_: Any) -> None:
    if kind in (Kind.NOTICE_ISSUED, Kind.NOTICE_RETRIED) and "notice_id" in body:
        ring(tasks.deliver, body["notice_id"])
    elif kind in NEWS:
        ring(tasks.tell)
    elif kind == Kind.CLOSED:
        ring(tasks.render_report, queue.ask(incident_id).pk)
