"""That an administrator took a role: what the people of the incident read of it, and who they are."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model

from incidents import clock
from incidents.models import EvidenceEntry, Incident
from incidents.steps import roles
from incidents.terms import Role


def said(incident: Incident, entry: EvidenceEntry) -> dict[str, str]:
    known = {str(user.public_id): str(user) for user in _users(entry)}
    return {
        "role": str(Role(entry.body["role"]).label),
        "person": known.get(entry.body["new"], "Somebody"),
        "before": known.get(entry.body["old"] or "", "nobody"),
        "reason": str(entry.body["reason"]).rstrip("."),
        "taken_at": clock.utc_text(entry.at),
    }


def _users(entry: EvidenceEntry) -> list[Any]:
    named = [entry.body[name] for name in ("old", "new") if entry.body[name]]
    return list(get_user_model().objects.filter(public_id__in=named))


def people(incident: Incident, entry: EvidenceEntry) -> list[tuple[str, str]]:
    """Each once: who holds a role, who lost this one, and whoever took it."""
    holders = [row.user for row in roles.current(incident).order_by("role")]
    found = {user.pk: (str(user), user.email) for user in [*holders, *_users(entry)] if user.is_active}
    return list(found.values())
