"""Two clocks and four sweepers (F13), and a portal with no broker at all: each action runs once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from portal.bootstrap.places import ROOT
from portal.demo import services
from portal.demo.processes import Child
from tests.faults.installation import Installation
from tests.faults.invariants import Scenario, check, on_each

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


@contextmanager
def sweeper(portal: Installation, number: int) -> Iterator[None]:
    """A process that sweeps and runs what it finds, without the broker."""
    command = [sys.executable, "manage.py", "sweep", "--loop", "--every", "1"]
    child = Child(f"sweeper{number}", command, portal.places.log(f"sweeper{number}"), portal.env)
    child.process = subprocess.Popen(
        command, env=portal.env, cwd=ROOT, stdout=child.log.open("ab"), stderr=subprocess.STDOUT, process_group=0
    )
    try:
        yield
    finally:
        child.stop()


def test_two_clocks_and_four_sweepers_run_each_action_once(
    portal: Installation, scenario: Callable[..., Scenario]
) -> None:
    found = scenario(number=4, actions=15)
    portal.target.seconds = (0.05, 0.2)
    second = services.beat(portal.places, portal.env)
    second.name, second.log = "beat2", portal.places.log("beat2")
    second.command = [part.replace("beat-schedule", "beat-schedule-2") for part in second.command]

    with ExitStack() as stack:
        stack.callback(second.start().kill)
        for number in range(4):
            stack.enter_context(sweeper(portal, number))
        on_each(lambda one: found.insist(*one), found.actions)
        found.settled(seconds=60)

    result = check(found, "F13 two clocks, four sweepers")
    assert result.states == {"succeeded": 60}


def test_without_a_broker_the_sweeper_does_the_work(portal: Installation, scenario: Callable[..., Scenario]) -> None:
    found = scenario(number=2, actions=5)
    portal.target.seconds = (0.05, 0.1)
    portal.stop_broker()
    try:
        with sweeper(portal, 9):
            on_each(lambda one: found.insist(*one), found.actions, threads=2)
            found.settled(seconds=60)
    finally:
        portal.start_broker()

    assert check(found, "no broker, one sweeper").states == {"succeeded": 10}
