"""What probes are told, and who is told it."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.test import Client

from comms.models import Delivery, DeliveryState, Notice
from incidents import clock
from incidents.evidence import triggers, witness
from incidents.models import WorkerBeat
from incidents.steps import rollback
from incidents.terms import AttemptState, Phase, Role
from portal.celery import app
from portal.health import readiness
from tests.factories import Crew, UserFactory, make_crew, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture
def broker_at() -> Iterator[Callable[[str], None]]:
    """Point the portal at another broker: `broker_at("redis://…")`."""
    before = app.conf.broker_write_url

    def point(url: str) -> None:
        app.conf.broker_write_url = url

    yield point
    app.conf.broker_write_url = before


@pytest.fixture
def in_memory_broker(broker_at: Callable[[str], None]) -> None:
    broker_at("memory://")


def checks(answer: Any) -> dict[str, bool]:
    return {name: check["ok"] for name, check in answer.json()["checks"].items()}


def test_healthz_asks_nothing_of_the_database(client: Client) -> None:
    def gone(*_: Any) -> None:
        raise OperationalError("gone")

    with connection.execute_wrapper(gone):
        answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_readyz_is_200_once_everything_is_there(client: Client, in_memory_broker: None) -> None:
    WorkerBeat.objects.create(name="worker-1", seen_at=Now())

    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    reasons = {name: check["reason"] for name, check in answer.json()["checks"].items()}
    assert reasons == {
        "database": f"{connection.display_name} answers.",
        "migrations": "All migrations are applied.",
        "triggers": "Evidence is append-only.",
        "evidence": "Each log holds what was signed of it.",
        "workers": "Alive: worker-1.",
        "dispatch": "Actions may start.",
        "broker": "The broker answers.",
    }


def test_readyz_says_when_no_worker_ever_reported(client: Client, in_memory_broker: None) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert checks(answer)["workers"] is False
    assert answer.json()["checks"]["workers"]["reason"] == "No worker has reported yet: start a worker and beat."


def test_readyz_says_when_the_last_worker_reported(client: Client, in_memory_broker: None) -> None:
    seen_at = clock.now() - timedelta(seconds=readiness.WORKER_SECONDS + 5)
    WorkerBeat.objects.create(name="worker-1", seen_at=seen_at)

    answer = client.get("/readyz")

    assert answer.status_code == 503
    reason = answer.json()["checks"]["workers"]["reason"]
    assert reason == f"No worker reported for 60 s; the last did at {seen_at:%Y-%m-%d %H:%M:%S} UTC."


def test_readyz_misses_evidence_triggers(client: Client, in_memory_broker: None) -> None:
    WorkerBeat.objects.create(name="worker-1", seen_at=Now())
    triggers.drop(connection)

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert [name for name, ok in checks(answer).items() if not ok] == ["triggers"]
    assert "evidence_in_order" in answer.json()["checks"]["triggers"]["reason"]


def test_readyz_tells_of_a_log_that_went_back_and_stays_ready(client: Client, in_memory_broker: None) -> None:
    WorkerBeat.objects.create(name="worker-1", seen_at=Now())
    witness.alarm(uuid.uuid4(), "Of the evidence of RB-2026-0001, 9 entries were signed and only 7 are there.")

    answer = client.get("/readyz")

    assert (answer.status_code, checks(answer)["evidence"]) == (200, False)
    assert "only 7 are there" in answer.json()["checks"]["evidence"]["reason"]


def test_readyz_names_the_first_migration_that_waits(client: Client, in_memory_broker: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'comms'")

    answer = client.get("/readyz")

    assert checks(answer)["migrations"] is False
    assert "comms.0001_initial" in answer.json()["checks"]["migrations"]["reason"]


def test_readyz_answers_when_the_database_does_not(client: Client, in_memory_broker: None) -> None:
    def gone(*_: Any) -> None:
        raise OperationalError("gone: password=secret")

    with connection.execute_wrapper(gone):
        answer = client.get("/readyz")

    assert answer.status_code == 503
    assert checks(answer)["database"] is False
    assert "secret" not in answer.content.decode()


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_a_dead_broker_costs_readyz_less_than_a_second(
    client: Client, broker_at: Callable[[str], None], kind: str
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == "silent":
            listener.listen()
        broker_at(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        begun = time.monotonic()
        answer = client.get("/readyz")
        took = time.monotonic() - begun

    assert checks(answer)["broker"] is False
    assert took < 1.5  # the other questions included


def test_metrics_tell_what_is_frozen_and_what_waits(client: Client, crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    make_incident(make_crew(), drill=True)
    action = incident.actions.get(key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])
    action.attempts.update(state=AttemptState.UNKNOWN)
    notice = Notice.objects.create(incident=incident, kind="A", subject="s", body="b", written_at=clock.now())
    Delivery.objects.create(
        notice=notice,
        name="n",
        email="n@example.test",
        message_id="m",
        content=b"",
        sha256="",
        state=DeliveryState.QUEUED,
        not_before=clock.now(),
    )

    answer = client.get("/metrics")

    lines = answer.content.decode().splitlines()
    assert answer.status_code == 200
    assert [line for line in lines if line.startswith("lastgood_")] == [
        "lastgood_active_freezes 1.0",
        'lastgood_attempts{state="queued"} 0.0',
        'lastgood_attempts{state="unknown"} 1.0',
        "lastgood_queued_deliveries 1.0",
    ]
    assert any(line.startswith("process_resident_memory_bytes") for line in lines)


@pytest.mark.parametrize(
    "where",
    [
        {"REMOTE_ADDR": "203.0.113.9"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=203.0.113.9"},
        {"REMOTE_ADDR": ""},
    ],
)
def test_metrics_ask_strangers_for_a_token_that_may_read(
    client: Client, calling: Callable[..., Any], where: dict[str, str]
) -> None:
    reader, pipeline = calling(UserFactory(), scopes=("read",)), calling(UserFactory(), scopes=("check",))

    found = [
        client.get("/metrics", headers=headers, **where).status_code
        for headers in ({}, pipeline.headers, reader.headers)
    ]
    assert found == [401, 403, 200]


def test_metrics_answer_503_when_the_database_does_not(client: Client) -> None:
    def gone(*_: Any) -> None:
        raise OperationalError("gone")

    with connection.execute_wrapper(gone):
        assert client.get("/metrics").status_code == 503


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_need_no_sign_in_and_take_no_posts(client: Client, in_memory_broker: None, path: str) -> None:
    assert client.get(path).status_code in (200, 503)
    assert client.post(path).status_code == 405
