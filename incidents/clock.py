"""The one clock. A step reads it once; leases use the database's own (`django.db.models.functions.Now`)."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils import timezone


def now() -> datetime:
    return timezone.now()


def utc_text(moment: datetime) -> str:
    """`2026-11-24 14:30 UTC`, as people read it in mails and reports."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def stamp(moment: datetime) -> str:
    """RFC 3339 with microseconds and `Z`, as evidence writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
