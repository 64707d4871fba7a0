"""Nobody knows whether an action happened: its owner and the commander read of it in a mail, wherever they are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from structlog.testing import capture_logs

from comms import delivery, telling
from comms.models import Notice, NoticeState
from incidents.evidence import completeness, log
from incidents.models import Attempt, Connector, EvidenceEntry, Incident, Wiring
from incidents.steps import attempts, roles, rollback, unfreeze
from incidents.terms import AttemptState, Kind, Level, NoticeKind, Phase, Role
from tests.comms.world import Shift
from tests.factories import Crew, make_incident
from tests.servers.smtp import SmtpSink

pytestmark = pytest.mark.django_db
LOST = "The outside system broke off within its answer."


@pytest.fixture
def lost(crew: Crew) -> tuple[Incident, Attempt]:
    """An incident, and an attempt of it whose outcome nobody knows."""
    incident = wired_incident(crew)
    return incident, lose(dispatched(incident, crew, "3e-revoke"))


def wired_incident(crew: Crew) -> Incident:
    for key in ("3e-revoke", "3d-preserve"):
        connector = Connector.objects.create(name=f"Hook of {key}", kind="webhook", deadline_seconds=60)
        Wiring.objects.create(product=crew.product, key=key, connector=connector, target_key=f"vault/{key}")
    return make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)


def dispatched(incident: Incident, crew: Crew, key: str) -> Attempt:
    action = incident.actions.get(key=key)
    if rollback.needs_second(action) and not action.approvals.exists():
        rollback.approve(action, by=crew.commander)
    return rollback.dispatch(action, by=crew[Role(action.owner)])


def lose(attempt: Attempt) -> Attempt:
    claimed = attempts.claim(attempt.pk, "one")
    assert claimed
    attempts.start(claimed)
    attempts.settle(claimed, AttemptState.UNKNOWN, LOST)
    attempt.refresh_from_db()
    return attempt


def decide(attempt: Attempt, crew: Crew, later: Shift, *, succeeded: bool) -> None:
    """Two people say what they saw, as soon as they can."""
    later(2)
    said = {"note": "Looked in Vault", "by": crew.commander, "second": crew[Role.API_LEAD]}
    attempts.resolve(attempt, succeeded=succeeded, **said)


def told(incident: Incident) -> list[Notice]:
    return list(Notice.objects.filter(incident=incident, kind=NoticeKind.UNKNOWN))


def test_its_owner_and_the_commander_read_what_to_do(
    crew: Crew, lost: tuple[Incident, Attempt], smtp_sink: SmtpSink
) -> None:
    incident, attempt = lost
    due = unfreeze.next_update_due(incident)

    assert (telling.check(), telling.check()) == (1, 0)
    [notice] = told(incident)
    delivery.run(notice.pk)

    owner = crew[Role(attempt.action.owner)]
    people = [str(mail["Delivered-To"]) for mail in smtp_sink.messages]
    assert sorted(people) == sorted([crew.commander.email, owner.email])
    [mail] = smtp_sink.to(owner.email)
    assert mail["Subject"] == f"{incident.reference}: nobody knows whether it happened: {attempt.action}"
    text = mail.get_body(("plain",)).get_content()
    page = reverse("incidents:action", args=[incident.reference, attempt.action.key])
    for words in (
        f"Nobody knows whether this was done: {attempt.action}.",
        f"Why: {LOST}",
        "through Hook of 3e-revoke",
        f"It knows this attempt as {attempt.pk}.",
        "two people decide it",
        f"They can from {attempts.decidable_at(attempt):%H:%M:%S} UTC on",
        "nothing else starts on vault/3e-revoke",
        f"{owner}, {Role(attempt.action.owner).label}",
        page,
    ):
        assert words in text
    html = mail.get_body(("html",)).get_content()
    assert page in html
    assert "the action’s owner and the Incident Commander" in html
    assert "stakeholders" not in html
    assert unfreeze.next_update_due(incident) == due
    assert completeness.check(incident) == []


def test_an_attempt_is_told_once_and_the_next_one_again(
    crew: Crew, lost: tuple[Incident, Attempt], later: Shift
) -> None:
    incident, attempt = lost
    telling.check()
    decide(attempt, crew, later, succeeded=False)
    again = lose(dispatched(incident, crew, "3e-revoke"))

    assert (telling.check(), telling.check()) == (1, 0)
    assert [str(attempt.pk) in notice.body for attempt, notice in zip((attempt, again), told(incident), strict=True)]


ARGO = {"application": "shop"}
INPUTS = {"values": {"attempt": "run {attempt}"}}


@pytest.mark.parametrize(
    ("kind", "config", "ref", "known_as"),
    [
        ("command", {}, "", "{attempt}"),
        ("github", INPUTS, "17", "{attempt}"),
        ("github", {"values": {"who": "me"}}, "17", "17"),
        ("argocd", ARGO, "", ""),
    ],
)
def test_the_outside_system_knows_it_only_as_what_it_was_told_or_said(
    crew: Crew, lost: tuple[Incident, Attempt], kind: str, config: dict[str, Any], ref: str, known_as: str
) -> None:
    incident, attempt = lost
    Connector.objects.filter(pk=attempt.action.connector_id).update(kind=kind, config=config)
    Attempt.objects.filter(pk=attempt.pk).update(remote_ref=ref)

    telling.check()

    [body] = [notice.body for notice in told(incident)]
    sentence = f" It knows this attempt as {known_as.format(attempt=attempt.pk)}." if known_as else ""
    assert f"- Look in the outside system whether it was done.{sentence}\n" in body


def test_where_neither_can_be_mailed_whoever_holds_a_role_is(crew: Crew, lost: tuple[Incident, Attempt]) -> None:
    incident, attempt = lost
    owner = crew[Role(attempt.action.owner)]
    type(owner).objects.filter(pk=crew.commander.pk).update(email="nowhere")
    type(owner).objects.filter(pk=owner.pk).update(is_active=False)

    with capture_logs() as logged:
        assert (telling.check(), telling.check()) == (1, 0)

    copies = told(incident)[0].deliveries
    assert {copy.email for copy in copies.filter(state="queued")} == {
        row.user.email for row in roles.current(incident) if row.user not in (crew.commander, owner)
    }
    assert [line["log_level"] for line in logged if line["event"] == "telling.nobody"] == ["warning"]


def test_what_nobody_at_all_can_be_mailed_is_said_each_time(crew: Crew, lost: tuple[Incident, Attempt]) -> None:
    incident, _ = lost
    type(crew.commander).objects.update(is_active=False)

    with capture_logs() as logged:
        assert telling.check() == 0

    assert told(incident) == []
    assert [line["event"] for line in logged if line["log_level"] == "warning"] == ["telling.nobody", "telling.refused"]


def test_two_that_are_lost_at_the_same_moment_are_both_told(crew: Crew, later: Shift) -> None:
    incident = wired_incident(crew)
    for key in ("3d-preserve", "3e-revoke"):
        lose(dispatched(incident, crew, key))

    assert (telling.check(), telling.check()) == (2, 0)


def test_whoever_leads_and_acts_in_one_gets_one_mail(crew: Crew, lost: tuple[Incident, Attempt]) -> None:
    incident, attempt = lost
    role = Role(attempt.action.owner)
    incident.memberships.filter(role=role).update(user=crew.commander)

    telling.check()

    assert [copy.email for copy in told(incident)[0].deliveries.all()] == [crew.commander.email]


def test_what_was_decided_before_anybody_was_told_is_no_news(
    crew: Crew, lost: tuple[Incident, Attempt], later: Shift
) -> None:
    incident, attempt = lost
    decide(attempt, crew, later, succeeded=True)

    assert telling.check() == 0
    assert told(incident) == []


def test_a_mail_that_waited_until_it_was_decided_is_not_sent(
    crew: Crew,
    lost: tuple[Incident, Attempt],
    smtp_sink: SmtpSink,
    later: Shift,
    signed_in: Callable[[Any], Client],
) -> None:
    incident, attempt = lost
    telling.check()
    decide(attempt, crew, later, succeeded=True)

    [notice] = told(incident)
    delivery.run(notice.pk)

    notice.refresh_from_db()
    assert smtp_sink.messages == []
    assert notice.state == NoticeState.FAILED
    assert {copy.answer for copy in notice.deliveries.all()} == {"Not needed: the outcome was settled first."}
    last = log.entries_of(incident, Kind.NOTE_ADDED).last()
    assert last.body["sentence"] == "Outcome unknown was not sent: the outcome was settled first"
    assert completeness.check(incident) == []
    shown = signed_in(crew.commander).get(f"/incidents/{incident.reference}/notices/{notice.pk}/").content.decode()
    assert "Not sent <small>the outcome was settled first</small>" in shown


def test_a_row_that_tells_of_another_entry_is_named(lost: tuple[Incident, Attempt]) -> None:
    incident, _ = lost
    telling.check()
    Notice.objects.filter(kind=NoticeKind.UNKNOWN).update(about=1)

    [gap] = completeness.check(incident)

    assert "Outcome unknown" in str(gap)


def test_what_is_asked_for_outside_is_said(lost: tuple[Incident, Attempt]) -> None:
    incident, attempt = lost
    Attempt.objects.filter(pk=attempt.pk).update(poll_at=attempt.finished_at)

    telling.check()

    assert "Lastgood goes on asking the outside system" in told(incident)[0].body


@pytest.mark.django_db(transaction=True)
def test_many_sweeps_at_once_tell_of_it_once(lost: tuple[Incident, Attempt]) -> None:
    incident, _ = lost
    seq = EvidenceEntry.objects.get(chain__incident=incident, kind=Kind.ACTION_UNKNOWN).seq
    barrier, made = threading.Barrier(6), []

    def tell() -> None:
        barrier.wait()
        made.append(telling.tell(incident, seq))
        connection.close()

    threads = [threading.Thread(target=tell) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(notice is not None for notice in made) == 1
    assert len(told(incident)) == 1
