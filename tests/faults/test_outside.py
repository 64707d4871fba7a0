"""Outside systems and commands that misbehave (F10, F17), met by a real worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from portal.demo.processes import wait_until
from tests.faults import stubborn
from tests.faults.installation import Installation
from tests.faults.invariants import Scenario, check
from tests.incidents.connectors.given import known

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
DEADLINE = 3
KEPT = 262_144


def running(token: str) -> list[int]:
    """What a command has started: the shells and wrappers only quote the number."""
    return [pid for pid, line in known(token).items() if line.startswith(b"sleep")]


def shown(portal: Installation, found: Scenario) -> dict[str, Any]:
    """The attempts by the key of their action, as the API shows them."""
    answer = portal.ask("GET", f"incidents/{found.incidents[0]['reference']}", "api_lead")
    return {row["key"]: row["attempts"][0] for row in answer.value["actions"] if row["attempts"]}


def seconds_of(attempt: Any) -> float:
    from datetime import datetime

    began, ended = (datetime.fromisoformat(attempt[name]) for name in ("started_at", "finished_at"))
    return (ended - began).total_seconds()


def test_each_misbehaviour_ends_in_its_class_and_in_time(
    portal: Installation, scenario: Callable[..., Scenario]
) -> None:
    odds = list(portal.odd.values())
    for odd in odds:
        odd.reached = 0
    connectors = [{"config": {"url": odd.url}, "deadline_seconds": DEADLINE} for odd in odds]
    found = scenario(number=1, actions=len(odds), connectors=connectors)

    for one in found.actions:
        found.insist(*one)
    wanted = {name: odd.ends for name, odd in portal.odd.items()}
    assert wait_until(lambda: ends(portal, found) == wanted, seconds=30), ends(portal, found)

    by_name = dict(zip(portal.odd, shown(portal, found).values(), strict=True))
    asked = {name for name, state in wanted.items() if state != "queued"}
    assert {name: row for name, row in by_name.items() if name in asked and seconds_of(row) > DEADLINE + 2} == {}
    assert {name: portal.odd[name].reached for name in asked} == dict.fromkeys(asked, 1)
    for key, state in portal.attempts(found.keys).items():
        reference, action = found.acknowledged[key]
        if state == "queued":
            body = {"reason": "Nobody speaks TLS there"}
            portal.ask("POST", f"incidents/{reference}/rollback/actions/{action}/abort", "commander", body)
        elif state == "unknown":
            found.in_work.add(key)
    check(found, "F10 outside systems", ledger=False)


def ends(portal: Installation, found: Scenario) -> dict[str, str]:
    """The state of each attempt, by the name of what it met."""
    rows = shown(portal, found)
    return {name: rows[key]["state"] for name, key in zip(portal.odd, sorted(rows), strict=False)}


def test_commands_that_do_not_want_to_end_are_ended(portal: Installation, scenario: Callable[..., Scenario]) -> None:
    names = [*stubborn.SHAPES, "flood"]
    found = scenario(number=1, actions=len(names), connectors=[command(name) for name in names])

    for one in found.actions:
        found.insist(*one)
    found.settled(seconds=60)

    rows = dict(zip(names, shown(portal, found).values(), strict=True))
    flood = rows.pop("flood")
    assert {name: row["state"] for name, row in rows.items()} == dict.fromkeys(stubborn.SHAPES, "unknown")
    assert all(seconds_of(row) <= stubborn.SECONDS + 2 for row in rows.values()), rows
    assert running(portal.token) == []
    [[output, dropped]] = portal.hand.rows("Attempt", "output", "output_dropped", id=flood["id"])
    assert flood["state"] == "succeeded"
    assert len(output.encode()) <= KEPT + 200
    assert dropped >= stubborn.FLOOD_BYTES - KEPT
    found.in_work |= {row["id"] for row in rows.values()}
    check(found, "F17 commands", ledger=False)


def test_a_command_dies_with_the_worker_that_ran_it(portal: Installation, scenario: Callable[..., Scenario]) -> None:
    found = scenario(number=1, actions=1, connectors=[command("patient")])
    found.insist(*found.actions[0])
    assert wait_until(lambda: len(running(portal.token)) == 2, seconds=10)

    for group in list(portal.workers):
        found.in_work |= portal.kill_group(group)
    began = time.monotonic()
    assert wait_until(lambda: running(portal.token) == [], seconds=5)
    gone = time.monotonic() - began
    portal.start_worker()
    portal.start_worker()
    found.settled(seconds=30)

    check(found, f"F17 worker killed, its command gone in {gone:.1f} s", ledger=False)
    assert gone <= 2
    assert found.states() == {"unknown": 1}


def command(name: str) -> dict[str, Any]:
    return {"kind": "command", "config": {"command": name}, "secret": ""}
