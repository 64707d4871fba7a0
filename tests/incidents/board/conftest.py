"""Every test here counts statements on a connection that has asked its engine once what it can do."""

import pytest
from django.db import connection


@pytest.fixture(autouse=True)
def _engine_is_known(db: None) -> None:
    assert connection.features.supports_json_field
