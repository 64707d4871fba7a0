"""Fixtures of the tests of comms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.comms.world import told_crew
from tests.factories import Crew
from tests.incidents.api.calling import calling, static_folder

__all__ = ["calling", "static_folder"]


@pytest.fixture
def crew(db: None) -> Crew:
    """People, and a product with two stakeholders."""
    return told_crew()


@pytest.fixture
def signed_in() -> Callable[[Any], Client]:
    """A browser in which this person is signed in."""

    def sign_in(user: Any) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in
