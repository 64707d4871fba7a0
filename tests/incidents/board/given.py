"""What the board's tests share: an incident as a page reads it, and statements counted."""

from __future__ import annotations

from typing import Any

from incidents.models import Incident
from incidents.steps import declare


def as_read(incident: Incident) -> Incident:
    """The incident fresh from the database, with what a page reads it with."""
    return Incident.objects.select_related("product", "runbook", "chain", "declared_by").get(pk=incident.pk)


def sentences(blockers: Any) -> list[str]:
    return [blocker.sentence for blocker in blockers]


def write_notes(incident: Incident, by: Any, *, until: int) -> None:
    """Let the incident's log grow to so many entries."""
    incident.refresh_from_db()
    for number in range(incident.chain.seq, until):
        declare.add_note(incident, by=by, text=f"Note {number}")
