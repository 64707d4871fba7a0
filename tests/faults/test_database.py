"""The database is cut off, gone, locked or full (F6, F7): a write is whole or refused, and the gate denies."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from portal.demo.processes import wait_until
from tests.faults.installation import Installation, children
from tests.faults.invariants import EXPECTED, Scenario, check, on_each

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
# What a process logs whose database was taken from it.
DATABASE = EXPECTED + r"|OperationalError|InterfaceError|AdminShutdown|database_gone"
ASKED = {202, 409, 503, 0}
FOREIGN = """
import sqlite3, sys, time
line = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
line.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""
STANDS_STILL = """
import os, signal, sys
import django
django.setup()
from django.db import transaction
from incidents.models import Incident
from incidents.steps.base import locked
with transaction.atomic():
    locked(Incident.objects.get(reference=sys.argv[1]).pk).save(update_fields=["phase"])
    print("locked", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


@contextmanager
def dispatching(found: Scenario) -> Iterator[None]:
    """Every action is dispatched, again and again until it is acknowledged, while the block runs."""
    working = threading.Thread(
        target=on_each, args=(lambda one: found.insist(*one), found.actions), kwargs={"threads": 1}
    )
    with found.asked_at_the_gate():
        working.start()
        yield
        working.join()


def statuses(found: Scenario) -> Counter[int]:
    return Counter(answer.status for _, answer in found.answers)


@pytest.mark.parametrize("portal", ["postgresql"], indirect=True)
def test_cut_connections_leave_nothing_half_done(portal: Installation, scenario: Callable[..., Scenario]) -> None:
    found = scenario(number=4, actions=15)
    portal.target.seconds = (0.1, 0.4)

    with dispatching(found):
        for _ in range(20):
            time.sleep(portal.random.uniform(0.1, 0.4))
            found.in_work |= started(portal)
            portal.hand.do("cut")
            found.in_work |= started(portal)
    found.settled(seconds=60)

    result = check(found, f"F6 connections cut, answers {dict(statuses(found))}", outage=True, expected=DATABASE)
    assert set(statuses(found)) <= ASKED
    assert result.actions >= 55


@pytest.mark.parametrize("portal", ["postgresql"], indirect=True)
def test_a_database_that_goes_away_refuses_clearly_and_comes_back(
    portal: Installation, scenario: Callable[..., Scenario]
) -> None:
    found = scenario(number=4, actions=10)
    portal.target.seconds = (0.1, 0.4)
    assert portal.database

    with dispatching(found):
        time.sleep(0.2)
        found.in_work |= started(portal)
        portal.database.stop(by=signal.SIGINT)
        asked = [portal.ask("POST", where(found), "commander", {"text": "Is anybody there?"}) for _ in range(3)]
        gates = [portal.ask("GET", gate(found), "commander") for _ in range(3)]
        ready = portal.ask("GET", "/readyz")
        time.sleep(2)
        portal.start_database()
        # A sweep may have been faster than this look: what is unknown now was in work when the database went.
        found.in_work |= started(portal, "unknown")
    found.settled(seconds=60)

    check(found, f"F6 database away, answers {dict(statuses(found))}", outage=True, expected=DATABASE)
    assert {answer.status for answer in asked} == {503}
    assert {(answer.status, answer.value["decision"]) for answer in gates} == {(503, "deny")}
    assert ready.status == 503


@pytest.mark.parametrize("portal", ["postgresql"], indirect=True)
def test_a_process_that_stands_still_with_a_lock_holds_nobody_up_for_long(
    portal: Installation, scenario: Callable[..., Scenario]
) -> None:
    """As a machine that is paused does: its locks are the database's to take back."""
    found = scenario(number=1, actions=1)
    env = portal.env | {"LASTGOOD_DATABASE_PATIENCE_SECONDS": "6"}
    command = [sys.executable, "-c", STANDS_STILL, found.incidents[0]["reference"]]

    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as still:
        assert still.stdout
        assert still.stdout.readline() == "locked\n"
        asked = portal.ask("POST", where(found), "commander", {"text": "Is anybody there?"})
        still.send_signal(signal.SIGCONT)
        _, said = still.communicate(timeout=20)

    assert asked.status == 201, asked
    assert asked.seconds < 15
    assert still.returncode == 1
    assert "django.db.utils.InternalError: terminating connection due to idle-in-transaction timeout" in said


@pytest.mark.parametrize("portal", ["sqlite"], indirect=True)
def test_a_foreign_writer_holds_everyone_up_and_breaks_nothing(
    portal: Installation, scenario: Callable[..., Scenario]
) -> None:
    found = scenario(number=2, actions=10)
    portal.target.seconds = (0.05, 0.1)
    file = portal.url.removeprefix("sqlite:///")

    with dispatching(found):
        command = [sys.executable, "-c", FOREIGN, file, "10"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as foreign:
            assert foreign.stdout
            assert foreign.stdout.readline() == "locked\n"
            found.in_work |= started(portal)
    found.settled(seconds=60)

    check(found, f"F7 locked, answers {dict(statuses(found))}", outage=True, expected=DATABASE)
    assert set(statuses(found)) <= {202, 409, 503}
    assert gates_answered(found)


@pytest.mark.parametrize("portal", ["sqlite"], indirect=True)
def test_a_full_disk_refuses_clearly_and_needs_no_restart_after(
    portal: Installation, scenario: Callable[..., Scenario]
) -> None:
    """Full for the web server: its files may grow no further, as the kernel says it."""
    found = scenario(number=1, actions=4)
    portal.target.seconds = (0.05, 0.1)
    [process] = children(portal.web.process.pid)
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    found.insist(*found.actions[0])
    found.settled(seconds=30)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    asked = [portal.ask("POST", where(found), "commander", {"text": "Written"}) for _ in range(3)]
    gates = [portal.ask("GET", gate(found), "commander") for _ in range(3)]
    resource.prlimit(process, resource.RLIMIT_FSIZE, unlimited)
    on_each(lambda one: found.insist(*one), found.actions[1:])
    found.settled(seconds=30)

    check(found, "F7 disk full", outage=True, expected=DATABASE)
    assert {answer.status for answer in asked} == {503}
    assert {answer.value["decision"] for answer in gates} == {"deny"}
    with sqlite3.connect(portal.url.removeprefix("sqlite:///")) as line:
        assert line.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    line.close()


def started(portal: Installation, *also: str) -> set[str]:
    """What is in work; of what is still leased, the start may be on its way."""
    return {str(key) for [key] in portal.hand.rows("Attempt", "id", state__in=["leased", "started", *also])}


def where(found: Scenario) -> str:
    return f"incidents/{found.incidents[0]['reference']}/declare/note"


def gate(found: Scenario) -> str:
    return f"freeze/{found.incidents[0]['product']}/check?operation=merge"


def gates_answered(found: Scenario) -> bool:
    """A reader waits for no writer."""
    return wait_until(lambda: {answer.status for answer in found.freezes} == {200}, seconds=0.1)
