"""`manage.py sweep`: work that nobody rang for is done; with --loop it needs no broker at all."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from incidents import tasks
from incidents.models import Action, Attempt, Connector, GateRun, Wiring, WorkerBeat
from incidents.steps import rollback, verify
from incidents.terms import ActionState, AttemptState, ConnectorKind, GateOutcome, Phase, Role
from tests.factories import Crew, make_crew, make_incident

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = '{"say": {"argv": ["/bin/echo", "done"]}}'
NO_BROKER = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _no_bell(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The broker of this test is not there: what is rung is lost at once."""
    from portal.celery import app

    monkeypatch.setitem(app.conf, "broker_url", NO_BROKER)
    monkeypatch.setattr(tasks, "_quiet_until", 0.0)
    app._after_fork()
    yield
    app._after_fork()


def wire(crew: Crew, *keys: str) -> None:
    connector = Connector.objects.create(name="Say", kind=ConnectorKind.COMMAND, config={"command": "say"})
    for key in keys:
        Wiring.objects.create(product=crew.product, key=key, connector=connector)


def queue_action(crew: Crew) -> Attempt:
    """The first action that a command does, queued by its owner."""
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = Action.objects.get(incident=incident, key="3a-redeploy")
    Action.objects.filter(incident=incident, stage__lt=action.stage).update(state=ActionState.SUCCEEDED)
    rollback.approve(action, by=crew.commander)
    return rollback.dispatch(action, by=crew[Role.API_LEAD])


@pytest.mark.django_db(transaction=True)
def test_one_sweep_takes_back_what_a_lost_worker_held() -> None:
    crew = make_crew()
    wire(crew, "3a-redeploy")
    attempt = queue_action(crew)
    past = attempt.queued_at.replace(year=2020)
    Attempt.objects.filter(pk=attempt.pk).update(state=AttemptState.LEASED, lease_until=past)

    call_command("sweep")

    attempt.refresh_from_db()
    assert attempt.state == AttemptState.QUEUED
    assert WorkerBeat.objects.count() == 1


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_the_loop_runs_actions_and_gates_without_a_broker(tmp_path: Path, process_env: dict[str, str]) -> None:
    acting, checking = make_crew(), make_crew()
    wire(acting, "3a-redeploy")
    Wiring.objects.create(product=checking.product, key="smoke", connector=Connector.objects.get())
    attempt = queue_action(acting)
    incident = make_incident(checking, at=Phase.VERIFYING)
    run = verify.ask_for_run(incident.gates.get(key="smoke"), by=checking.commander)

    with (tmp_path / "log").open("w+") as log:
        worker = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "sweep", "--loop", "--every", "0.2"],
            env=process_env | {"REDIS_URL": NO_BROKER, "LASTGOOD_COMMANDS": COMMANDS},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _until(lambda: _is_done(attempt, run), log)
        finally:
            worker.send_signal(signal.SIGTERM)
            code = worker.wait(20)

    attempt.refresh_from_db()
    run.refresh_from_db()
    assert (attempt.state, attempt.output.strip(), attempt.epoch) == (AttemptState.SUCCEEDED, "done", 1)
    assert (run.state, run.outcome) == (AttemptState.SUCCEEDED, GateOutcome.PASS)
    assert Action.objects.get(pk=attempt.action_id).state == ActionState.SUCCEEDED
    assert code == 0


def _is_done(attempt: Attempt, run: GateRun) -> bool:
    attempt.refresh_from_db()
    run.refresh_from_db()
    return AttemptState.QUEUED not in (attempt.state, run.state) and attempt.state != AttemptState.STARTED


def _until(holds: Any, log: Any) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        log.seek(0)
        assert time.monotonic() < deadline, log.read()[-3000:]
        time.sleep(0.1)
