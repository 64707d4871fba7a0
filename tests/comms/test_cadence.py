"""The promise of the next update, and the one reminder when it is not kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from comms import cadence, delivery
from comms.models import Notice
from incidents.evidence import completeness, log
from incidents.models import Incident
from incidents.steps import roles, unfreeze
from incidents.terms import Kind, NoticeKind, Phase, Role
from tests.comms.world import Shift, issue, ready_for_c
from tests.factories import Crew, make_incident
from tests.servers.smtp import SmtpSink

pytestmark = pytest.mark.django_db


def reminders(incident: Incident) -> list[Notice]:
    return list(Notice.objects.filter(incident=incident, kind=NoticeKind.REMINDER).order_by("issued_at"))


def test_the_first_update_is_due_a_cadence_after_the_declaration(crew: Crew, later: Shift) -> None:
    incident = make_incident(crew)
    later(31)
    assert cadence.check() == 0

    later(1.1)
    assert cadence.check() == 1

    assert reminders(incident)[0].slot == incident.declared_at + timedelta(minutes=30)


def test_a_reminder_goes_to_the_communications_owner_and_the_commander(
    crew: Crew, later: Shift, smtp_sink: SmtpSink
) -> None:
    incident = make_incident(crew)
    due_at = issue(incident, crew, NoticeKind.A).next_update_at
    later(33)

    cadence.check()

    [reminder] = reminders(incident)
    owner, commander = crew[Role.COMMUNICATIONS_OWNER], crew.commander
    assert sorted(reminder.deliveries.values_list("email", flat=True)) == sorted([owner.email, commander.email])
    assert f"Status: The update promised for {due_at:%Y-%m-%d %H:%M} UTC has not been sent.\n" in reminder.body
    assert f"/incidents/{incident.reference}/notices/" in reminder.body
    delivery.run(reminder.pk)
    [message] = smtp_sink.to(owner.email)
    assert (
        str(message["Subject"]) == f"Portarium update overdue since {due_at:%Y-%m-%d %H:%M} UTC - {incident.reference}"
    )


def test_a_reminder_reaches_whoever_was_asked_though_nobody_accepted(crew: Crew, later: Shift) -> None:
    incident = make_incident(crew, accepted=False)
    later(33)

    cadence.check()

    emails = set(reminders(incident)[0].deliveries.values_list("email", flat=True))
    assert crew[Role.COMMUNICATIONS_OWNER].email in emails


def test_one_person_in_both_roles_gets_one_mail(crew: Crew, later: Shift) -> None:
    incident = make_incident(crew)
    roles.assign(incident, Role.COMMUNICATIONS_OWNER, user=crew.commander, by=crew.commander)
    later(33)

    cadence.check()

    assert reminders(incident)[0].deliveries.count() == 1


def test_a_promised_slot_is_reminded_once_and_the_next_promise_anew(crew: Crew, later: Shift) -> None:
    incident = make_incident(crew)
    first = issue(incident, crew, NoticeKind.A).next_update_at
    later(33)
    for _ in range(3):
        cadence.check()
        later(20)
    assert [reminder.slot for reminder in reminders(incident)] == [first]

    second = issue(incident, crew, NoticeKind.B).next_update_at
    later(33)
    cadence.check()

    assert [reminder.slot for reminder in reminders(incident)] == [first, second]


def test_after_an_outage_of_days_there_is_one_reminder(crew: Crew, later: Shift) -> None:
    incident = make_incident(crew)
    issue(incident, crew, NoticeKind.A)
    later(60 * 48)

    for _ in range(4):
        cadence.check()

    assert len(reminders(incident)) == 1


def test_an_update_in_time_needs_no_reminder(crew: Crew, later: Shift) -> None:
    incident = make_incident(crew)
    issue(incident, crew, NoticeKind.A)
    later(29)
    issue(incident, crew, NoticeKind.B)
    later(29)

    assert cadence.check() == 0
    assert reminders(incident) == []


def test_nobody_is_reminded_after_the_last_update_or_the_end(crew: Crew, later: Shift) -> None:
    incident = make_incident(crew)
    issue(incident, crew, NoticeKind.A)
    issue(incident, crew, NoticeKind.B)
    ready_for_c(incident, crew)
    issue(incident, crew, NoticeKind.C)
    later(60 * 24)
    assert cadence.check() == 0

    Incident.objects.update(phase=Phase.CLOSED)
    assert cadence.check() == 0


def test_a_reminder_is_in_the_log_and_changes_no_promise(crew: Crew, later: Shift) -> None:
    incident = make_incident(crew)
    promised = issue(incident, crew, NoticeKind.A).next_update_at
    later(33)

    cadence.check()

    entry = log.entries_of(incident, Kind.NOTICE_ISSUED).last()
    incident.refresh_from_db()
    assert (entry.body["notice"], entry.body["next_update_at"], entry.body["recipients"]) == ("reminder", None, 2)
    assert entry.actor["kind"] == "system"
    assert unfreeze.next_update_due(incident) == promised


def test_a_drills_reminder_says_drill(crew: Crew, later: Shift) -> None:
    incident = make_incident(crew, drill=True)
    later(33)

    cadence.check()

    assert reminders(incident)[0].subject.startswith("DRILL - Portarium update overdue")


def test_a_clock_that_jumps_ahead_and_back_reminds_once_for_a_slot(crew: Crew, later: Shift) -> None:
    incident = make_incident(crew)
    promised = issue(incident, crew, NoticeKind.A).next_update_at
    for minutes in (60, -60, 33, 60, -60, 0):
        later(minutes)
        cadence.check()

    assert [reminder.slot for reminder in reminders(incident)] == [promised]
    assert log.verify(incident.chain).is_intact


def test_an_update_that_was_issued_ahead_of_the_clock_keeps_its_promise(crew: Crew, later: Shift) -> None:
    """The clock was an hour ahead and was put right: what was promised is what readers have in hand."""
    incident = make_incident(crew)
    later(60)
    promised = issue(incident, crew, NoticeKind.A).next_update_at
    later(-60)

    assert cadence.check() == 0
    assert unfreeze.next_update_due(incident) == promised
    later(93)
    assert cadence.check() == 1
    assert cadence.check() == 0


@pytest.mark.parametrize("night", ["2026-03-29T00:40:00Z", "2026-10-25T00:40:00Z", "2026-10-25T01:10:00Z"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
def test_slots_are_a_cadence_apart_while_the_clocks_change(crew: Crew, zone: str, night: str) -> None:
    with timezone.override(zone), time_machine.travel(night, tick=False) as hand:
        incident = make_incident(crew)
        slots = [issue(incident, crew, NoticeKind.A).next_update_at]
        for _ in range(4):
            hand.shift(timedelta(minutes=29))
            assert cadence.check() == 0
            hand.shift(timedelta(minutes=1))
            slots.append(issue(incident, crew, NoticeKind.B, body=f"Word {len(slots)}.").next_update_at)

    assert {after - before for before, after in pairwise(slots)} == {timedelta(minutes=30)}
    assert reminders(incident) == []


# A reminder that comes too late -------------------------------------------------------------------------------------


def test_a_reminder_is_not_sent_any_more_once_the_update_is_issued(
    crew: Crew, later: Shift, smtp_sink: SmtpSink, signed_in: Callable[[Any], Client]
) -> None:
    incident = make_incident(crew)
    later(33)
    cadence.check()
    issue(incident, crew, NoticeKind.A)

    [reminder] = reminders(incident)
    delivery.run(reminder.pk)

    assert smtp_sink.messages == []
    assert {copy.answer for copy in reminder.deliveries.all()} == {"Not needed: the update was issued first."}
    assert log.entries_of(incident, Kind.NOTE_ADDED).last().body["sentence"] == (
        "Update overdue was not sent: the update was issued first"
    )
    assert completeness.check(incident) == []
    assert list(Notice.objects.missed_by(crew.commander)) == []
    page = f"/incidents/{incident.reference}/notices/{reminder.pk}/"
    shown = signed_in(crew.commander).get(page).content.decode()
    assert "Not sent <small>the update was issued first</small>" in shown
    assert "/again/" not in shown


def test_a_reminder_that_is_still_true_is_sent_however_late(crew: Crew, later: Shift, smtp_sink: SmtpSink) -> None:
    incident = make_incident(crew)
    later(33)
    cadence.check()
    later(60 * 5)

    delivery.run(reminders(incident)[0].pk)

    assert len(smtp_sink.messages) == 2


def test_an_update_is_sent_however_many_came_after_it(crew: Crew, later: Shift, smtp_sink: SmtpSink) -> None:
    incident = make_incident(crew)
    issued = [issue(incident, crew, NoticeKind.A)]
    for number in range(3):
        later(30)
        issued.append(issue(incident, crew, NoticeKind.B, body=f"Word {number}."))

    for notice in reversed(issued):
        delivery.run(notice.pk)

    assert sorted(message["X-Sequence"] for message in smtp_sink.to("ops@example.test")) == ["1", "2", "3", "4"]
