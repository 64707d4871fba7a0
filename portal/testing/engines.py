"""The databases that a test run uses, each with servers and folders of its own."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from portal.demo import valkey
from portal.demo.guard import Guard
from portal.demo.processes import Child
from portal.testing import postgres

NAMES = ("postgresql", "sqlite")
Watch = Callable[[Child], None]


@dataclass(frozen=True, eq=False)
class Engine:
    """One database with everything a pytest process on it needs."""

    name: str
    title: str
    broker: str
    env: dict[str, str]


@contextmanager
def running(folder: Path, only: str | None) -> Iterator[list[Engine]]:
    """The engines of this run, PostgreSQL first. DATABASE_URL and REDIS_URL from the environment win."""
    guard = Guard()
    guard.over_folder(str(folder))
    with ExitStack() as stack:

        def watched(child: Child) -> None:
            guard.over_group(child.process.pid)
            stack.callback(guard.release, child.process.pid)
            stack.callback(child.stop)

        yield [_engine(name, folder, watched) for name in _wanted(only)]


def _wanted(only: str | None) -> list[str]:
    given = os.environ.get("DATABASE_URL")
    if not given:
        return [only] if only else list(NAMES)
    name = "sqlite" if given.startswith("sqlite") else "postgresql"
    if only not in (None, name):
        raise SystemExit(f"DATABASE_URL names {name}, --engine asks for {only}. Unset one of them.")
    return [name]


def _engine(name: str, folder: Path, watched: Watch) -> Engine:
    place = folder / name
    place.mkdir(mode=0o755)
    database, title = _database(name, folder, place, watched)
    broker, broker_title = _broker(name, place, watched)
    env = {
        "DATABASE_URL": database,
        "REDIS_URL": broker,
        "LASTGOOD_DATA_DIR": str(place / "data"),
        "LASTGOOD_ENGINE": name,
        "SECRET_KEY": "only-for-tests-" + "x" * 40,
        "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "C_FORCE_ROOT": "1",
        # Processes that a test kills leave their temporary folders behind.
        "TMPDIR": str(place / "scratch"),
    }
    if name == "postgresql":  # a test's transaction stands still for as long as the test waits for something
        env["LASTGOOD_DATABASE_PATIENCE_SECONDS"] = "0"
    (place / "data" / "static").mkdir(parents=True)
    (place / "scratch").mkdir()
    return Engine(name, title, broker_title, env)


def _database(name: str, folder: Path, place: Path, watched: Watch) -> tuple[str, str]:
    if given := os.environ.get("DATABASE_URL"):
        return given, f"{name} of DATABASE_URL"
    if name == "sqlite":
        return f"sqlite:///{place / 'data' / 'lastgood.sqlite3'}", f"SQLite {sqlite3.sqlite_version}"
    cluster = place / "cluster"
    cluster.mkdir(mode=0o700)
    child, url = postgres.start(cluster, place / "postgresql.log")
    watched(child)
    return url, postgres.version(postgres.binaries())


def _broker(name: str, place: Path, watched: Watch) -> tuple[str, str]:
    if given := os.environ.get("REDIS_URL"):
        # Two pytest processes on one server would run each other's tasks.
        number = NAMES.index(name) if "DATABASE_URL" not in os.environ else None
        return (given if number is None else with_database(given, number)), "server of REDIS_URL"
    child = valkey.server(place / "valkey", place / "valkey.sock", place / "valkey.log", keeps=False).start()
    watched(child)
    if not valkey.wait(place / "valkey.sock", child):
        raise SystemExit(f"The broker does not start:\n{child.tail()}")
    return f"unix://{place / 'valkey.sock'}", valkey.version()


def with_database(url: str, number: int) -> str:
    """The same Redis server, another of its numbered databases."""
    if url.startswith("unix://"):
        return f"{url.partition('?')[0]}?db={number}"
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{number}"
