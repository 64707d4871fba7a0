"""Fixtures of the tests of comms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from incidents import clock
from tests.comms.world import Shift, told_crew
from tests.factories import Crew
from tests.incidents.api.calling import calling, static_folder

__all__ = ["calling", "static_folder"]


@pytest.fixture
def crew(db: None) -> Crew:
    """People, and a product with two stakeholders."""
    return told_crew()


@pytest.fixture
def later() -> Iterator[Shift]:
    """A clock that stands still and is moved by minutes."""
    with time_machine.travel(clock.now(), tick=False) as hand:
        yield lambda minutes: hand.shift(timedelta(minutes=minutes))


@pytest.fixture
def signed_in() -> Callable[[Any], Client]:
    """A browser in which this person is signed in."""

    def sign_in(user: Any) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in
