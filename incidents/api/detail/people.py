"""Who holds which role, and who owns the next cycle's work."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from incidents.api.shapes import Person, person
from incidents.models import Incident
from incidents.terms import Role


class RoleState(BaseModel):
    role: Role
    name: str
    holder: Person | None
    assigned_at: datetime | None
    accepted_at: datetime | None


class OwnerState(BaseModel):
    area: Role
    person: Person
    named_at: datetime
    accepted_at: datetime | None


def role_states(incident: Incident) -> list[RoleState]:
    held = {row.role: row for row in incident.memberships.all() if row.ended_at is None}
    return [
        RoleState(
            role=role,
            name=incident.book.roles[role].name,
            holder=person(row.user) if (row := held.get(role)) else None,
            assigned_at=row.assigned_at if row else None,
            accepted_at=row.accepted_at if row else None,
        )
        for role in Role
    ]


def owner_states(incident: Incident) -> list[OwnerState]:
    return [
        OwnerState(area=Role(row.area), person=person(row.user), named_at=row.named_at, accepted_at=row.accepted_at)
        for row in incident.cycle_owners.all()
        if row.replaced_at is None
    ]
