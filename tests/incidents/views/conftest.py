"""What every page's test stands on."""

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection


@pytest.fixture(autouse=True)
def _house(db: None) -> None:
    """The folder that WhiteNoise looks for, nothing kept from another test, and an engine that is known."""
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    cache.clear()
    assert connection.features.supports_json_field
