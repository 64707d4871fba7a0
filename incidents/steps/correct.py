"""Corrections: a wrong text is put right by the commander, and the log keeps the old and the new value."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from incidents.models import FollowUp, Incident, Safeguard, Target
from incidents.steps.base import Refused, step, store
from incidents.terms import Act, Kind

CORRECTABLE: dict[type[Model], frozenset[str]] = {
    Incident: frozenset({"summary", "trigger"}),
    Target: frozenset({"reason"}),
    FollowUp: frozenset({"title", "owner", "priority", "due_on", "acceptance", "bead_id"}),
    Safeguard: frozenset({"gap", "change", "link"}),
}


def record(incident: Incident, row: Any, field: str, value: Any, *, by: Any, reason: str) -> None:
    """Put one field of one row right.

    Args:
        row: the incident itself or a row of it, of a type in `CORRECTABLE`.
        value: the right value, or the text of it.
    """
    with step(incident, Act.CORRECT, by=by) as taken:
        taken.refuse_if(blockers(taken.incident, row, field))
        reason = taken.said(reason, "Say why the record is corrected.")
        row = type(row).objects.get(pk=row.pk)
        old, new = getattr(row, field), _fitting(taken.incident, row, field, value)
        taken.refuse_if([] if old != new else ["The new value is the old one."])
        setattr(row, field, new)
        store(row, field)
        taken.record(
            Kind.CORRECTED,
            f"Corrected: {row._meta.verbose_name} {field}",
            object=row._meta.model_name,
            id=str(row.pk),
            field=field,
            old=str(old),
            new=str(new),
            reason=reason,
        )


def blockers(incident: Incident, row: Any, field: str) -> list[str]:
    """Why this field of this row cannot be corrected as part of this incident."""
    if field not in CORRECTABLE.get(type(row), ()):
        return [f"{row._meta.verbose_name} {field} is not open to correction."]
    owner_id = row.pk if isinstance(row, Incident) else row.incident_id
    return [] if owner_id == incident.pk else ["This record belongs to another incident."]


def _fitting(incident: Incident, row: Any, field: str, value: Any) -> Any:
    """The value as its column holds it. Raises Refused for what a page could not show again."""
    value = value.strip() if isinstance(value, str) else value
    try:
        fitting = row._meta.get_field(field).clean(value, row)
    except ValidationError as error:
        raise Refused(*error.messages) from error
    if field == "trigger" and fitting not in {known.key for known in incident.book.triggers}:
        raise Refused(f"The runbook knows no trigger “{str(fitting)[:40]}”.")
    return fitting
