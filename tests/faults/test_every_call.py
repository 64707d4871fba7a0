"""The kill-point sweep without any hook (F9): strace ends an act at each system call by which a change lasts or leaves.

What was acknowledged is there, what was not can be asked for again, and the log explains all of it.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.installation import Installation, Lines
from tests.faults.invariants import Scenario, check
from tests.faults.sweep import Sweep, declare, products, verified
from tests.faults.traced import Traced

pytestmark = [pytest.mark.faults, pytest.mark.timeout(100)]
# Spread over all calls of an act, some hundred.
POINTS = int(os.environ.get("LASTGOOD_FAULT_POINTS", "20"))
# Acts that are only counted.
WARM = 4


@pytest.fixture
def traced(doer: Lines, tmp_path: Path) -> Callable[..., Any]:
    return lambda **how: Traced(doer, tmp_path, **how)


def fresh(portal: Installation, number: int) -> list[str]:
    return [row["product"] for row in products(portal, number, at="")]


def is_declared_once(portal: Installation, slugs: list[str]) -> None:
    rows = portal.hand.rows("Incident", "product__slug", "reference", product__slug__in=slugs)
    assert sorted(slug for slug, _ in rows) == sorted(slugs)
    kinds = verified(portal, [reference for _, reference in rows])
    assert {count["incident.declared"] for count in kinds.values()} == {1}


def test_declaring_dies_at_any_call(portal: Installation, traced: Callable[..., Any]) -> None:
    sweep = Sweep("declare by strace", traced())
    number = sweep.points(*[declare(portal, slug) for slug in fresh(portal, WARM)])
    slugs = fresh(portal, min(number, POINTS))

    sweep.over([declare(portal, slug) for slug in slugs], of=number)

    is_declared_once(portal, slugs)


# With PostgreSQL a call can only fail so to a server that is gone: libpq waits for the word of one that lives.
@pytest.mark.parametrize("portal", ["sqlite"], indirect=True)
def test_a_disk_that_fails_anywhere_leaves_no_half_of_a_declaration(
    portal: Installation, traced: Callable[..., Any]
) -> None:
    broken = traced(fault="error=EIO")
    sweep = Sweep("declare, EIO", broken)
    number = sweep.points(*[declare(portal, slug) for slug in fresh(portal, WARM)])
    slugs = fresh(portal, min(number, POINTS // 2))

    answers, again = Counter[int](), Counter[int]()
    for place, slug in enumerate(slugs):
        answers[broken.ask(declare(portal, slug) | {"die_at": 1 + place * number // len(slugs)})["value"]] += 1
        again[broken.doer.ask(declare(portal, slug))["value"]] += 1

    sys.stderr.write(
        f"{portal.engine} F9 EIO: {dict(answers)} at {len(slugs)} of {number} calls, again {dict(again)}\n"
    )
    assert set(answers) <= {201, 503}
    assert answers[503] > 0, "no fault hit anything: this run has proven nothing"
    assert set(again) <= {201, 409}
    is_declared_once(portal, slugs)


def test_running_an_action_dies_at_any_call(
    portal: Installation,
    traced: Callable[..., Any],
    scenario: Callable[..., Scenario],
    nobody_works: Callable[[], None],
) -> None:
    connector = {"config": {"url": portal.target.url("a")}, "max_parallel": 1000}
    found = scenario(number=1, actions=WARM + 2 * POINTS, connectors=[connector])
    portal.target.seconds = (0.0, 0.01)
    for one in found.actions:
        found.insist(*one)
    waiting = list(found.acknowledged)
    portal.flush()

    def run(key: str) -> dict[str, Any]:
        return {"what": "task", "name": "incidents.tasks.run_attempt", "arguments": [key]}

    sweep = Sweep("run by strace", traced())
    number = sweep.points(*map(run, waiting[:WARM]))
    sweep.over([run(key) for key in waiting[WARM : WARM + min(number, 2 * POINTS)]], of=number, again=False)
    found.in_work |= {str(key) for [key] in portal.hand.rows("Attempt", "id", state="started")}
    nobody_works()
    found.settled(seconds=90)

    result = check(found, "F9 run by strace")
    assert 0 < result.unknown == result.in_work
    assert result.states["succeeded"] == result.actions - result.unknown
