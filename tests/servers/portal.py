"""The portal's own processes on the test database: a Celery worker and a web server."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from portal.bootstrap.places import ROOT
from portal.celery import app
from portal.demo import ports
from portal.demo.processes import Child, wait_until
from tests.servers.nursery import Nursery
from tests.servers.smtp import SmtpSink

QUEUES = ("celery", "actions", "mail", "reports")
TROUBLE = re.compile(r"Traceback \(most recent call last\)|SystemExit|WorkerLostError")


@dataclass
class Process:
    """One of the portal's processes, its log, and what of that log a test expects."""

    child: Child
    url: str = ""
    read: int = 0
    expected: list[str] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """The process id, for a test that kills or stops it."""
        return self.child.process.pid

    @property
    def log(self) -> str:
        """What it has written since this test began."""
        return self.child.log.read_text(errors="replace")[self.read :]

    def may_log(self, pattern: str) -> None:
        """Allow a traceback whose log matches this pattern."""
        self.expected.append(pattern)

    def check_log(self) -> None:
        """Fail on a traceback that nobody expected."""
        log = self.log
        if TROUBLE.search(log) and not any(re.search(pattern, log) for pattern in self.expected):
            pytest.fail(f"{self.child.name} logged a traceback:\n{log[-6000:]}", pytrace=False)


@pytest.fixture(scope="session")
def process_env(django_db_setup: None, _smtp_server: SmtpSink) -> dict[str, str]:
    """The environment of a portal process that shares this test run's database, broker, data folder and mail server."""
    return os.environ | {
        "DATABASE_URL": _database_url(),
        "EMAIL_URL": _smtp_server.url,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "LASTGOOD_LOG_LEVEL": "INFO",
        "CELERY_SKIP_CHECKS": "true",
    }


def _database_url() -> str:
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    host, user, password = found["HOST"], found["USER"], found["PASSWORD"]
    port = f":{found['PORT']}" if found["PORT"] else ""
    login = f"{user}:{password}" if password else user
    # A socket's folder stands in the path, behind an empty host.
    place = f"/{host}" if host.startswith("/") else f"{host}{port}"
    return f"postgres://{login}@{place}/{found['NAME']}"


@pytest.fixture(scope="session")
def _nursery(process_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path_factory.mktemp("nursery") / "nursery.log", process_env)
    yield nursery
    nursery.close()


@pytest.fixture
def start_worker(
    transactional_db: None, process_env: dict[str, str], tmp_path: Path, _nursery: Nursery
) -> Iterator[Callable[..., Process]]:
    """Start Celery workers: `start_worker(concurrency=1)`, or with settings: `start_worker(LASTGOOD_COMMANDS="{}")`.

    Returns once the worker answers; settings of its own cost a second. Each is killed at the end of the test, before
    the database is emptied.
    """
    _empty_queues()
    started: list[Process] = []

    def start(*, concurrency: int = 2, queues: tuple[str, ...] = QUEUES, **env: str) -> Process:
        name = f"worker{len(started)}@test-{os.getpid()}"
        options = ["-l", "info", "-n", name, "-c", str(concurrency), "-Q", ",".join(queues)]
        command = ["worker", *options, "--without-gossip", "--without-mingle"]
        log = tmp_path / f"{name}.log"
        if env:
            celery = [sys.executable, "-m", "celery", "-A", "portal.celery"]
            child = Child("worker", [*celery, *command], log, process_env | env).start()
        else:
            child = _nursery.start(Child("worker", command, log, process_env))
        process = Process(child)
        started.append(process)
        if not wait_until(lambda: child.has_ended or _answers(name), seconds=30) or child.has_ended:
            pytest.fail(f"The worker does not answer:\n{child.tail(40)}", pytrace=False)
        return process

    yield start
    for process in started:
        process.child.kill()
    _empty_queues()
    for process in started:
        process.check_log()


@pytest.fixture
def worker(start_worker: Callable[..., Process], smtp_sink: SmtpSink) -> Process:
    """A real Celery worker on the test database, mailing to `smtp_sink`. A traceback in its log fails the test."""
    return start_worker()


def _answers(name: str) -> bool:
    return bool(app.control.ping(destination=[name], timeout=0.2))


def _empty_queues() -> None:
    import redis

    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        broker.flushdb()


@contextmanager
def running_web(env: dict[str, str], log: Path) -> Iterator[Process]:
    """The portal behind its real web server with this environment, at a port of its own."""
    with ports.claimed(ports.any_free()) as port:
        url = f"http://{ports.HOST}:{port}"
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", ports.HOST, "--port", str(port)]
        options = ["--blocking-threads", "4", "--no-ws", "portal.wsgi:application"]
        child = Child("web", [*command, *options], log, env | {"PUBLIC_URL": url}).start()
        try:
            if not wait_until(lambda: child.has_ended or _is_alive(port), seconds=30) or child.has_ended:
                pytest.fail(f"The web server does not answer:\n{child.tail(40)}", pytrace=False)
            yield Process(child, url)
        finally:
            child.stop()


@pytest.fixture(scope="session")
def _web(process_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with running_web(process_env, tmp_path_factory.mktemp("web") / "web.log") as web:
        yield web


def _is_alive(port: int) -> bool:
    line = HTTPConnection(ports.HOST, port, timeout=5)
    try:
        line.request("GET", "/healthz")
        return line.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        line.close()


@pytest.fixture
def served(_web: Process, transactional_db: None) -> Iterator[Process]:
    """The portal behind its real web server on the test database, at `served.url`. A traceback in its log fails."""
    _web.read, _web.expected = len(_web.child.log.read_text(errors="replace")), []
    yield _web
    _web.check_log()
