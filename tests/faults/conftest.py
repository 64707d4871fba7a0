"""One installation per engine; its scenarios run one after the other, each with incidents of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.installation import Installation, installed
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
