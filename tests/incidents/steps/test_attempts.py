from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now

from incidents import clock, dispatch
from incidents.connectors.base import Outcome
from incidents.models import Action, Attempt, EvidenceEntry, Incident, Product, Wiring
from incidents.models.connector import Connector
from incidents.steps import attempts, declare, roles, rollback
from incidents.steps.attempts import ending
from incidents.steps.base import Refused
from incidents.terms import ActionState, AttemptState, Kind, Level, Phase, Role
from tests.factories import Crew, make_crew, make_incident

pytestmark = pytest.mark.django_db


def wire(product: Product, *keys: str, target_key: str = "") -> None:
    connector = Connector.objects.create(name=f"{product} {keys}", kind="command", config={"command": "x"})
    for key in keys:
        Wiring.objects.create(product=product, key=key, connector=connector, target_key=target_key)


def queued(crew: Crew | None = None, key: str = "3e-revoke") -> tuple[Crew, Incident, Attempt]:
    crew = crew or make_crew()
    wire(crew.product, key)
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = incident.actions.get(key=key)
    rollback.approve(action, by=crew.commander)
    return crew, incident, rollback.dispatch(action, by=crew[Role(action.owner)])


def expire(attempt: Attempt) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(lease_until=Now() - timedelta(seconds=1))


def test_one_worker_claims_a_queued_attempt_and_every_other_gets_nothing() -> None:
    _, _, attempt = queued()

    first, second = attempts.claim(attempt.pk, "one"), attempts.claim(attempt.pk, "two")

    attempt.refresh_from_db()
    assert first == attempts.Claim(attempt.pk, 1, fence=1)
    assert second is None
    assert (attempt.state, attempt.lease_owner) == (AttemptState.LEASED, "one")


def test_started_is_on_record_before_anything_leaves() -> None:
    _, incident, attempt = queued()
    claimed = attempts.claim(attempt.pk, "one")
    assert claimed

    started = attempts.start(claimed)

    attempt.refresh_from_db()
    entry = EvidenceEntry.objects.filter(chain=incident.chain).latest("seq")
    assert started == attempts.Claim(attempt.pk, 1, fence=1)
    assert attempt.state == AttemptState.STARTED
    assert (entry.kind, entry.body["epoch"], entry.body["fence"]) == (Kind.ACTION_STARTED, 1, 1)


def test_a_worker_whose_lease_was_taken_cannot_start() -> None:
    _, _, attempt = queued()
    late = attempts.claim(attempt.pk, "late")
    assert late
    expire(attempt)
    attempts.sweep()
    attempts.claim(attempt.pk, "next")

    with pytest.raises(attempts.Fenced):
        attempts.start(late)


def test_a_lapsed_lease_goes_back_to_the_queue() -> None:
    _, _, attempt = queued()
    attempts.claim(attempt.pk, "lost")
    expire(attempt)

    assert attempts.sweep() == (1, 0)
    assert attempts.claim(attempt.pk, "next") == attempts.Claim(attempt.pk, 2, fence=2)


def test_a_worker_lost_after_the_start_leaves_unknown_and_no_second_run() -> None:
    crew, incident, attempt = queued()
    claimed = attempts.claim(attempt.pk, "lost")
    assert claimed
    attempts.start(claimed)
    expire(attempt)

    assert attempts.sweep() == (0, 1)

    action = incident.actions.get(key="3e-revoke")
    assert action.state == ActionState.UNKNOWN
    assert rollback.dispatch_blockers(action, crew[Role.SECURITY_LEAD], clock.now())[0] == (
        "The outcome of the last attempt is unknown: two people decide it first."
    )
    assert attempts.sweep() == (0, 0)


