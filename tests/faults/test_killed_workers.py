"""Workers die while actions run (F1, F2): nothing is lost, nothing happens twice, what nobody knows is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portal.demo.processes import wait_until
from tests.faults.installation import GROUPS, Installation
from tests.faults.invariants import Scenario, check

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
NOTHING_HIT = "no kill hit anything: this run has proven nothing"


def test_killed_worker_groups_lose_and_double_nothing(portal: Installation, scenario: Callable[..., Scenario]) -> None:
    found = scenario(number=5, actions=24)
    portal.target.seconds = (0.3, 0.9)

    def kill() -> None:
        found.in_work |= portal.kill_group(portal.random.choice(portal.workers))
        portal.start_worker()

    found.under([kill] * 8, seconds=(0.6, 1.4))

    result = check(found, "F1 worker groups killed")
    assert result.unknown > 0, NOTHING_HIT
    assert len(portal.workers) == GROUPS


def test_killed_children_lose_and_double_nothing(portal: Installation, scenario: Callable[..., Scenario]) -> None:
    found = scenario(number=5, actions=24)
    portal.target.seconds = (0.3, 0.9)

    def kill() -> None:
        found.in_work |= portal.kill_child(portal.random.choice(portal.workers))

    found.under([kill] * 16, seconds=(0.2, 0.6))

    result = check(found, "F2 children killed")
    assert result.unknown > 0, NOTHING_HIT
    assert wait_until(lambda: not any(group.has_ended for group in portal.workers), seconds=5)


def test_an_unknown_outcome_is_named_where_people_look(portal: Installation, scenario: Callable[..., Scenario]) -> None:
    found = scenario(number=1, actions=1)
    portal.target.seconds = (20, 20)
    found.insist(*found.actions[0])
    assert wait_until(lambda: portal.target.hits[-1:] and portal.target.hits[-1].key in found.keys, seconds=10)
    for group in list(portal.workers):
        found.in_work |= portal.kill_group(group)
        portal.start_worker()
    found.settled(seconds=30)

    check(found, "F1 one unknown")

    reference, action = found.actions[0]
    page = portal.page(f"/incidents/{reference}/", "api_lead")
    metrics = portal.ask("GET", "/metrics").value.decode()
    again = found.dispatch(reference, action)
    assert "Outcome unknown" in page
    assert 'lastgood_attempts{state="unknown"} ' in metrics
    assert again.status == 409
    assert "two people decide" in again.value["detail"]
