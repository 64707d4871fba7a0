"""Sending a notice from the outbox, against smtplib on one connection. Figures are printed with the run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from portal.bootstrap.places import ROOT
from tests.bench.test_appending import migrated, server

# The goals are 1.2 and, where the server answers 5 ms late, 0.32; what fails here is a lost magnitude.
MOST = {"0": 4, "5": 0.9}
pytestmark = [pytest.mark.bench, pytest.mark.timeout(240)]


def measured(url: str, folder: Path, *arguments: str) -> dict[str, Any]:
    env = migrated(url, folder)
    run = [sys.executable, "-m", "tests.bench.mailing", *arguments]
    done = subprocess.run(run, env=env, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    sys.stderr.write(f"\n{url.split(':')[0]} {' '.join(arguments)}: {found}\n")
    return found


@pytest.mark.parametrize(("copies", "late_ms", "rounds"), [("200", "0", "5"), ("100", "5", "3")])
def test_a_notice_marked_copy_by_copy_goes_out_as_fast_as_plain_mails_on_postgresql(
    tmp_path: Path, copies: str, late_ms: str, rounds: str
) -> None:
    with server(durable=True) as url:
        assert measured(url, tmp_path, "outbox", copies, late_ms, rounds)["ratio"] <= MOST[late_ms]


@pytest.mark.parametrize(("copies", "late_ms", "rounds"), [("200", "0", "5"), ("100", "5", "3")])
def test_a_notice_marked_copy_by_copy_goes_out_as_fast_as_plain_mails_on_sqlite(
    tmp_path: Path, copies: str, late_ms: str, rounds: str
) -> None:
    url = f"sqlite:///{tmp_path / 'bench.sqlite3'}"

    assert measured(url, tmp_path, "outbox", copies, late_ms, rounds)["ratio"] <= MOST[late_ms]