def test_a_late_result_is_recorded_and_changes_nothing() -> None:
    _, incident, attempt = queued()
    claimed = attempts.claim(attempt.pk, "lost")
    assert claimed
    attempts.start(claimed)
    expire(attempt)
    attempts.sweep()

    applied = attempts.settle(claimed, AttemptState.SUCCEEDED, "200 OK after all")

    attempt.refresh_from_db()
    entry = EvidenceEntry.objects.filter(chain=incident.chain).latest("seq")
    assert (applied, attempt.state, entry.kind) == (False, AttemptState.UNKNOWN, Kind.ACTION_LATE)


@pytest.mark.parametrize(
    ("state", "action_state"),
    [
        (AttemptState.SUCCEEDED, ActionState.SUCCEEDED),
        (AttemptState.FAILED, ActionState.FAILED),
        (AttemptState.UNKNOWN, ActionState.UNKNOWN),
    ],
)
def test_the_end_of_an_attempt_is_written_onto_its_action(state: AttemptState, action_state: ActionState) -> None:
    _, incident, attempt = queued()
    claimed = attempts.claim(attempt.pk, "one")
    assert claimed
    attempts.start(claimed)

    assert attempts.settle(claimed, state, "What the target said", output="done", output_sha256="ab" * 32)

    attempt.refresh_from_db()
    assert (attempt.state, attempt.output) == (state, "done")
    assert incident.actions.get(key="3e-revoke").state == action_state


def _lose_role(crew: Crew, incident: Incident, _: Attempt) -> None:
    deputy = crew.deputy
    roles.assign(incident, Role.SECURITY_LEAD, user=deputy, by=crew.commander)


def _lose_approver(crew: Crew, incident: Incident, _: Attempt) -> None:
    roles.hand_over(incident, Role.COMMANDER, to=crew.deputy, by=crew.commander, reason="Shift ends")


def _edit(crew: Crew, incident: Incident, attempt: Attempt) -> None:
    Action.objects.filter(pk=attempt.action_id).update(arguments={"changed": "yes"})


def _switch_off(crew: Crew, incident: Incident, attempt: Attempt) -> None:
    from django.conf import settings

    settings.DISPATCH_ENABLED = False


@pytest.mark.parametrize(
    ("meanwhile", "objection"),
    [
        (_lose_role, "Whoever dispatched the action no longer holds its role."),
        (_lose_approver, "Whoever approved the action no longer holds a role."),
        (_edit, "The action has changed since it was queued."),
        (_switch_off, "Dispatch is switched off for this installation."),
    ],
)
def test_what_is_no_longer_allowed_at_the_start_is_cancelled(meanwhile: Any, objection: str, settings: Any) -> None:
    settings.DISPATCH_ENABLED = True
    crew, incident, attempt = queued()
    meanwhile(crew, incident, attempt)
    claimed = attempts.claim(attempt.pk, "one")
    assert claimed

    assert attempts.start(claimed) is None

    attempt.refresh_from_db()
    assert (attempt.state, attempt.sentence) == (AttemptState.CANCELLED, objection)
    assert incident.actions.get(key="3e-revoke").state == ActionState.PLANNED


def test_two_acts_never_hold_one_target_at_the_same_time() -> None:
    crew = make_crew()
    wire(crew.product, "3d-preserve", "3e-revoke", target_key="prod/cluster")
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    found = []
    for key in ("3d-preserve", "3e-revoke"):
        action = incident.actions.get(key=key)
        rollback.approve(action, by=crew.commander)
        found.append(rollback.dispatch(action, by=crew[Role(action.owner)]))

    assert attempts.claim(found[0].pk, "one") is not None
    assert attempts.claim(found[1].pk, "two") is None
    found[1].refresh_from_db()
    assert found[1].state == AttemptState.QUEUED


