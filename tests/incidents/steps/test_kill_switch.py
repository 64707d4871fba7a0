"""The kill switch at run time: nothing starts while it is thrown, and everybody is told."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from incidents.evidence import log
from incidents.models import DispatchStop, Incident
from incidents.steps import attempts, base, kill_switch, rollback
from incidents.steps.base import Denied, Refused
from incidents.terms import ActionState, AttemptState, Kind, Level, Phase
from tests.factories import Crew, UserFactory, make_crew, make_incident
from tests.incidents.admin.given import address, clerk
from tests.incidents.steps.at_once import at_once
from tests.incidents.steps.test_queue import KEY, SIDE_BY_SIDE, queued, wire

pytestmark = pytest.mark.django_db
WHY = "Vault answers for the wrong tenant"


@pytest.fixture
def operator() -> Any:
    return UserFactory(is_staff=True)


def test_what_is_queued_is_called_off_and_dispatched_again_after_the_stop(operator: Any) -> None:
    incident, attempt = queued()
    claimed = attempts.claim(attempt.pk, "worker")
    assert claimed
    kill_switch.stop(by=operator, reason=WHY)

    assert attempts.start(claimed) is None

    attempt.refresh_from_db()
    action = incident.actions.get(key=KEY)
    assert (attempt.state, action.state) == (AttemptState.CANCELLED, ActionState.PLANNED)
    assert attempt.sentence == f"Dispatch is stopped: {WHY}."
    assert rollback.dispatch_blockers(action, attempt.requested_by, attempt.queued_at) == [attempt.sentence]
    with pytest.raises(Refused, match=WHY):
        rollback.dispatch(action, by=attempt.requested_by)

    kill_switch.resume(by=operator, reason="Vault is right again")

    again = rollback.dispatch(action, by=attempt.requested_by)
    claimed = attempts.claim(again.pk, "worker")
    assert claimed
    assert attempts.start(claimed)


def test_stop_and_resume_are_entries_of_the_global_log(operator: Any) -> None:
    stopped = kill_switch.stop(by=operator, reason=WHY)
    kill_switch.resume(by=operator, reason="Vault is right again")

    entries = log.global_chain().entries.filter(kind__in=[Kind.DISPATCH_STOPPED, Kind.DISPATCH_RESUMED])
    stopped.refresh_from_db()
    assert [(entry.body["reason"], entry.actor["id"]) for entry in entries.order_by("seq")] == [
        (WHY, str(operator.public_id)),
        ("Vault is right again", str(operator.public_id)),
    ]
    assert stopped.lifted_by == operator


def test_it_is_thrown_once_and_lifted_once_and_always_with_a_reason(operator: Any) -> None:
    for act in (kill_switch.stop, kill_switch.resume):
        with pytest.raises(Refused, match="Say why"):
            act(by=operator, reason="  ")
    with pytest.raises(Refused, match="Dispatch is not stopped"):
        kill_switch.resume(by=operator, reason=WHY)
    kill_switch.stop(by=operator, reason=WHY)
    with pytest.raises(Refused, match="Dispatch is stopped already"), transaction.atomic():
        kill_switch.stop(by=operator, reason=WHY)


@pytest.mark.parametrize("fields", [{}, {"is_superuser": True}, {"is_staff": True, "is_active": False}])
def test_only_whoever_runs_the_portal_throws_it(fields: dict[str, bool]) -> None:
    with pytest.raises(Denied):
        kill_switch.stop(by=UserFactory(**fields), reason=WHY)

    assert not DispatchStop.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_is_thrown_by_one_of_many(operator: Any) -> None:
    outcomes = at_once(*[lambda: kill_switch.stop(by=operator, reason=WHY)] * 5)

    assert sorted(outcomes) == ["done"] + ["refused"] * 4


@pytest.mark.django_db(transaction=True)
def test_when_stop_returns_nothing_starts_that_had_not(operator: Any, engine: str) -> None:
    """A worker that has looked already is waited for: whatever starts, has started before."""
    incident, attempt = queued()
    attempts.claim(attempt.pk, "worker")
    looked, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def about_to_start() -> None:
        with transaction.atomic():
            base.locked(incident.pk)
            looked.set()
            go_on.wait(10)
        connection.close()

    def stop() -> None:
        kill_switch.stop(by=operator, reason=WHY)
        ended.set()
        connection.close()

    threads = [threading.Thread(target=about_to_start), threading.Thread(target=stop)]
    threads[0].start()
    assert looked.wait(10)
    threads[1].start()
    returned_early = ended.wait(0.5)
    go_on.set()
    for thread in threads:
        thread.join(20)

    assert (returned_early, ended.is_set()) == (False, True)


# Told everywhere ----------------------------------------------------------------------------------------------------


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def test_every_page_says_so_and_readyz_stays_ready(crew: Crew, operator: Any) -> None:
    client = Client()
    client.force_login(crew.commander)
    assert "Dispatch is stopped" not in client.get("/my-work/").content.decode()

    kill_switch.stop(by=operator, reason=WHY)

    assert f"Dispatch is stopped: {WHY}. No action starts" in client.get("/my-work/").content.decode()
    found = client.get("/readyz").json()["checks"]["dispatch"]
    assert found["ok"] is False
    assert found["reason"].startswith("Dispatch is stopped since ")
    assert WHY not in found["reason"]


def test_the_back_office_shows_how_it_stands_and_asks_for_a_reason() -> None:
    user, client = clerk()
    page = address(DispatchStop, "switch")
    assert "Actions may start" in client.get(page).content.decode()

    assert "This field is required" in client.post(page, {"act": "stop", "reason": ""}).content.decode()
    client.post(page, {"act": "stop", "reason": WHY})

    assert WHY in client.get(page).content.decode()
    assert "Resume dispatch" in client.get(address(DispatchStop, "changelist")).content.decode()
    refused = client.post(page, {"act": "stop", "reason": "Twice"}).content.decode()
    assert "Dispatch is stopped already." in refused
    client.post(page, {"act": "resume", "reason": "Right again"})
    assert DispatchStop.objects.get().lifted_by == user


def test_the_back_office_keeps_it_from_everybody_else(crew: Crew) -> None:
    client = Client()
    client.force_login(crew.commander)

    answer = client.post(address(DispatchStop, "switch"), {"act": "stop", "reason": WHY})

    assert (answer.status_code, kill_switch.in_force()) == (302, None)


def test_the_command_line_stops_and_resumes(operator: Any, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("dispatch", "stop", "--reason", WHY, "--as", operator.email)
    assert kill_switch.in_force()

    with pytest.raises(CommandError, match="stopped already"), transaction.atomic():
        call_command("dispatch", "stop", "--reason", WHY, "--as", operator.email)
    with pytest.raises(CommandError, match="There is no account"):
        call_command("dispatch", "resume", "--reason", WHY, "--as", "nobody@example.test")
    with pytest.raises(CommandError, match="staff"):
        call_command("dispatch", "resume", "--reason", WHY, "--as", UserFactory().email)
    call_command("dispatch", "resume", "--reason", "Right again", "--as", operator.email)

    assert kill_switch.in_force() is None
    assert "Dispatch is resumed" in capsys.readouterr().out


def test_the_stop_is_read_once_for_many_actions(
    crew: Crew, operator: Any, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    wire(crew, *SIDE_BY_SIDE)
    made = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    incident = Incident.objects.prefetch_related("actions__connector").get(pk=made.pk)
    kill_switch.stop(by=operator, reason=WHY)
    wired = [action for action in incident.actions.all() if action.connector]

    with django_assert_max_num_queries(1):
        found = [kill_switch.blockers(action.incident) for action in wired]

    assert found == [[f"Dispatch is stopped: {WHY}."]] * 2
