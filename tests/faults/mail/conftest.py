"""One installation per engine whose mail goes to a hostile server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.conftest import ENGINES
from tests.faults.mail.office import Office, open_office


@pytest.fixture(scope="package", params=ENGINES)
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    """A running installation and its mail server."""
    with open_office(request.param) as opened:
        yield opened
