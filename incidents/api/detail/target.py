"""A target with its three confirmations."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from incidents.api.shapes import Person, person, person_or_none
from incidents.models import Incident, Target
from incidents.terms import Aspect, Role, TargetKind


class ConfirmationRow(BaseModel):
    aspect: Aspect
    name: str
    owner: Role
    confirmed_by: Person | None
    confirmed_at: datetime | None
    note: str


class TargetState(BaseModel):
    id: int
    kind: TargetKind
    identifier: str
    reason: str
    chosen_by: Person
    chosen_at: datetime
    replaced_at: datetime | None
    confirmations: list[ConfirmationRow]


def target_state(incident: Incident, target: Target) -> TargetState:
    done = {row.aspect: row for row in target.confirmations.all()}
    return TargetState(
        id=target.pk,
        kind=TargetKind(target.kind),
        identifier=target.identifier,
        reason=target.reason,
        chosen_by=person(target.chosen_by),
        chosen_at=target.chosen_at,
        replaced_at=target.replaced_at,
        confirmations=[
            ConfirmationRow(
                aspect=aspect,
                name=text.name,
                owner=text.owner,
                confirmed_by=person_or_none(row.by if (row := done.get(aspect)) else None),
                confirmed_at=row.confirmed_at if row else None,
                note=row.note if row else "",
            )
            for aspect, text in incident.book.confirmations.items()
        ],
    )
