"""Verifying a long stored log by command, against hashing its bytes alone. LASTGOOD_BENCH_ENTRIES sets its length."""

from __future__ import annotations

import json
import os
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
    """How long `manage.py verify_evidence` takes beyond a command that does nothing, and how much memory it holds."""
    _, (_, short_mib) = _filled(env, "10000"), _verified(env, "10000")
    found, (whole, mib) = _filled(env, ENTRIES), _verified(env, ENTRIES)
    idle, *_ = _timed(env, "--help")
    return found | {"command_s": round(whole, 3), "idle_s": round(idle, 3), "mib": mib, "more_mib": mib - short_mib}


def _filled(env: dict[str, str], entries: str) -> dict[str, Any]:
    fill = [sys.executable, "-m", "tests.bench.verifying", entries]
    done = subprocess.run(fill, env=env, cwd=ROOT, check=True, capture_output=True, text=True, timeout=500)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _verified(env: dict[str, str], entries: str) -> tuple[float, int]:
    seconds, mib, said = _timed(env, "global", "--log-only")
    assert f"intact, {entries} entries" in said
    return seconds, mib


def _timed(env: dict[str, str], *arguments: str) -> tuple[float, int, str]:
    """Seconds, the largest of its processes in MiB, and what it said."""
    command = [sys.executable, "manage.py", "verify_evidence", *arguments]
    begun = time.perf_counter()
    with subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    return seconds, used.ru_maxrss // MIB, said


def judge(name: str, found: dict[str, Any]) -> None:
    found["ratio"] = round((found["command_s"] - found["idle_s"]) / found["hashing_s"], 2)
    found["ratio_with_start"] = round(found["command_s"] / found["hashing_s"], 2)
    sys.stderr.write(f"\n{name}: {found}\n")
    assert found["ratio"] <= MOST
    assert found["more_mib"] <= 64


def test_on_postgresql(tmp_path: Path) -> None:
    with server(durable=False) as url:
        judge("postgresql", verified(migrated(url, tmp_path)))


def test_on_sqlite(tmp_path: Path) -> None:
    judge("sqlite", verified(migrated(f"sqlite:///{tmp_path / 'bench.sqlite3'}", tmp_path)))
