"""Real worker, broker and mail server: an update goes out, a closed incident gets its PDF, a lost ring is swept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from comms import tasks
from comms.models import Notice, NoticeState, Report, ReportState
from incidents import clock
from incidents.evidence import log
from incidents.models import Incident
from incidents.terms import Kind, NoticeKind, Phase
from portal.demo.processes import wait_until
from tests.comms.world import issue, told_crew
from tests.factories import make_incident, walk
from tests.servers.smtp import SmtpSink

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.thorough]


def until(row: Any, state: str, *, seconds: float = 40) -> None:
    """Wait until a row is in a state."""

    def is_there() -> bool:
        row.refresh_from_db()
        return row.state == state

    assert wait_until(is_there, seconds=seconds, every=0.1), row.state


def test_an_issued_update_reaches_every_inbox_and_the_log(worker: object, smtp_sink: SmtpSink) -> None:
    crew = told_crew(*(f"reader{number}@example.test" for number in range(25)))

    notice = issue(make_incident(crew), crew, NoticeKind.A)

    until(notice, NoticeState.SENT)
    assert {str(message["Message-ID"]) for message in smtp_sink.messages} == set(
        notice.deliveries.values_list("message_id", flat=True)
    )
    assert len(smtp_sink.messages) == 25
    assert log.entries_of(notice.incident, Kind.NOTICE_SENT).count() == 1


def test_a_closed_incident_gets_its_report_from_the_worker(worker: object) -> None:
    crew = told_crew()
    incident = make_incident(crew)

    walk(incident, crew, Phase.CLOSED)

    assert wait_until(lambda: Report.objects.filter(incident=incident).exists(), seconds=10)
    until(Report.objects.get(incident=incident), ReportState.READY)


def test_a_sweep_in_the_worker_repeats_a_lost_ring_and_reminds(start_worker: Any, smtp_sink: SmtpSink) -> None:
    crew = told_crew()
    incident = make_incident(crew)
    notice = issue(incident, crew, NoticeKind.A)
    Notice.objects.update(issued_at=clock.now() - timedelta(minutes=1))
    overdue = make_incident(told_crew("other@example.test"))
    Incident.objects.filter(pk=overdue.pk).update(declared_at=clock.now() - timedelta(hours=2))
    start_worker()

    tasks.sweep.apply_async()

    until(notice, NoticeState.SENT)
    assert wait_until(
        lambda: Notice.objects.filter(kind=NoticeKind.REMINDER, state=NoticeState.SENT).exists(), seconds=20
    )
    assert sum("overdue" in str(message["Subject"]) for message in smtp_sink.messages) == 2
