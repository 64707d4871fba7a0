"""Servers for the connector tests, closed when each test ends."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.incidents.connectors.authority import Authority
from tests.incidents.connectors.servers import Counter, Misbehaving, Receiver


@pytest.fixture
def receiving() -> Iterator[Callable[..., Receiver]]:
    """Start HTTP servers that record what they hear."""
    with ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(closing(Receiver(*args, **kwargs)))


@pytest.fixture
def misbehaving() -> Iterator[Callable[..., Misbehaving]]:
    """Start servers that follow a script of bad manners."""
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(closing(Misbehaving(script)))


@pytest.fixture
def counter() -> Iterator[Counter]:
    """A port on every local address that counts connections."""
    with closing(Counter()) as counting:
        yield counting


@pytest.fixture(scope="session")
def authority(tmp_path_factory: Any) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def speaking() -> Iterator[Callable[[Any], Any]]:
    """Start stubs of outside systems: `speaking(GITHUB)`."""
    with ExitStack() as stack:
        yield lambda case: stack.enter_context(closing(case.stub()))
