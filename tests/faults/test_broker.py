"""The broker forgets, lies, falls silent or is gone (F3, F4, F5): the rows know what is to be done."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from portal.demo.processes import wait_until
from tests.faults.installation import Answer, Installation
from tests.faults.invariants import EXPECTED, Scenario, check

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
DRAIN_SECONDS = 30
# What a worker logs of a message that is none.
GARBAGE = r"|DecodeError|KeyError|TypeError|ContentDisallowed|ValidationError|ValueError"


def test_a_broker_that_forgets_everything_ten_times_loses_nothing(
    portal: Installation, scenario: Callable[..., Scenario]
) -> None:
    found = scenario(number=5, actions=20)
    portal.target.seconds = (0.05, 0.2)

    seconds = found.under([portal.flush] * 10, seconds=(0.1, 0.5), settled=DRAIN_SECONDS)

    result = check(found, f"F3 FLUSHALL, drained in {seconds:.0f} s")
    assert result.states == {"succeeded": 100}


def test_forged_and_garbage_messages_do_nothing(portal: Installation, scenario: Callable[..., Scenario]) -> None:
    found = scenario(number=1, actions=3)
    portal.target.seconds = (0.05, 0.1)
    before = len(portal.target.hits)
    found.insist(*found.actions[0])
    found.settled(seconds=30)
    [done] = found.keys

    for forged in (done, done, str(uuid.uuid4()), "no id", "'; DROP TABLE incidents_attempt; --", ""):
        portal.hand.do("ring", "incidents.tasks.run_attempt", forged)
    with redis.Redis(unix_socket_path=str(portal.places.socket)) as broker:
        for garbage in garbage_messages():
            broker.lpush("actions", garbage)
    found.insist(*found.actions[1])
    found.settled(seconds=DRAIN_SECONDS)

    check(found, "F3 forged messages", expected=EXPECTED + GARBAGE)
    assert len(portal.target.hits) - before == 2
    assert wait_until(lambda: all(not group.has_ended for group in portal.workers), seconds=1)


def garbage_messages() -> Iterator[bytes]:
    """What a stranger with the broker's password could write into our queue."""
    head = {"id": str(uuid.uuid4()), "task": "os.system", "lang": "py", "argsrepr": "", "kwargsrepr": ""}
    properties = {
        "correlation_id": "x",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": "actions"},
        "body_encoding": "base64",
        "delivery_tag": str(uuid.uuid4()),
    }
    body = "W1sidG91Y2ggL3RtcC9mb3JnZWQiXSwge30sIHt9XQ=="
    for kind in ("application/json", "application/x-python-serialize", "application/nothing"):
        message = {"body": body, "content-encoding": "utf-8", "content-type": kind, "headers": head}
        yield json.dumps(message | {"properties": properties}).encode()


@contextmanager
def people_at_work(found: Scenario, every: float = 0.4) -> Iterator[list[Answer]]:
    """Somebody writes notes and dispatches all the while. What they were answered is in the list."""
    over, answers, waiting = threading.Event(), [], list(found.actions)

    def work() -> None:
        number = 0
        while not over.wait(every):
            if waiting:
                answers.append(found.dispatch(*waiting.pop(0)))
            note = {"text": f"Still here {number}"}
            where = f"incidents/{found.incidents[0]['reference']}/declare/note"
            answers.append(found.portal.ask("POST", where, "commander", note))
            number += 1

    working = threading.Thread(target=work)
    working.start()
    try:
        yield answers
    finally:
        over.set()
        working.join()


@pytest.mark.parametrize("how", ["away", "frozen"])
def test_people_hardly_wait_while_the_broker_is_silent_and_the_work_is_done_after(
    portal: Installation, scenario: Callable[..., Scenario], how: str
) -> None:
    found = scenario(number=3, actions=10)
    portal.target.seconds = (0.05, 0.2)
    silence: Any = {"away": portal.broker_away, "frozen": portal.broker_frozen}[how]

    with found.asked_at_the_gate(), people_at_work(found) as answers:
        silence(12)
        began = time.monotonic()
        seconds = found.settled(seconds=DRAIN_SECONDS)
    found.settled(seconds=DRAIN_SECONDS)

    slowest = sorted(answer.seconds for answer in answers)
    gate = sorted(answer.seconds for answer in found.freezes)
    result = check(
        found, f"F4 broker {how}: slowest write {slowest[-1]:.2f} s, gate {gate[-1]:.2f} s, drained {seconds:.0f} s"
    )
    assert time.monotonic() - began < 2 * DRAIN_SECONDS
    assert slowest[-1] <= 2.5
    assert gate[int(0.99 * len(gate))] <= 0.5
    assert result.states == {"succeeded": result.actions}
    assert {answer.status for answer in answers} <= {201, 202}


def test_workers_outlive_a_broker_that_restarts_ten_times(
    portal: Installation, scenario: Callable[..., Scenario]
) -> None:
    found = scenario(number=4, actions=10)
    portal.target.seconds = (0.3, 0.9)
    groups = {group.process.pid for group in portal.workers}

    found.under([lambda: portal.broker_away(0.1)] * 10, seconds=(0.1, 0.6))

    result = check(found, "F5 broker restarted")
    assert result.states == {"succeeded": 40}
    assert {group.process.pid for group in portal.workers if not group.has_ended} == groups
    assert portal.ask("GET", "/readyz").status == 200
