"""Verifying a long stored log by command, against hashing its bytes alone. LASTGOOD_BENCH_ENTRIES sets its length."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from portal.bootstrap.places import ROOT
from tests.bench.test_appending import migrated, server

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

ENTRIES = os.environ.get("LASTGOOD_BENCH_ENTRIES", "200000")
MIB = 1024
# The goal is 3 for a million entries; a shorter log pays more for connecting and forking.
MOST = 20


def verified(env: dict[str, str]) -> dict[str, Any]:
    """How long `manage.py verify_evidence` takes beyond a command that does nothing, and its largest process."""
    run = {"env": env, "cwd": ROOT, "check": True, "capture_output": True, "text": True, "timeout": 500}
    fill = subprocess.run([sys.executable, "-m", "tests.bench.verifying", ENTRIES], **run)
    found: dict[str, Any] = json.loads(fill.stdout.splitlines()[-1])
    idle, _ = _timed([sys.executable, "manage.py", "verify_evidence", "--help"], run)
    whole, said = _timed([sys.executable, "manage.py", "verify_evidence", "global", "--log-only"], run)
    assert f"intact, {found['entries']} entries" in said
    return found | {"command_s": round(whole, 3), "idle_s": round(idle, 3)}


def _timed(command: list[str], run: dict[str, Any]) -> tuple[float, str]:
    begun = time.perf_counter()
    done = subprocess.run(command, **run)
    return time.perf_counter() - begun, str(done.stdout)


def judge(name: str, found: dict[str, Any]) -> None:
    found["ratio"] = round((found["command_s"] - found["idle_s"]) / found["hashing_s"], 2)
    found["ratio_with_start"] = round(found["command_s"] / found["hashing_s"], 2)
    found["largest_child_mib"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // MIB
    sys.stderr.write(f"\n{name}: {found}\n")
    assert found["ratio"] <= MOST


def test_on_postgresql(tmp_path: Path) -> None:
    with server(durable=False) as url:
        judge("postgresql", verified(migrated(url, tmp_path)))


def test_on_sqlite(tmp_path: Path) -> None:
    judge("sqlite", verified(migrated(f"sqlite:///{tmp_path / 'bench.sqlite3'}", tmp_path)))
