"""A worker does not look dead while it is busy, is forgotten when it is gone, and keeps a connection that works."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from incidents import dispatch, tasks
from incidents.models import Attempt, Connector, Wiring, WorkerBeat
from incidents.steps import rollback
from incidents.terms import AttemptState, ConnectorKind, Phase, Role
from portal.demo.processes import wait_until
from tests.factories import make_crew, make_incident

pytestmark = pytest.mark.django_db
KEY = "3e-revoke"
WAIT = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.05)"


def test_each_process_leaves_its_own_sign_of_life() -> None:
    dispatch.note_worker()
    dispatch.note_worker()

    assert list(WorkerBeat.objects.values_list("name", flat=True)) == [f"{socket.gethostname()}:{os.getpid()}"]


def test_the_sweep_forgets_processes_that_are_long_gone() -> None:
    WorkerBeat.objects.create(name="gone", seen_at=Now() - timedelta(hours=2))
    WorkerBeat.objects.create(name="silent", seen_at=Now() - timedelta(minutes=5))

    tasks.sweep()

    assert set(WorkerBeat.objects.values_list("name", flat=True)) == {"silent", dispatch.worker_name()}


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_a_worker_says_that_it_lives_while_one_action_takes_long(
    start_worker: Callable[..., Any], tmp_path: Path
) -> None:
    until = tmp_path / "go on"
    commands = {"wait": {"argv": [sys.executable, "-c", WAIT, str(until)], "timeout_seconds": 60}}
    worker = start_worker(concurrency=1, LASTGOOD_COMMANDS=json.dumps(commands), LASTGOOD_ATTEMPT_LEASE_SECONDS="3")
    attempt = dispatched("wait")
    assert wait_until(lambda: _state(attempt) == AttemptState.STARTED, seconds=20)

    for _ in range(2):
        WorkerBeat.objects.all().delete()
        assert wait_until(WorkerBeat.objects.exists, seconds=10)
        assert _state(attempt) == AttemptState.STARTED
    beat = WorkerBeat.objects.get()
    until.touch()

    assert wait_until(lambda: _state(attempt) == AttemptState.SUCCEEDED, seconds=20)
    host, _, pid = beat.name.rpartition(":")
    assert (host, int(pid) == worker.pid) == (socket.gethostname(), False), "a process of the pool, not its parent"


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_a_worker_keeps_its_connection_and_opens_another_when_it_is_cut(
    start_worker: Callable[..., Any], engine: str
) -> None:
    others = connections_of(engine)  # of what else the run has started
    start_worker(concurrency=1, LASTGOOD_COMMANDS='{"say": {"argv": ["/bin/echo", "done"]}}')
    for _ in range(2):
        first, second = dispatched("say"), dispatched("say")
        assert wait_until(lambda: {_state(first), _state(second)} == {AttemptState.SUCCEEDED}, seconds=20)  # noqa: B023
        kept = connections_of(engine) - others
        assert len(kept) <= 2, "the process of the pool and its parent"
        cut(kept)


def connections_of(engine: str) -> set[int]:
    """Who is connected to this database, by the server's process; nobody says so on SQLite."""
    if engine != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
        )
        return {pid for (pid,) in cursor.fetchall()}


def cut(pids: set[int]) -> None:
    """End connections, as a restart of PostgreSQL does."""
    with connection.cursor() as cursor:
        for pid in pids:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


def dispatched(command: str) -> Attempt:
    """An action that is queued for a command."""
    crew = make_crew()
    runner, _ = Connector.objects.get_or_create(
        name=command, defaults={"kind": ConnectorKind.COMMAND, "config": {"command": command}}
    )
    Wiring.objects.create(product=crew.product, key=KEY, connector=runner)
    action = make_incident(crew, at=Phase.ROLLING_BACK).actions.get(key=KEY)
    rollback.approve(action, by=crew.commander)
    return rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])


def _state(attempt: Any) -> str:
    attempt.refresh_from_db()
    return str(attempt.state)
