"""Whether the portal can do its work: one reason for each thing it stands on. Every question is bounded in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as BrokerError

from incidents import clock
from incidents.evidence import checkpoints, triggers, witness
from incidents.models import WorkerBeat
from incidents.steps import kill_switch
from portal.celery import app

WORKER_SECONDS = 60
_BROKER_SECONDS = 0.4
_COMPARED_SECONDS = 60


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. Work can be done without what is not `needed`."""

    ok: bool
    reason: str
    needed: bool = True


def findings() -> dict[str, Finding]:
    """What was found, by name. Where the database does not answer, what asks it says so as well."""
    return {
        "database": _asked(_database),
        "migrations": _asked(_migrations),
        "triggers": _asked(_triggers),
        "evidence": _asked(_evidence),
        "workers": _asked(_workers),
        "dispatch": _asked(_dispatch),
        "broker": _broker(),
    }


def _asked(question: Callable[[], Finding]) -> Finding:
    try:
        return question()
    except DatabaseError as error:
        return Finding(False, f"The database does not answer ({type(error).__name__}).")


def _database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Finding(True, f"{connection.display_name} answers.")


def _migrations() -> Finding:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        return Finding(False, f"{len(waiting)} migrations are not applied, the first is {waiting[0][0]}: run migrate.")
    return Finding(True, "All migrations are applied.")


def _triggers() -> Finding:
    lost = triggers.missing(connection)
    if lost:
        named = f"{', '.join(lost)} missing or altered"
        return Finding(False, f"Evidence can be changed: {named}. Run migrate, it makes them again.")
    return Finding(True, "Evidence is append-only.")


def _evidence() -> Finding:
    """An alarm takes nobody's portal away in the middle of an incident, so it is told and the rest goes on."""
    try:
        # Each log ever signed is looked at, so not at every question; what is found raises its alarm.
        if cache.add("evidence-compared", True, _COMPARED_SECONDS):
            checkpoints.went_back()
        faults = witness.alarms()
    except OSError as error:
        return Finding(False, f"The witness folder cannot be read ({error.strerror}).", needed=False)
    if faults:
        return Finding(False, " ".join(faults.values()), needed=False)
    return Finding(True, "Each log holds what was signed of it.")


def _workers() -> Finding:
    """By the database's clock: a worker whose clock is wrong is not dead, and one that is dead has none."""
    lately = timedelta(seconds=WORKER_SECONDS)
    # One that was seen in the future was seen by a clock that has gone back since.
    recent = WorkerBeat.objects.filter(seen_at__gt=Now() - lately, seen_at__lt=Now() + lately)
    if alive := list(recent.values_list("name", flat=True)[:10]):
        return Finding(True, f"Alive: {', '.join(alive)}.")
    seen_at = WorkerBeat.objects.aggregate(last=Max("seen_at"))["last"]
    if seen_at is None:
        return Finding(False, "No worker has reported yet: start a worker and beat.")
    return Finding(
        False, f"No worker reported for {WORKER_SECONDS} s; the last did at {seen_at:%Y-%m-%d %H:%M:%S} UTC."
    )


def _dispatch() -> Finding:
    """Why it was stopped is for those who sign in: anybody may ask here."""
    if not settings.DISPATCH_ENABLED:
        return Finding(False, kill_switch.sentence(None), needed=False)
    if stopped := kill_switch.in_force():
        return Finding(False, f"Dispatch is stopped since {clock.utc_text(stopped.stopped_at)}.", needed=False)
    return Finding(True, "Actions may start.")


def _broker() -> Finding:
    """A new connection, so that a stale one in a pool does not speak for a broker that is gone."""
    try:
        with app.connection_for_write(connect_timeout=_BROKER_SECONDS, transport_options=_impatient()) as line:
            line.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=_BROKER_SECONDS)
            line.default_channel.close()
    except (BrokerError, OSError) as error:
        return Finding(False, f"The broker does not answer ({type(error).__name__}): work waits for the sweep.")
    return Finding(True, "The broker answers.")


def _impatient() -> dict[str, float]:
    return {"socket_timeout": _BROKER_SECONDS, "socket_connect_timeout": _BROKER_SECONDS, "max_retries": 0}
