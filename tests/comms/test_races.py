"""Several workers, sweeps and people at once: one copy each, one entry, one reminder, one winner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from comms import cadence, delivery, notices
from comms.models import Notice, Report
from comms.reports import queue
from incidents import clock
from incidents.evidence import log
from incidents.models import Incident
from incidents.steps.base import Refused
from incidents.terms import Kind, NoticeKind
from tests.comms.world import issue, told_crew
from tests.factories import make_incident
from tests.servers.smtp import SmtpSink

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.thorough]


def at_once(number: int, act: Callable[[], Any]) -> list[Any]:
    """Let threads begin the same act together; a refusal is an outcome like any other."""
    barrier = Barrier(number)

    def run() -> Any:
        barrier.wait()
        try:
            return act()
        except Refused as refused:
            return refused
        finally:
            connections.close_all()

    with ThreadPoolExecutor(number) as pool:
        return [future.result() for future in [pool.submit(run) for _ in range(number)]]


def test_workers_at_once_send_each_copy_once_and_say_so_once(smtp_sink: SmtpSink) -> None:
    crew = told_crew(*(f"reader{number}@example.test" for number in range(60)))
    notice = issue(make_incident(crew), crew, NoticeKind.A)

    at_once(6, lambda: delivery.run(notice.pk))

    counted = Counter(str(message["Message-ID"]) for message in smtp_sink.messages)
    assert counted == dict.fromkeys(notice.deliveries.values_list("message_id", flat=True), 1)
    assert log.entries_of(notice.incident, Kind.NOTICE_SENT).count() == 1
    assert set(notice.deliveries.values_list("state", flat=True)) == {"sent"}


def test_workers_at_once_with_a_fussy_server_lose_nothing(smtp_sink: SmtpSink) -> None:
    addresses = [f"reader{number}@example.test" for number in range(30)]
    crew = told_crew(*addresses)
    notice = issue(make_incident(crew), crew, NoticeKind.A)
    smtp_sink.answers |= dict.fromkeys(addresses[::3], "451 later") | {addresses[1]: "550 never"}

    at_once(4, lambda: delivery.run(notice.pk))
    smtp_sink.answers.pop(addresses[0])
    for address in addresses[::3]:
        smtp_sink.answers.pop(address, None)
    notice.deliveries.filter(state="queued").update(not_before=clock.now() - timedelta(minutes=1))
    at_once(4, lambda: delivery.run(notice.pk))

    [entry] = log.entries_of(notice.incident, Kind.NOTICE_SENT)
    assert (entry.body["sent"], entry.body["failed"], len(smtp_sink.messages)) == (29, 1, 29)


def test_sweeps_at_once_remind_once(settings: object) -> None:
    settings.OVERDUE_GRACE_SECONDS = 0
    crew = told_crew()
    incident = make_incident(crew)
    Incident.objects.update(declared_at=clock.now() - timedelta(hours=1))

    reminded = at_once(5, cadence.check)

    assert sum(reminded) == 1
    assert Notice.objects.filter(incident=incident, kind=NoticeKind.REMINDER).count() == 1


def test_a_form_sent_twice_is_one_update() -> None:
    crew = told_crew()
    incident = make_incident(crew)
    words = notices.fresh(incident, NoticeKind.A)
    said = {"subject": "A plain subject", "body": words.body, "next_update_at": words.next_update_at}

    outcomes = at_once(4, lambda: notices.issue(incident, NoticeKind.A, **said, by=crew.commander))

    assert sum(isinstance(outcome, Notice) for outcome in outcomes) == 1
    assert Notice.objects.get().sequence == 1


def test_reports_asked_for_at_once_are_one_and_are_rendered_once() -> None:
    crew = told_crew()
    incident = make_incident(crew)

    asked = at_once(5, lambda: queue.ask(incident.pk).pk)
    claimed = at_once(5, lambda: queue.claim(asked[0]))

    assert len(set(asked)) == Report.objects.count() == 1
    assert sum(report is not None for report in claimed) == 1
