"""Three hundred actions: all at once (L6), and under twenty faults of every kind. The figures are printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.installation import Installation
from tests.faults.invariants import Scenario, check, on_each

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
AT_ONCE = 4


def test_three_hundred_at_once_run_side_by_side_within_their_bounds(
    portal: Installation, scenario: Callable[..., Scenario]
) -> None:
    found = scenario(number=10, actions=30, paths=("a", "b", "c"))
    portal.target.seconds = (0.1, 0.5)

    on_each(lambda one: found.insist(*one), found.actions)
    seconds = found.settled(seconds=120)

    result = check(found, f"L6 in {seconds:.0f} s")
    assert result.states == {"succeeded": 300}
    assert max(portal.target.at_once(found.keys).values()) <= AT_ONCE


def test_three_hundred_actions_survive_twenty_faults(portal: Installation, scenario: Callable[..., Scenario]) -> None:
    found = scenario(number=10, actions=30)
    portal.target.seconds = (0.3, 0.9)

    def group() -> None:
        found.in_work |= portal.kill_group(portal.random.choice(portal.workers))
        portal.start_worker()

    def child() -> None:
        found.in_work |= portal.kill_child(portal.random.choice(portal.workers))

    faults: list[Callable[[], Any]] = [group] * 6 + [child] * 6 + [portal.flush] * 4
    faults += [lambda: portal.broker_away(1.5)] * 2 + [lambda: portal.broker_frozen(2.5)] * 2
    portal.random.shuffle(faults)
    found.under(faults, seconds=(0.5, 1.5))

    result = check(found, f"{len(faults)} faults of every kind")
    assert result.actions == 300
    assert result.unknown > 0, "no kill hit anything: this run has proven nothing"
