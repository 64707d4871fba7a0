"""One incident of each level walks every phase by its steps."""

from __future__ import annotations

import pytest

from incidents.evidence import log
from incidents.terms import Level, Phase
from tests.factories import make_crew, make_incident

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("level", list(Level))
def test_an_incident_of_each_level_reaches_closed_and_its_log_verifies(level: Level) -> None:
    incident = make_incident(make_crew(), at=Phase.CLOSED, level=level)

    verdict = log.verify(incident.chain)
    assert (incident.phase, verdict.is_intact, verdict.reason) == (Phase.CLOSED, True, "")


def test_a_false_alarm_stands_down_and_lifts_the_freeze() -> None:
    incident = make_incident(make_crew(), at=Phase.STOOD_DOWN)

    assert incident.phase == Phase.STOOD_DOWN
    assert not incident.freeze.active
