"""When something happened, where that is not when it was written down. The log keeps both."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from incidents import clock
from incidents.models import Incident
from incidents.steps.base import Taken

# What led to an incident may be old; a time before this is a slip of the hand.
OLDEST = timedelta(days=366)


def fact(taken: Taken, happened_at: datetime | None) -> dict[str, Any]:
    """The event time as a fact of an entry that is being recorded; nothing where none was given.

    Raises:
        Refused: it is still to come, or too long ago.
    """
    if happened_at is None:
        return {}
    taken.refuse_if(blockers(taken.incident, happened_at, taken.at))
    return {"happened_at": clock.stamp(happened_at)}


def blockers(incident: Incident, happened_at: datetime, now: datetime) -> list[str]:
    """Why nothing of this incident can have happened then."""
    said = clock.utc_text(happened_at)
    if happened_at > now:
        return [f"{said} is still to come: give the time at which it happened."]
    if happened_at < incident.declared_at - OLDEST:
        return [f"{said} is more than a year before the declaration: check the date."]
    return []
