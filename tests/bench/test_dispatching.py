"""Commit → start of an action against a bare Celery task and raw Redis in the same run. Figures are printed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.bootstrap.places import ROOT
from portal.demo import valkey
from tests.bench.test_appending import migrated, server

# The goals are 1.5 × Celery, 5 × raw, 5 ms and 850/s; what fails here is a lost magnitude, on a busy machine as well.
MOST_OF_CELERY, MOST_OF_RAW, MOST_MS, LEAST_PER_SECOND = 30, 200, 600, 15
pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    with valkey.socket_in(tmp_path) as at:
        child = valkey.server(tmp_path / "valkey", at, tmp_path / "valkey.log", keeps=True).start()
        assert valkey.wait(at, child), child.tail()
        try:
            yield f"unix://{at}"
        finally:
            child.stop()


def measured(url: str, broker: str, folder: Path) -> dict[str, Any]:
    place = folder / "noted"
    place.mkdir()
    env = migrated(url, folder) | {"REDIS_URL": broker, "BENCH_PLACE": str(place), "C_FORCE_ROOT": "1"}
    run = [sys.executable, "-m", "tests.bench.dispatching"]
    done = subprocess.run(run, env=env, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    shown = found | {"profile": {name: value for name, value in found["profile"].items() if name != "statements"}}
    sys.stderr.write(f"\n{url.split(':')[0]}: {shown}\n")
    return found


def keeps_its_magnitude(found: dict[str, Any]) -> None:
    action = found["action"]
    assert found["p50_of_celery"] <= MOST_OF_CELERY
    assert found["p50_of_raw"] <= MOST_OF_RAW
    assert action["p99_ms"] <= MOST_MS
    assert action["starts_per_second"] >= LEAST_PER_SECOND


def test_an_action_starts_nearly_as_soon_as_a_bare_task_on_postgresql(tmp_path: Path, broker: str) -> None:
    with server(durable=True) as url:
        keeps_its_magnitude(measured(url, broker, tmp_path))


def test_an_action_starts_nearly_as_soon_as_a_bare_task_on_sqlite(tmp_path: Path, broker: str) -> None:
    keeps_its_magnitude(measured(f"sqlite:///{tmp_path / 'bench.sqlite3'}", broker, tmp_path))
