"""What waits and what may run side by side: what was not sent, slots of a connector, who is next."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from incidents import clock, tasks
from incidents.models import Action, Approval, Attempt, Connector, Incident, Wiring
from incidents.steps import attempts, base, rollback
from incidents.steps.attempts.ending import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS
from incidents.terms import ActionState, AttemptState, ConnectorKind, Kind, Level, Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.steps.at_once import at_once

pytestmark = pytest.mark.django_db
KEY = "3e-revoke"
SIDE_BY_SIDE = ("3d-preserve", KEY)  # of one stage


def wire(crew: Crew, *keys: str, parallel: int = 4, target_key: str = "") -> Connector:
    connector = Connector.objects.create(
        name=f"Runner of {crew.product} {keys}",
        kind=ConnectorKind.COMMAND,
        config={"command": "x"},
        max_parallel=parallel,
    )
    for key in keys:
        Wiring.objects.create(product=crew.product, key=key, connector=connector, target_key=target_key)
    return connector


def dispatched(incident: Incident, crew: Crew, key: str = KEY) -> Attempt:
    action = incident.actions.get(key=key)
    rollback.approve(action, by=crew.commander)
    return rollback.dispatch(action, by=crew[Role(action.owner)])


def queued(**wiring: Any) -> tuple[Incident, Attempt]:
    crew = make_crew()
    wire(crew, KEY, **wiring)
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    return incident, dispatched(incident, crew)


def started(attempt: Attempt) -> attempts.Claim:
    claimed = attempts.claim(attempt.pk, "worker")
    assert claimed
    begun = attempts.start(claimed)
    assert begun
    return begun


def in_time(attempt: Attempt) -> None:
    """Let the wait be over."""
    Attempt.objects.filter(pk=attempt.pk).update(not_before=Now() - timedelta(seconds=1))


def waits(attempt: Attempt) -> float:
    attempt.refresh_from_db()
    assert attempt.not_before
    return (attempt.not_before - clock.now()).total_seconds()


# What was not sent --------------------------------------------------------------------------------------------------


def test_what_was_not_sent_waits_in_the_queue_and_starts_again_as_the_same_attempt() -> None:
    incident, attempt = queued()
    begun = started(attempt)

    assert attempts.send_again(begun, "Nothing was sent: the connection was refused.", detail={"reason": "refused"})

    wait = waits(attempt)
    entry = incident.chain.entries.latest("seq")
    assert (attempt.state, attempt.started_at, attempt.detail) == (AttemptState.QUEUED, None, {"reason": "refused"})
    assert incident.actions.get(key=KEY).state == ActionState.RUNNING
    assert FIRST_WAIT_SECONDS * 0.7 < wait < FIRST_WAIT_SECONDS * 1.3
    assert (entry.kind, entry.body["result"]) == (Kind.ACTION_QUEUED, "Nothing was sent: the connection was refused.")
    assert abs(entry.body["wait_seconds"] - wait) < 2
    assert attempts.claim(attempt.pk, "too early") is None
    assert attempt not in attempts.waiting()

    in_time(attempt)

    assert list(attempts.due()) == [attempt]
    assert started(attempt) == attempts.Claim(attempt.pk, 2, fence=2)
    assert incident.actions.get(key=KEY).attempts.count() == 1


def test_each_wait_is_twice_as_long_up_to_five_minutes() -> None:
    _, attempt = queued()
    begun = started(attempt)
    found = []
    for epoch in (1, 2, 3, 6, 7, 12):
        Attempt.objects.filter(pk=attempt.pk).update(state=AttemptState.STARTED, epoch=epoch)
        attempts.send_again(attempts.Claim(attempt.pk, epoch), "Nothing was sent.")
        found.append(waits(attempt))

    asked = [5, 10, 20, 160, LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS]
    assert begun.epoch == 1
    assert [0.7 * most < wait < 1.3 * most for wait, most in zip(found, asked, strict=True)] == [True] * 6


def test_the_outside_system_says_for_how_long_it_wants_to_be_left_alone() -> None:
    _, attempt = queued()

    attempts.send_again(started(attempt), "Busy.", after_seconds=42)

    assert 38 < waits(attempt) < 43


@pytest.mark.past_the_log
@pytest.mark.parametrize("asked", [None, 1700])
def test_it_is_not_tried_longer_than_its_approval_lasts(asked: int | None) -> None:
    incident, attempt = queued()
    begun = started(attempt)
    soon = clock.now() + timedelta(seconds=2 if asked is None else 1600)
    Approval.objects.update(expires_at=soon)

    assert not attempts.send_again(begun, "Nothing was sent.", after_seconds=asked)

    attempt.refresh_from_db()
    assert (attempt.state, incident.actions.get(key=KEY).state) == (AttemptState.FAILED, ActionState.FAILED)
    assert attempt.sentence == (f"Nothing was sent. Not tried again: its approval lapses at {clock.utc_text(soon)}.")


@pytest.mark.past_the_log
def test_without_an_approval_it_is_tried_for_half_an_hour() -> None:
    crew = make_crew()
    wire(crew, "3d-preserve")
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L2)
    action = next(action for action in incident.actions.all() if not rollback.needs_second(action))
    connector = Connector.objects.get()
    Action.objects.filter(pk=action.pk).update(connector=connector, stage=1)
    attempt = rollback.dispatch(action, by=crew[Role(action.owner)])
    begun = started(attempt)

    with time_machine.travel(attempt.queued_at + timedelta(minutes=29, seconds=58)):
        assert not attempts.send_again(begun, "Nothing was sent.")

    attempt.refresh_from_db()
    assert attempt.sentence.endswith("and waits for 30 minutes.")


def test_that_nothing_was_sent_comes_too_late_once_it_was_called_lost() -> None:
    incident, attempt = queued()
    begun = started(attempt)
    Attempt.objects.filter(pk=attempt.pk).update(lease_until=Now() - timedelta(seconds=1))
    attempts.sweep()

    assert not attempts.send_again(begun, "Nothing was sent.")

    attempt.refresh_from_db()
    assert attempt.state == AttemptState.UNKNOWN
    assert incident.chain.entries.latest("seq").kind == Kind.ACTION_LATE


# Side by side -------------------------------------------------------------------------------------------------------


def test_a_connector_runs_no_more_at_once_than_it_may_over_all_incidents() -> None:
    first, second = make_crew(), make_crew()
    connector = wire(first, KEY, parallel=1)
    Wiring.objects.create(product=second.product, key=KEY, connector=connector)
    one = dispatched(make_incident(first, at=Phase.ROLLING_BACK), first)
    other = dispatched(make_incident(second, at=Phase.ROLLING_BACK), second)

    begun = started(one)

    assert attempts.claim(other.pk, "worker") is None
    attempts.settle(begun, AttemptState.SUCCEEDED, "Done")
    assert attempts.claim(other.pk, "worker") is not None


def test_an_unknown_outcome_holds_its_target_and_no_slot() -> None:
    crew = make_crew()
    wire(crew, *SIDE_BY_SIDE, parallel=1)
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    one, other = (dispatched(incident, crew, key) for key in SIDE_BY_SIDE)

    attempts.settle(started(one), AttemptState.UNKNOWN, "No answer")

    assert attempts.claim(other.pk, "worker") is not None


@pytest.mark.past_the_log
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(3))
def test_of_many_workers_no_more_pass_than_there_are_slots(round_: int) -> None:
    crew = make_crew()
    wire(crew, KEY, parallel=2)
    found = alike(dispatched(make_incident(crew, at=Phase.ROLLING_BACK), crew), 8)

    outcomes = at_once(*[lambda pk=pk: attempts.claim(pk, "worker") is not None for pk in found])

    assert sorted(outcomes) == ["done"] * 2 + ["refused"] * 6
    assert Attempt.objects.filter(state=AttemptState.LEASED).count() == 2


def alike(attempt: Attempt, number: int) -> list[UUID]:
    """Further queued attempts of the same connector, each on a target of its own."""
    found = []
    for at in range(number):
        action = Action.objects.get(pk=attempt.action_id)
        action.pk, action.key, action.target_key = None, f"{KEY}-{at}", f"target-{at}"
        action.save()
        more = Attempt(action=action, target_key=action.target_key, number=1, digest=attempt.digest)
        for name in ("target_id", "requested_by_id", "approved_by_id", "queued_at"):
            setattr(more, name, getattr(attempt, name))
        more.save(force_insert=True)
        found.append(more.pk)
    Attempt.objects.filter(pk=attempt.pk).update(state=AttemptState.CANCELLED)
    return found


# Who is next --------------------------------------------------------------------------------------------------------


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """Which attempts were rung, whether or not a broker is there to hear it."""
    rung: list[UUID] = []

    def ring(task: Any, row_id: Any) -> bool:
        rung.extend([UUID(str(row_id))] if task is tasks.run_attempt else [])
        return True

    monkeypatch.setattr(tasks, "ring", ring)
    return rung


@pytest.mark.django_db(transaction=True)
def test_when_a_slot_is_free_the_next_one_of_the_connector_is_rung_at_once(bells: list[UUID]) -> None:
    crew = make_crew()
    wire(crew, *SIDE_BY_SIDE, parallel=1)
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    one, other = (dispatched(incident, crew, key) for key in SIDE_BY_SIDE)
    begun = started(one)
    bells.clear()

    attempts.settle(begun, AttemptState.FAILED, "Refused")

    assert bells == [other.pk]


@pytest.mark.django_db(transaction=True)
def test_when_a_target_is_free_the_next_one_on_it_is_rung_whatever_its_connector(bells: list[UUID]) -> None:
    crew = make_crew()
    for key in SIDE_BY_SIDE:
        wire(crew, key, target_key="prod/cluster")
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    one, other = (dispatched(incident, crew, key) for key in SIDE_BY_SIDE)
    begun = started(one)
    bells.clear()

    attempts.settle(begun, AttemptState.UNKNOWN, "No answer")
    assert bells == []
    attempt = Attempt.objects.get(pk=one.pk)
    with time_machine.travel(clock.now() + timedelta(minutes=5)):
        attempts.resolve(
            attempt, succeeded=False, note="It was not done", by=crew.commander, second=crew[Role.API_LEAD]
        )

    assert bells == [other.pk]


@pytest.mark.django_db(transaction=True)
def test_what_is_put_back_lets_the_others_go_first_and_is_not_rung_itself(bells: list[UUID]) -> None:
    crew = make_crew()
    wire(crew, *SIDE_BY_SIDE, parallel=1)
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    one, other = (dispatched(incident, crew, key) for key in SIDE_BY_SIDE)
    begun = started(one)
    bells.clear()

    attempts.send_again(begun, "Nothing was sent.")

    assert bells == [other.pk]


@pytest.mark.past_the_log
def test_no_more_bells_are_rung_than_there_is_room_for() -> None:
    _, attempt = queued(parallel=3)
    begun = started(attempt)
    found = alike(attempt, 6)
    Attempt.objects.filter(pk=attempt.pk).update(state=AttemptState.STARTED)
    for busy in found[:2]:
        assert attempts.claim(busy, "worker")

    assert attempts.next_after(attempt.pk) == []
    attempts.settle(begun, AttemptState.SUCCEEDED, "Done")
    rung = attempts.next_after(attempt.pk)
    assert (len(rung), set(rung) <= set(found[2:])) == (1, True)


@pytest.mark.past_the_log
def test_a_connector_with_room_to_spare_rings_nobody() -> None:
    _, attempt = queued(parallel=1000)
    begun = started(attempt)
    alike(attempt, 6)
    Attempt.objects.filter(pk=attempt.pk).update(state=AttemptState.STARTED)

    attempts.settle(begun, AttemptState.SUCCEEDED, "Done")

    assert attempts.next_after(attempt.pk) == []


# What it costs ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_claim_and_a_start_are_few_statements(engine: str) -> None:
    """On PostgreSQL: lock and take in one round trip; begin, lock and read in one; the writes in one; commit."""
    _, attempt = queued()

    with CaptureQueriesContext(connection) as claiming:
        claimed = attempts.claim(attempt.pk, "worker")
    assert claimed
    with CaptureQueriesContext(connection) as starting:
        assert attempts.start(claimed)

    assert (len(claiming), len(starting)) == {"postgresql": (2, 7), "sqlite": (4, 9)}[engine]


@pytest.mark.django_db(transaction=True)
def test_what_is_read_under_the_lock_is_what_the_one_before_left(engine: str) -> None:
    """The two statements travel together; the second still sees what was committed while the first waited."""
    incident, attempt = queued()
    claimed = attempts.claim(attempt.pk, "worker")
    assert claimed
    edited, waiting = threading.Event(), threading.Event()

    def edit() -> None:
        with transaction.atomic():
            base.locked(incident.pk)
            waiting.set()
            assert not edited.wait(0.5)
            Action.objects.filter(pk=attempt.action_id).update(arguments={"changed": "yes"})
        connection.close()

    other = threading.Thread(target=edit)
    other.start()
    assert waiting.wait(10)
    begun = attempts.start(claimed)
    edited.set()
    other.join(20)

    attempt.refresh_from_db()
    assert begun is None
    assert attempt.sentence == "The action has changed since it was queued."
