"""A worker's hold on a row that waits: taken by one, renewed while it works, given back by the sweep.

Leases are judged by the clock of the database. One that reaches further than a lease is long was given before that
clock went back, and is counted from now; a bell that was rung in the future is rung again. The rows have `state`,
`epoch`, `lease_owner`, `lease_until` and `rung_at`: attempts, gate runs and dry runs.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F, Model, Q, QuerySet
from django.db.models.functions import Now

from incidents.steps.base import Refused
from incidents.terms import AttemptState


class TakenOver(Refused):
    """Another worker, the sweep, or a person who made the work needless, was first."""


def until() -> Any:
    """When a lease that is taken or renewed now runs out."""
    return Now() + timedelta(seconds=settings.ATTEMPT_LEASE_SECONDS)


def sql(statement: str) -> str:
    """A statement with the database's own `{now}` and `{until}` put in, for where the ORM is too slow."""
    seconds = settings.ATTEMPT_LEASE_SECONDS
    if connection.vendor == "postgresql":
        return statement.format(now="clock_timestamp()", until=f"clock_timestamp() + interval '{seconds} seconds'")
    form = "'%%Y-%%m-%%d %%H:%%M:%%f', 'now'"
    return statement.format(now=f"strftime({form})", until=f"strftime({form}, '{seconds} seconds')")


def claim(rows: QuerySet[Any], worker: str) -> tuple[Any, int] | None:
    """Take the one queued row of these: the row and its new epoch. One winner, None for everyone else."""
    row = rows.filter(state=AttemptState.QUEUED).first()
    if row is None:
        return None
    queued = type(row).objects.filter(pk=row.pk, state=AttemptState.QUEUED, epoch=row.epoch)
    won = queued.update(state=AttemptState.LEASED, epoch=F("epoch") + 1, lease_owner=worker[:80], lease_until=until())
    return (row, row.epoch + 1) if won else None


def held(row: Any, epoch: int) -> QuerySet[Any]:
    """The row as long as this claim holds it."""
    found: QuerySet[Any] = type(row).objects.filter(pk=row.pk, state=AttemptState.LEASED, epoch=epoch)
    return found


def renew(rows: QuerySet[Any]) -> bool:
    """Say that the worker lives; False when the row was taken away."""
    return rows.update(lease_until=until()) == 1


def forgotten(asked_at: str) -> Q:
    """Which queued rows want their bell rung: it never was, or long ago.

    Args:
        asked_at: the field that says when the row was queued.
    """
    again = timedelta(seconds=settings.RING_AGAIN_SECONDS)
    long_ago, ahead = Now() - again, Now() + again
    never = Q(rung_at=None) & (Q(**{f"{asked_at}__lt": long_ago}) | Q(**{f"{asked_at}__gt": ahead}))
    return never | Q(rung_at__lt=long_ago) | Q(rung_at__gt=ahead)


def due(model: type[Model]) -> QuerySet[Any]:
    """Queued rows whose bell was never rung, or rung long ago."""
    return model._default_manager.filter(forgotten("asked_at"), state=AttemptState.QUEUED)


def count_from_now(rows: QuerySet[Any]) -> None:
    """Shorten leases that reach further than one is long: the clock has gone back since they were given."""
    twice = timedelta(seconds=2 * settings.ATTEMPT_LEASE_SECONDS)
    rows.filter(lease_until__gt=Now() + twice).update(lease_until=until())


def sweep(model: type[Model]) -> int:
    """Give back what lost workers held. Any number of sweeps may run at once."""
    leased = model._default_manager.filter(state=AttemptState.LEASED)
    count_from_now(leased)
    return leased.filter(lease_until__lt=Now()).update(state=AttemptState.QUEUED, lease_owner="", rung_at=None)
