"""A copy's way: sent at least once under one Message-ID, whatever the mail server does."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
import time_machine
from django.db.models import F
from django.db.models.functions import Now

from comms import delivery
from comms.models import Delivery, DeliveryState, Notice, NoticeState
from comms.senders import Senders
from comms.smtp import CUT_OFF, CUTS_IN_A_ROW, Line, Outcome, Verdict
from incidents import clock
from incidents.evidence import log
from incidents.models import EvidenceEntry
from incidents.steps import unfreeze
from incidents.terms import Kind, NoticeKind, Phase
from tests.comms.hostile import hostile_server
from tests.comms.world import arrive, issue, ready_for_c, told_crew
from tests.factories import Crew, make_incident, walk
from tests.servers.smtp import SmtpSink

pytestmark = pytest.mark.django_db


@pytest.fixture
def notice(crew: Crew) -> Notice:
    return issue(make_incident(crew), crew, NoticeKind.A)


def states(notice: Notice) -> dict[str, str]:
    return dict(notice.deliveries.values_list("email", "state"))


def sent_entries(notice: Notice) -> list[EvidenceEntry]:
    return list(log.entries_of(notice.incident, Kind.NOTICE_SENT))


def make_due(notice: Notice) -> None:
    notice.deliveries.filter(state=DeliveryState.QUEUED).update(not_before=F("not_before") - timedelta(days=2))


def test_each_recipient_gets_the_frozen_bytes_alone(notice: Notice, smtp_sink: SmtpSink) -> None:
    delivery.run(notice.pk)

    assert states(notice) == {"ops@example.test": "sent", "board@example.test": "sent"}
    for copy in notice.deliveries.all():
        [message] = smtp_sink.to(copy.email)
        assert message["Message-ID"] == copy.message_id
        assert message["To"].addresses[0].addr_spec == copy.email
        assert "board@" not in str(message) or copy.email.startswith("board@")


def test_the_log_says_once_what_was_sent_with_the_hash_of_every_mail(notice: Notice, smtp_sink: SmtpSink) -> None:
    delivery.run(notice.pk)
    delivery.run(notice.pk)
    delivery.settle(notice.pk)

    [entry] = sent_entries(notice)
    notice.refresh_from_db()
    copies = notice.deliveries.order_by("message_id")
    assert entry.body == {
        "sentence": "Update A sent to 2 of 2",
        "incident": notice.incident.reference,
        "notice": "A",
        "notice_id": str(notice.pk),
        "sent": 2,
        "failed": 0,
        "copies": [{"message_id": copy.message_id, "sha256": copy.sha256} for copy in copies],
        "act": "settle_notice",
    }
    assert entry.actor == {"kind": "system", "name": "lastgood"}
    assert (notice.state, notice.sent_at) == (NoticeState.SENT, entry.at)
    assert len(smtp_sink.messages) == 2
    assert log.verify(notice.incident.chain).is_intact


def test_a_refused_recipient_fails_for_good_and_the_others_get_theirs(notice: Notice, smtp_sink: SmtpSink) -> None:
    smtp_sink.answers["ops@example.test"] = "550 5.1.1 no such person"

    delivery.run(notice.pk)

    failed = notice.deliveries.get(email="ops@example.test")
    assert (failed.state, failed.answer) == (DeliveryState.FAILED, "550 5.1.1 no such person")
    assert len(smtp_sink.to("board@example.test")) == 1
    [entry] = sent_entries(notice)
    assert (entry.body["sent"], entry.body["failed"]) == (1, 1)


def test_a_recipient_put_off_is_tried_again_later_under_the_same_message_id(
    notice: Notice, smtp_sink: SmtpSink
) -> None:
    smtp_sink.answers["ops@example.test"] = "451 4.7.1 greylisted"
    first_id = notice.deliveries.get(email="ops@example.test").message_id

    delivery.run(notice.pk)

    waiting = notice.deliveries.get(email="ops@example.test")
    assert (waiting.state, waiting.tries, waiting.answer) == (DeliveryState.QUEUED, 1, "451 4.7.1 greylisted")
    assert timedelta(seconds=5) < waiting.not_before - clock.now() < timedelta(seconds=16)
    assert sent_entries(notice) == []

    smtp_sink.answers.clear()
    delivery.run(notice.pk)
    assert smtp_sink.to("ops@example.test") == []

    make_due(notice)
    delivery.run(notice.pk)
    assert [message["Message-ID"] for message in smtp_sink.to("ops@example.test")] == [first_id]
    assert len(sent_entries(notice)) == 1


def test_an_update_that_reached_nobody_is_not_sent(notice: Notice, smtp_sink: SmtpSink) -> None:
    smtp_sink.answers["DATA"] = "554 5.7.1 refused"

    delivery.run(notice.pk)

    notice.refresh_from_db()
    [entry] = log.entries_of(notice.incident, Kind.NOTE_ADDED)
    assert notice.state == NoticeState.FAILED
    assert sent_entries(notice) == []
    assert entry.body["sentence"] == "Update A reached nobody: all 2 copies failed"
    assert any("Update A" in sentence for sentence in unfreeze.lift_blockers(notice.incident))


def test_all_three_updates_sent_meet_the_precondition(crew: Crew, smtp_sink: SmtpSink) -> None:
    incident = make_incident(crew)
    for kind in (NoticeKind.A, NoticeKind.B):
        delivery.run(issue(incident, crew, kind).pk)
    ready_for_c(incident, crew)
    delivery.run(issue(incident, crew, NoticeKind.C).pk)
    incident.refresh_from_db()

    assert unfreeze.lift_blockers(incident) == []


# A hostile server ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "kept_at_once"),
    [
        ("mail", 1),
        ("rcpt", 1),
        ("data", 1),
        ("before dot", 1),
        ("after dot", 2),
        ("421 rcpt", 1),
        ("451 mail", 1),
        ("452 dot", 1),
        ("550 mail", 1),
    ],
)
def test_whatever_is_not_certain_goes_out_again_as_the_same_message(
    notice: Notice, settings: object, place: str, kept_at_once: int
) -> None:
    with hostile_server(settings, place) as server:
        delivery.run(notice.pk)

        assert sorted(states(notice).values()) == ["queued", "sent"]
        assert len(server.kept) == kept_at_once
        make_due(notice)
        delivery.run(notice.pk)

    assert set(states(notice).values()) == {"sent"}
    assert set(server.message_ids) == {f"Message-ID: {copy.message_id}" for copy in notice.deliveries.all()}
    assert {kept.to for kept in server.kept} == {"ops@example.test", "board@example.test"}
    assert len(sent_entries(notice)) == 1


@pytest.mark.parametrize("place", ["550 rcpt", "554 data", "552 dot"])
def test_a_permanent_refusal_is_not_tried_again(notice: Notice, settings: object, place: str) -> None:
    with hostile_server(settings, place) as server:
        delivery.run(notice.pk)
        delivery.run(notice.pk)

    assert sorted(states(notice).values()) == ["failed", "sent"]
    assert len(server.kept) == 1


@pytest.mark.parametrize("place", ["banner", "ehlo", "421 banner", "554 banner"])
def test_a_server_that_cannot_be_used_puts_every_copy_off(notice: Notice, settings: object, place: str) -> None:
    with hostile_server(settings) as server:
        server.greet = lambda: place
        delivery.run(notice.pk)

        assert set(states(notice).values()) == {"queued"}
        assert server.connections <= settings.MAIL_SENDERS
        assert notice.deliveries.filter(not_before__gt=clock.now(), answer__startswith="The mail server").count() == 2
        server.greet = lambda: ""
        make_due(notice)
        delivery.run(notice.pk)

    assert set(states(notice).values()) == {"sent"}


@pytest.mark.parametrize(("offers", "place"), [((), ""), (("STARTTLS",), "starttls"), (("STARTTLS",), "454 starttls")])
def test_without_the_encryption_that_is_asked_for_nothing_is_sent(
    notice: Notice, settings: object, offers: tuple[str, ...], place: str
) -> None:
    settings.EMAIL_USE_TLS = True
    with hostile_server(settings) as server:
        server.offers, server.greet = offers, lambda: place
        delivery.run(notice.pk)

    assert server.kept == []
    assert set(states(notice).values()) == {"queued"}
    assert notice.deliveries.filter(answer__startswith="The mail server cannot be used: ").count() == 2


def test_a_server_that_is_not_there_puts_every_copy_off(notice: Notice, settings: object) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

    delivery.run(notice.pk)

    assert set(states(notice).values()) == {"queued"}
    assert "Connection refused" in notice.deliveries.first().answer


@pytest.mark.parametrize(("senders", "recipients", "connections"), [(1, 45, 1), (4, 45, 4), (4, 2, 2)])
def test_each_sender_keeps_its_connection_for_a_run(
    settings: object, senders: int, recipients: int, connections: int
) -> None:
    settings.MAIL_SENDERS = senders
    crew = told_crew(*(f"reader{number}@example.test" for number in range(recipients)))
    notice = issue(make_incident(crew), crew, NoticeKind.A)

    with hostile_server(settings) as server:
        together = threading.Barrier(connections)  # or the first is done with everything before the last one begins
        server.greet = lambda: str(together.wait(10))[:0]
        delivery.run(notice.pk)

    assert (server.connections, len(server.kept)) == (connections, recipients)
    assert len(set(server.message_ids)) == recipients


def test_where_the_server_takes_fewer_connections_the_open_ones_carry_everything(settings: object) -> None:
    crew = told_crew(*(f"reader{number}@example.test" for number in range(30)))
    notice = issue(make_incident(crew), crew, NoticeKind.A)

    with hostile_server(settings) as server:
        server.greet = lambda: "421 banner" if server.at_once > 2 else ""
        delivery.run(notice.pk)

    assert set(states(notice).values()) == {"sent"}
    assert len(server.kept) == 30


def test_a_server_that_stalls_again_and_again_is_left_alone(settings: object) -> None:
    settings.MAIL_SENDERS = 2
    crew = told_crew(*(f"reader{number}@example.test" for number in range(20)))
    notice = issue(make_incident(crew), crew, NoticeKind.A)

    with hostile_server(settings) as server:
        settings.EMAIL_TIMEOUT = 0.2
        server.judge = lambda address: "stall data"
        begun = time.monotonic()
        delivery.run(notice.pk)

    assert time.monotonic() - begun < 2
    assert set(states(notice).values()) == {"queued"}
    assert server.connections == 2 * CUTS_IN_A_ROW


def test_one_address_that_stalls_holds_up_nobody_else(settings: object) -> None:
    crew = told_crew(*(f"reader{number}@example.test" for number in range(30)))
    notice = issue(make_incident(crew), crew, NoticeKind.A)

    with hostile_server(settings) as server:
        server.judge = lambda address: "stall rcpt" if address == "reader0@example.test" else ""
        begun = time.monotonic()
        delivery.run(notice.pk)

    assert sum(kept.at - begun < 1.5 for kept in server.kept) == 29
    assert [email for email, state in states(notice).items() if state == "queued"] == ["reader0@example.test"]


def test_a_cut_connection_is_opened_again_for_the_next_copy(settings: object) -> None:
    with hostile_server(settings, "after dot", "") as server, Line() as line:
        first, second = (line.send("a@example.test", b"Message-ID: <1>\r\n\r\nText\r\n") for _ in range(2))

    assert (first, second) == (Outcome(Verdict.LATER, CUT_OFF), Outcome(Verdict.SENT, ""))
    assert server.connections == 2


def test_what_a_sender_cannot_answer_for_is_raised_where_the_run_waits(settings: object) -> None:
    with hostile_server(settings), Senders(1) as senders:
        senders.give(Delivery(email="grüße@example.test", content=b""))
        with pytest.raises(UnicodeEncodeError):
            senders.ended(seconds=10)


# Time ---------------------------------------------------------------------------------------------------------------


def test_waits_double_up_to_a_quarter_of_an_hour() -> None:
    bounds = [15, 30, 60, 120, 240, 480, 900, 900, 900]
    found = [[delivery.wait_seconds(tries) for _ in range(200)] for tries in range(len(bounds))]

    assert all(bound / 2 <= min(waits) < max(waits) <= bound for bound, waits in zip(bounds, found, strict=True))


def test_after_a_day_a_copy_is_given_up(notice: Notice, smtp_sink: SmtpSink) -> None:
    smtp_sink.answers["ops@example.test"] = "451 later"
    Notice.objects.filter(pk=notice.pk).update(issued_at=clock.now() - timedelta(hours=25))

    delivery.run(notice.pk)

    given_up = notice.deliveries.get(email="ops@example.test")
    assert (given_up.state, given_up.answer) == (DeliveryState.FAILED, "Given up after 24 hours. 451 later")
    assert len(sent_entries(notice)) == 1


def test_a_late_copy_is_recorded_though_the_incident_is_closed(crew: Crew, smtp_sink: SmtpSink) -> None:
    incident = make_incident(crew)
    notice = issue(incident, crew, NoticeKind.A)
    walk(incident, crew, Phase.CLOSED)

    delivery.run(notice.pk)

    assert str(notice.pk) in [entry.body.get("notice_id") for entry in sent_entries(notice)]


# A lost run ---------------------------------------------------------------------------------------------------------


def test_a_lost_runs_copies_are_taken_back_when_their_lease_ends(notice: Notice, smtp_sink: SmtpSink) -> None:
    claimed = delivery.claim(notice.pk, "lost")
    assert len(claimed) == 2
    assert delivery.claim(notice.pk, "other") == []
    assert delivery.take_back() == 0

    notice.deliveries.update(lease_until=F("lease_until") - timedelta(hours=1))
    assert delivery.take_back() == 2
    delivery.run(notice.pk)

    assert set(states(notice).values()) == {"sent"}


def test_a_run_that_was_taken_over_changes_nothing_more(notice: Notice) -> None:
    stalled = delivery.claim(notice.pk, "stalled")
    notice.deliveries.update(lease_until=F("lease_until") - timedelta(hours=1))
    delivery.take_back()
    fresh = delivery.claim(notice.pk, "fresh")

    for copy in stalled:
        delivery.mark(copy, Outcome(Verdict.REFUSED, "550 too late"))

    assert [copy.epoch for copy in fresh] == [2, 2]
    assert set(states(notice).values()) == {"sending"}


def test_the_sweep_rings_what_is_due_and_what_only_lacks_its_end(crew: Crew) -> None:
    waiting = issue(make_incident(crew), crew, NoticeKind.A)
    assert list(delivery.due()) == []

    Notice.objects.update(issued_at=clock.now() - timedelta(minutes=1))
    assert list(delivery.due()) == [waiting]

    Notice.objects.update(rung_at=clock.now())
    assert list(delivery.due()) == []

    Notice.objects.update(rung_at=clock.now() - timedelta(minutes=1))
    waiting.deliveries.update(not_before=clock.now() + timedelta(minutes=5))
    assert list(delivery.due()) == []

    waiting.deliveries.update(state=DeliveryState.SENT)
    assert list(delivery.due()) == [waiting]

    arrive(waiting)
    assert list(delivery.due()) == []


def test_a_run_that_lives_keeps_what_it_has_claimed(settings: object) -> None:
    settings.MAIL_LEASE_SECONDS, settings.MAIL_SENDERS = 1, 1
    crew = told_crew(*(f"reader{number}@example.test" for number in range(8)))
    notice = issue(make_incident(crew), crew, NoticeKind.A)
    claimed_at = clock.now()

    with hostile_server(settings) as server:
        server.answers_after_seconds = 0.06
        delivery.run(notice.pk)

    notice.refresh_from_db()
    assert len(server.kept) == 8
    assert notice.rung_at - claimed_at > timedelta(seconds=1)


def test_what_waits_for_a_time_that_the_clock_ran_back_from_is_due(notice: Notice, smtp_sink: SmtpSink) -> None:
    notice.deliveries.update(not_before=Now() + timedelta(hours=1))
    assert delivery.due().count() == 0

    Notice.objects.update(issued_at=clock.now() - timedelta(minutes=1))
    assert list(delivery.due()) == [notice]
    Notice.objects.update(rung_at=Now() + timedelta(hours=1))
    assert list(delivery.due()) == [notice]
    assert len(delivery.claim(notice.pk, "lost")) == 2
    notice.deliveries.update(lease_until=Now() + timedelta(hours=1))
    assert delivery.take_back() == 2
    delivery.run(notice.pk)

    assert set(states(notice).values()) == {"sent"}


def test_time_travel_does_not_send_twice(notice: Notice, smtp_sink: SmtpSink) -> None:
    delivery.run(notice.pk)
    with time_machine.travel(clock.now() - timedelta(hours=1)):
        delivery.run(notice.pk)

    assert len(smtp_sink.messages) == 2
