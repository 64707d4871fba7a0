"""The web server dies between commit and answer (F8): whoever asks again finds one object, and none is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from portal.demo.processes import wait_until
from tests.faults.installation import Answer, Installation
from tests.faults.invariants import Scenario, check, on_each

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def test_what_is_asked_again_after_a_killed_web_worker_is_there_once(
    portal: Installation, scenario: Callable[..., Scenario]
) -> None:
    found = scenario(number=3, actions=20)
    products = [row["product"] for row in portal.hand.do("incidents", number=25, actions=1, connectors=[], at="")]
    portal.target.seconds = (0.02, 0.1)
    references: list[str] = []

    def work() -> None:
        on_each(lambda one: found.insist(*one), found.actions, threads=3)
        references.extend(on_each(lambda product: declare(portal, product), products, threads=3))

    working = threading.Thread(target=work)
    working.start()
    while working.is_alive():
        working.join(portal.random.uniform(0.2, 1.0))
        portal.restart_web()
    assert wait_until(lambda: portal.ask("GET", "/healthz").status == 200, seconds=20, every=0.1)
    found.settled(seconds=60)

    killed = sum(1 for _, answer in found.answers if not answer.status)
    result = check(found, f"F8 web worker killed, {killed} answers lost", outage=True)
    known = [incident["reference"] for incident in found.incidents]
    attempts = portal.hand.rows("Attempt", "action__key", action__incident__reference__in=known)
    rows = portal.hand.rows("Incident", "product__slug", "reference", product__slug__in=products)
    assert killed > 0, "no kill hit an answer: this run has proven nothing"
    assert len(attempts) == 60
    assert result.states == {"succeeded": result.actions}
    assert sorted(rows) == sorted(map(list, zip(products, references, strict=True)))
    assert {gate(portal, product) for product in products} == {"deny"}


def declare(portal: Installation, product: str) -> str:
    """Declare until it is acknowledged, or until the portal names who holds the freeze: ourselves, without knowing."""
    body = {"product": product, "trigger": "regression", "summary": "Lag", "scope_level": "L1"}
    answers: list[Answer] = []

    def is_declared() -> bool:
        answers.append(portal.ask("POST", "incidents", "commander", body))
        return answers[-1].status in (201, 409)

    assert wait_until(is_declared, seconds=60, every=0.1), answers[-3:]
    return str(answers[-1].value["reference"])


def gate(portal: Installation, product: str) -> Any:
    return portal.ask("GET", f"freeze/{product}/check?operation=merge", "commander").value["decision"]
