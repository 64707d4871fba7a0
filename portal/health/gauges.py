"""How much is frozen and how much waits, as gauges that are read when a scrape asks."""

from __future__ import annotations

from prometheus_client import Gauge

from comms.models import Delivery, DeliveryState
from incidents.models import Attempt, Freeze
from incidents.terms import AttemptState

ACTIVE_FREEZES = Gauge("lastgood_active_freezes", "Freezes in force, drills left out")
ATTEMPTS = Gauge("lastgood_attempts", "Attempts that wait or whose outcome is unknown", ["state"])
DELIVERIES = Gauge("lastgood_queued_deliveries", "Copies of notices that wait to be sent")


def read() -> None:
    """Set every gauge from the database.

    Raises:
        django.db.Error: the database does not answer; the gauges keep their last values.
    """
    ACTIVE_FREEZES.set(Freeze.objects.filter(active=True, incident__drill=False).count())
    for state in (AttemptState.QUEUED, AttemptState.UNKNOWN):
        ATTEMPTS.labels(state.value).set(Attempt.objects.filter(state=state).count())
    DELIVERIES.set(Delivery.objects.filter(state=DeliveryState.QUEUED).count())
