"""Each act dies at every point of it (F9): before and after each statement, at each commit, message and connection.

What is left is whole, and asking again finishes it once. Statements are the points that a process can die between, so
no list of steps can fall behind the code.
"""

from __future__ import annotations

import mailbox
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from portal.demo.processes import wait_until
from tests.faults.installation import Installation, Lines
from tests.faults.invariants import Scenario, check
from tests.faults.sweep import Sweep, declare, post, products, verified

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
ACTIONS = 70


def spread(portal: Installation, number: int) -> int:
    """How many of the points are tried: each on SQLite, every other on PostgreSQL, where a process takes its time."""
    return number if portal.engine == "sqlite" else number // 2


def test_declaring_dies_anywhere(portal: Installation, doer: Lines) -> None:
    sweep = Sweep("declare", doer)
    number = sweep.points(*[declare(portal, row["product"]) for row in products(portal, 2, at="")])
    fresh = [row["product"] for row in products(portal, spread(portal, number), at="")]
    sweep.over([declare(portal, product) for product in fresh], of=number)

    rows = portal.hand.rows("Incident", "product__slug", "reference", product__slug__in=fresh)
    assert sorted(slug for slug, _ in rows) == sorted(fresh)
    gates = [portal.ask("GET", f"freeze/{one}/check?operation=merge", "commander").value["decision"] for one in fresh]
    assert set(gates) == {"deny"}
    kinds = verified(portal, [reference for _, reference in rows])
    assert {count["incident.declared"] for count in kinds.values()} == {1}


def test_approving_and_dispatching_die_anywhere(
    portal: Installation, doer: Lines, scenario: Callable[..., Scenario]
) -> None:
    found = scenario(number=1, actions=spread(portal, ACTIONS), level="L3")
    portal.target.seconds = (0.01, 0.02)
    reference = found.incidents[0]["reference"]

    def act(verb: str, role: str) -> Callable[[str], dict[str, Any]]:
        return lambda key: post(portal, f"incidents/{reference}/rollback/actions/{key}/{verb}", role)

    keys = found.incidents[0]["actions"]
    for verb, role in (("approve", "commander"), ("dispatch", "api_lead")):
        sweep, acts = Sweep(verb, doer), [act(verb, role)(key) for key in keys]
        number = sweep.points(*acts[:2])
        assert spread(portal, number) <= len(keys), f"{number} points: too few actions to die at each"
        sweep.over(acts[2:], of=number)
    where = {"action__incident__reference": reference}
    for key, action in portal.hand.rows("Attempt", "id", "action__key", **where):
        found.acknowledged[str(key)] = (reference, action)
    found.settled(seconds=60)

    assert check(found, "F9 approved and dispatched").states == {"succeeded": len(keys)}
    approvals = Counter(key for [key] in portal.hand.rows("Approval", "action__key", **where))
    assert set(approvals.values()) == {1}
    assert len(approvals) == len(keys)


def test_running_an_action_dies_anywhere(
    portal: Installation,
    doer: Lines,
    scenario: Callable[..., Scenario],
    nobody_works: Callable[[], None],
) -> None:
    connector = {"config": {"url": portal.target.url("a")}, "max_parallel": 1000}
    found = scenario(number=1, actions=120, connectors=[connector])
    portal.target.seconds = (0.0, 0.01)
    for one in found.actions:
        found.insist(*one)
    waiting = list(found.acknowledged)
    portal.flush()

    def run(key: str) -> dict[str, Any]:
        return {"what": "task", "name": "incidents.tasks.run_attempt", "arguments": [key]}

    sweep = Sweep("run", doer)
    number = sweep.points(*map(run, waiting[:2]))
    assert spread(portal, number) <= len(waiting) - 2
    sweep.over([run(key) for key in waiting[2 : 2 + spread(portal, number)]], of=number, again=False)
    found.in_work |= {str(key) for [key] in portal.hand.rows("Attempt", "id", state="started")}
    nobody_works()
    found.settled(seconds=90)

    result = check(found, "F9 run")
    assert result.unknown == result.in_work > 10
    assert result.states["succeeded"] == result.actions - result.unknown


def test_lifting_dies_anywhere(portal: Installation, doer: Lines) -> None:
    stages = ("claims", "dev", "staging", "prod")

    def lift(reference: str, stage: str) -> dict[str, Any]:
        return post(portal, f"incidents/{reference}/unfreeze/lift", "commander", {"stage": stage})

    sweep = Sweep("unfreeze", doer)
    [first] = products(portal, 1, at="unfreezing")
    number = sweep.points(lift(first["reference"], "claims"), lift(first["reference"], "dev"))
    found = products(portal, 1 + spread(portal, number) // len(stages), at="unfreezing")
    sweep.over([lift(one["reference"], stage) for one in found for stage in stages], of=number)

    kinds = verified(portal, [one["reference"] for one in found])
    assert {count["freeze.lifted"] for count in kinds.values()} == {1 + len(stages)}
    gates = [
        portal.ask("GET", f"freeze/{one['product']}/check?operation=merge", "commander").value["decision"]
        for one in found
    ]
    assert set(gates) == {"allow"}


def test_sending_an_update_dies_anywhere(portal: Installation, doer: Lines, nobody_works: Callable[[], None]) -> None:
    def issue(reference: str) -> dict[str, Any]:
        return post(portal, f"incidents/{reference}/notices/A/issue", "communications_owner", {})

    def deliver(notice: str) -> dict[str, Any]:
        return {"what": "task", "name": "comms.tasks.deliver", "arguments": [notice]}

    def notices(made: list[dict[str, Any]]) -> list[str]:
        references = [one["reference"] for one in made]
        return [str(key) for [key] in portal.hand.all_rows("comms.Notice", "id", incident__reference__in=references)]

    issuing, delivering = Sweep("issue", doer), Sweep("deliver", doer)
    first = products(portal, 2, at="declared", reader="first{}@example.test")
    number = issuing.points(*[issue(one["reference"]) for one in first])
    points = delivering.points(*map(deliver, notices(first)))
    found = products(portal, spread(portal, points), at="declared", reader="reader{}@example.test")
    issuing.over([issue(one["reference"]) for one in found], of=number)
    portal.flush()
    delivering.over([deliver(notice) for notice in notices(found)], of=points, again=False)
    nobody_works()

    wanted = {f"reader{place}@example.test" for place in range(len(found))}
    done = wait_until(lambda: wanted <= set(copies(portal)), seconds=60, every=0.5)
    assert done, f"no mail for {sorted(wanted - set(copies(portal)))}"
    assert {reader for reader, ids in copies(portal).items() if reader in wanted and len(ids) > 1} == set()
    verified(portal, [one["reference"] for one in found])


def copies(portal: Installation) -> dict[str, set[str]]:
    """The Message-IDs that each reader got."""
    found: dict[str, set[str]] = defaultdict(set)
    for message in mailbox.Maildir(portal.folder / "mail"):
        found[message["Delivered-To"]].add(message["Message-ID"])
    return found
