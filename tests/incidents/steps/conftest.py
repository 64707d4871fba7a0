"""After each of these tests, every row stands in a log and every entry has its row, whatever the test did."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from incidents.evidence import completeness
from incidents.models import Incident


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    result = yield
    if pyfuncitem.get_closest_marker("django_db") and not pyfuncitem.get_closest_marker("past_the_log"):
        assert [str(gap) for incident in Incident.objects.all() for gap in completeness.check(incident)] == []
    return result
