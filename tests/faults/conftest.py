"""One installation per engine; its scenarios run one after the other, each with incidents of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.installation import GROUPS, Installation, Lines, installed
from tests.faults.invariants import Scenario

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(scope="package", params=ENGINES)
def portal(request: pytest.FixtureRequest) -> Iterator[Installation]:
    """A running installation."""
    with installed(request.param) as running:
        yield running


@pytest.fixture
def scenario(portal: Installation) -> Callable[..., Scenario]:
    """Incidents whose actions can be dispatched: `scenario(number=10, actions=30)`, over two webhooks."""

    def make(*, number: int = 2, actions: int = 10, paths: tuple[str, ...] = ("a", "b"), **how: Any) -> Scenario:
        how.setdefault("connectors", [{"config": {"url": portal.target.url(path)}} for path in paths])
        return Scenario(portal, portal.hand.do("incidents", number=number, actions=actions, **how))

    return make


@pytest.fixture
def doer(portal: Installation) -> Iterator[Lines]:
    running = Lines("tests.faults.doer", portal.env, portal.places.log("doer"))
    yield running
    running.close()


@pytest.fixture
def nobody_works(portal: Installation) -> Iterator[Callable[[], None]]:
    """No worker takes what is queued until the function is called, or the test has ended."""
    portal.stop_workers()

    def work() -> None:
        while len(portal.workers) < GROUPS:
            portal.start_worker()

    yield work
    work()