def test_an_unknown_outcome_is_decided_by_two_people_after_the_waiting_time() -> None:
    crew, incident, attempt = queued()
    claimed = attempts.claim(attempt.pk, "lost")
    assert claimed
    attempts.start(claimed)
    attempts.settle(claimed, AttemptState.UNKNOWN, "No answer")
    attempt.refresh_from_db()

    with pytest.raises(Refused, match="the lost worker may still act"):
        attempts.resolve(attempt, succeeded=True, note="Key is gone", by=crew.commander, second=crew[Role.API_LEAD])
    with time_machine.travel(clock.now() + timedelta(seconds=160)):
        attempts.resolve(attempt, succeeded=True, note="Key is gone", by=crew.commander, second=crew[Role.API_LEAD])

    entry = EvidenceEntry.objects.filter(chain=incident.chain).latest("seq")
    assert entry.actor["second"] == str(crew[Role.API_LEAD].public_id)
    assert incident.actions.get(key="3e-revoke").state == ActionState.SUCCEEDED


@pytest.mark.django_db(transaction=True)
def test_of_ten_workers_that_hear_one_bell_one_starts() -> None:
    _, _, attempt = queued()
    barrier = threading.Barrier(10)
    started: list[Any] = []

    def work(number: int) -> None:
        barrier.wait()
        try:
            if claimed := attempts.claim(attempt.pk, f"worker {number}"):
                started.append(attempts.start(claimed))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[number]) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert started == [attempts.Claim(attempt.pk, 1, fence=1)]


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_an_incident_is_never_stood_down_and_an_action_started_at_once() -> None:
    """Both lock the incident first, so one of them sees what the other did."""
    for _ in range(5):
        crew, incident, attempt = queued()
        claimed = attempts.claim(attempt.pk, "one")
        assert claimed
        barrier = threading.Barrier(2)
        outcome: dict[str, Any] = {}

        def start(claimed: Any = claimed, barrier: Any = barrier, outcome: Any = outcome) -> None:
            barrier.wait()
            outcome["started"] = attempts.start(claimed) is not None
            connection.close()

        def stand_down(
            incident: Any = incident, crew: Any = crew, barrier: Any = barrier, outcome: Any = outcome
        ) -> None:
            barrier.wait()
            try:
                declare.stand_down(incident, by=crew.commander, second=crew[Role.API_LEAD], reason="False alarm")
                outcome["stood down"] = True
            except Refused:
                outcome["stood down"] = False
            connection.close()

        threads = [threading.Thread(target=start), threading.Thread(target=stand_down)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not (outcome["started"] and outcome["stood down"])


def started(crew: Crew | None = None) -> tuple[Crew, Incident, Attempt, attempts.Claim]:
    crew, incident, attempt = queued(crew)
    claimed = attempts.claim(attempt.pk, "one")
    assert claimed
    attempts.start(claimed)
    return crew, incident, attempt, claimed


def test_a_lease_that_was_renewed_is_not_lost() -> None:
    """The sweep looks first and writes later; between the two, the worker says that it lives."""
    _, incident, attempt, claimed = started()
    expire(attempt)
    lost = Attempt.objects.get(pk=attempt.pk)
    attempts.is_alive(claimed)

    assert ending._lose(attempts.Claim(lost.pk, lost.epoch), time.monotonic()) is False

    attempt.refresh_from_db()
    assert attempt.state == AttemptState.STARTED
    assert incident.chain.entries.latest("seq").kind == Kind.ACTION_STARTED


def test_a_lease_given_before_the_clock_went_back_an_hour_lapses_in_its_own_time() -> None:
    _, _, attempt, claimed = started()
    Attempt.objects.filter(pk=attempt.pk).update(lease_until=Now() + timedelta(hours=1))

    assert attempts.sweep() == (0, 0)

    left = Attempt.objects.filter(pk=attempt.pk, lease_until__lt=Now() + timedelta(seconds=31))
    assert (left.exists(), attempts.is_alive(claimed)) == (True, True)


def test_a_bell_that_was_rung_before_the_clock_went_back_an_hour_is_rung_again() -> None:
    _, _, attempt = queued()
    Attempt.objects.filter(pk=attempt.pk).update(rung_at=Now() + timedelta(hours=1))

    assert attempts.due().filter(pk=attempt.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_a_sweep_that_had_to_wait_for_the_database_calls_nobody_lost(settings: Any) -> None:
    """Whoever held everybody up kept the worker from renewing its lease as well."""
    settings.ATTEMPT_LEASE_SECONDS = 0.6
    _, incident, attempt, claimed = started()
    expire(attempt)
    is_held, swept = threading.Event(), []

    def sweep() -> None:
        is_held.wait(10)
        swept.append(attempts.sweep())
        connection.close()

    sweeping = threading.Thread(target=sweep)
    sweeping.start()
    with transaction.atomic():
        Incident.objects.select_for_update().get(pk=incident.pk)
        is_held.set()
        sweeping.join(0.5)
    sweeping.join()

    assert swept == [(0, 0)]
    assert claimed.rows(AttemptState.STARTED).exists()
    assert attempts.sweep() == (0, 1)


def test_a_start_that_is_given_back_is_on_record_and_starts_again() -> None:
    _, incident, attempt, claimed = started()

    attempts.give_back(claimed)

    attempt.refresh_from_db()
    entry = incident.chain.entries.latest("seq")
    assert (attempt.state, attempt.started_at) == (AttemptState.QUEUED, None)
    assert (entry.kind, entry.sentence.partition(":")[0]) == (Kind.ACTION_QUEUED, "Queued again, nothing was sent")
    assert attempts.claim(attempt.pk, "next") == attempts.Claim(attempt.pk, 2, fence=2)


def test_a_start_that_is_given_back_too_late_says_that_nothing_was_sent() -> None:
    """The sweep was faster than a worker that had stalled within its start: two people decide, and are told this."""
    _, incident, attempt, claimed = started()
    expire(attempt)
    attempts.sweep()

    attempts.give_back(claimed)

    attempt.refresh_from_db()
    entry = incident.chain.entries.latest("seq")
    assert attempt.state == AttemptState.UNKNOWN
    assert (entry.kind, entry.sentence.rpartition("not applied: ")[2]) == (Kind.ACTION_LATE, ending.STALLED)


def test_a_connector_that_was_switched_off_starts_nothing() -> None:
    _, _, attempt = queued()
    Connector.objects.update(enabled=False)
    claimed = attempts.claim(attempt.pk, "one")
    assert claimed

    assert attempts.start(claimed) is None

    attempt.refresh_from_db()
    assert attempt.sentence == "The connector has been switched off."


@pytest.mark.past_the_log
def test_calling_back_a_late_claim_leaves_what_was_decided_meanwhile() -> None:
    """The target was replaced while a worker held the claim, and the action waived before that worker came back."""
    _, _, attempt = queued()
    claimed = attempts.claim(attempt.pk, "slow")
    assert claimed
    Action.objects.filter(pk=attempt.action_id).update(state=ActionState.WAIVED)
    Attempt.objects.filter(pk=attempt.pk).update(digest="0" * 64)

    assert attempts.start(claimed) is None

    assert Action.objects.get(pk=attempt.action_id).state == ActionState.WAIVED


def test_what_an_outside_system_says_is_kept_whatever_it_holds() -> None:
    _, incident, attempt, claimed = started()

    attempts.settle(
        claimed, AttemptState.FAILED, "Said \x00 and \ud800", output="a\x00b", detail={"reason": "\x00"}, remote_ref="7"
    )

    attempt.refresh_from_db()
    assert (attempt.sentence, attempt.output, attempt.detail) == (
        "Said \ufffd and \ufffd",
        "a\ufffdb",
        {"reason": "\ufffd"},
    )
    assert incident.chain.entries.latest("seq").sentence.endswith("Said \ufffd and \ufffd")


def test_nobody_acts_beside_an_unknown_outcome_on_the_same_target() -> None:
    crew = make_crew()
    wire(crew.product, "3d-preserve", target_key="prod/cluster")
    by_hand = Connector.objects.create(name="By hand", kind="manual")
    Wiring.objects.create(product=crew.product, key="3e-revoke", connector=by_hand, target_key="prod/cluster")
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    wired, other = incident.actions.get(key="3d-preserve"), incident.actions.get(key="3e-revoke")
    rollback.approve(wired, by=crew.commander)
    rollback.approve(other, by=crew.commander)
    attempt = rollback.dispatch(wired, by=crew[Role.DATA_EVIDENCE_LEAD])
    claimed = attempts.claim(attempt.pk, "one")
    assert claimed
    lead = crew[Role.SECURITY_LEAD]

    with pytest.raises(Refused, match="is running on the same target: wait"):
        rollback.dispatch(other, by=lead)
    attempts.start(claimed)
    attempts.settle(claimed, AttemptState.UNKNOWN, "No answer")
    with pytest.raises(Refused, match="on the same target is unknown: two people decide it first"):
        rollback.complete(other, succeeded=True, result="Revoked", by=lead)

    assert other.attempts.count() == 0


def test_nobody_acts_beside_an_unknown_outcome_in_another_incident() -> None:
    first, second = make_crew(), make_crew()
    for crew in (first, second):
        wire(crew.product, "3e-revoke", target_key="shared/vault")
    _, _, attempt = queued_wired(first)
    claimed = attempts.claim(attempt.pk, "one")
    assert claimed
    attempts.start(claimed)
    attempts.settle(claimed, AttemptState.UNKNOWN, "No answer")

    with pytest.raises(Refused, match=r"^RB-\d{4}-0001: The outcome of .* is unknown"):
        queued_wired(second)


def queued_wired(crew: Crew) -> tuple[Crew, Incident, Attempt]:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = incident.actions.get(key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    return crew, incident, rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])


def test_what_is_printed_meanwhile_is_written_as_long_as_the_attempt_is_ours() -> None:
    _, _, attempt, claimed = started()

    assert attempts.report(claimed, "half way", 12)
    attempt.refresh_from_db()
    assert (attempt.output, attempt.output_dropped) == ("half way", 12)

    expire(attempt)
    attempts.sweep()

    assert not attempts.report(claimed, "too late", 0)
    attempt.refresh_from_db()
    assert (attempt.state, attempt.output, attempt.output_sha256) == (AttemptState.UNKNOWN, "half way", "")


def test_what_an_earlier_start_printed_is_gone_with_the_next() -> None:
    _, _, attempt, claimed = started()
    attempts.report(claimed, "half way", 12)
    attempts.give_back(claimed)

    again = attempts.claim(attempt.pk, "next")
    assert again
    attempts.start(again)

    attempt.refresh_from_db()
    assert (attempt.output, attempt.output_dropped) == ("", 0)
    assert not attempts.report(claimed, "too late", 0)


# The database fails just then ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_written", [False, True], ids=["not written", "only the answer is lost"])
def test_what_came_of_an_act_is_written_once_the_database_answers_again(
    monkeypatch: pytest.MonkeyPatch, is_written: bool
) -> None:
    _, incident, attempt, claimed = started()
    settle, tries = attempts.settle, []

    def failing(*told: Any, **facts: Any) -> bool:
        tries.append(told)
        if len(tries) > 1:
            return settle(*told, **facts)
        if is_written:
            settle(*told, **facts)
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr(attempts, "settle", failing)
    dispatch._settle(claimed, Outcome(state="succeeded", sentence="200 OK"))

    attempt.refresh_from_db()
    said = EvidenceEntry.objects.filter(chain=incident.chain, kind__startswith="action.").values_list("kind", flat=True)
    assert (attempt.state, attempt.sentence) == (AttemptState.SUCCEEDED, "200 OK")
    assert Kind.ACTION_LATE not in said
    assert list(said).count(Kind.ACTION_SUCCEEDED) == 1
    assert len(tries) == (1 if is_written else 2)
