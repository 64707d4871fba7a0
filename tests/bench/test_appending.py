"""Appending to the log: against a bare INSERT, and many writers on one chain. Figures are printed with the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from portal.bootstrap.places import ROOT
from tests.servers import migrated as tables

# The goals are 1.3, 2 and 3; a busy machine measures up to twice of that, and what fails here is a lost magnitude.
MOST = {"postgresql": 3, "sqlite": 8, "writers": 6}
pytestmark = [pytest.mark.bench, pytest.mark.timeout(240)]


@contextmanager
def server(*, durable: bool) -> Iterator[str]:
    """A PostgreSQL with the portal's tables. `durable`: a commit waits for the disk; the test run's own never does."""
    with tempfile.TemporaryDirectory(prefix="lg-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o755)
        folder = Path(place) / "pg"
        folder.mkdir()
        child, url = tables.postgresql(folder, Path(place) / "log", durable=durable)
        try:
            yield url
        finally:
            child.stop()


def migrated(url: str, folder: Path) -> dict[str, str]:
    """The environment of a portal process on this database; a SQLite file has its tables then."""
    if url.startswith("sqlite:///"):
        tables.sqlite(Path(url.removeprefix("sqlite:///")))
    return os.environ | {
        "DATABASE_URL": url,
        "LASTGOOD_DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }


def measured(url: str, folder: Path, *arguments: str) -> dict[str, Any]:
    return asked(migrated(url, folder), *arguments)


def asked(env: dict[str, str], *arguments: str) -> dict[str, Any]:
    run = [sys.executable, "-m", "tests.bench.appending", *arguments]
    done = subprocess.run(run, env=env, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    sys.stderr.write(f"\n{env['DATABASE_URL'].split(':')[0]} {arguments[0]}: {found}\n")
    return found


def test_an_append_costs_little_more_than_an_insert_on_postgresql(tmp_path: Path) -> None:
    with server(durable=True) as url:
        assert measured(url, tmp_path, "alone", "60")["ratio"] <= MOST["postgresql"]


def test_an_append_costs_little_more_than_an_insert_on_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bench.sqlite3'}"

    assert measured(url, tmp_path, "alone", "60")["ratio"] <= MOST["sqlite"]


def test_writers_of_one_chain_hardly_wait_for_each_other_on_postgresql(tmp_path: Path) -> None:
    """Without the disk: what is measured is how long the head is held."""
    with server(durable=False) as url:
        env = migrated(url, tmp_path)
        found = asked(env, "together") | asked(env, "crowd")

    assert (found["lost"], found["fault"]) == (0, "")
    assert found["ratio"] <= MOST["writers"]


def test_eight_writers_lose_nothing_on_sqlite(tmp_path: Path) -> None:
    found = measured(f"sqlite:///{tmp_path / 'bench.sqlite3'}", tmp_path, "crowd")

    assert (found["lost"], found["fault"]) == (0, "")
