"""The freeze in the state of an incident. Rows come from `board.load`."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from incidents.api.shapes import Person, person
from incidents.models import Environment, FreezeException, FreezeMeasure, Incident
from incidents.terms import Measure


class MeasureRow(BaseModel):
    measure: Measure
    name: str
    environment: str | None
    in_force: bool
    since: datetime
    lifted_at: datetime | None


class Promotion(BaseModel):
    """One way between environments; `from` is null where the first environment is entered."""

    source: str | None = Field(serialization_alias="from")
    to: str
    in_force: bool
    since: datetime


class ExceptionRow(BaseModel):
    id: int
    measure: Measure
    subject: str
    environment: str | None
    reason: str
    asked_by: Person
    second: Person
    allowed_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    is_live: bool


class FreezeState(BaseModel):
    active: bool
    since: datetime
    ended_at: datetime | None
    measures: list[MeasureRow]
    promotions: list[Promotion]
    exceptions: list[ExceptionRow]


def freeze_state(incident: Incident, at: datetime) -> FreezeState:
    held = incident.freeze
    rows = list(held.measures.all())
    return FreezeState(
        active=held.active,
        since=held.since,
        ended_at=held.ended_at,
        measures=[_measure(incident, row) for row in rows],
        promotions=_promotions([row for row in rows if row.measure == Measure.PROMOTIONS]),
        exceptions=[_exception(row, at) for row in held.exceptions.all()],
    )


def _measure(incident: Incident, row: FreezeMeasure) -> MeasureRow:
    measure = Measure(row.measure)
    return MeasureRow(
        measure=measure,
        name=incident.book.measures[measure].name,
        environment=row.environment.name if row.environment else None,
        in_force=row.in_force,
        since=row.since,
        lifted_at=row.lifted_at,
    )


def _promotions(rows: list[FreezeMeasure]) -> list[Promotion]:
    found: list[tuple[Environment, FreezeMeasure]] = [(row.environment, row) for row in rows if row.environment]
    found.sort(key=lambda pair: pair[0].position)
    sources = [None, *(environment.name for environment, _ in found)]
    return [
        Promotion(source=source, to=environment.name, in_force=row.in_force, since=row.since)
        for source, (environment, row) in zip(sources, found, strict=False)
    ]


def _exception(row: FreezeException, at: datetime) -> ExceptionRow:
    return ExceptionRow(
        id=row.pk,
        measure=Measure(row.measure),
        subject=row.subject,
        environment=row.environment.name if row.environment else None,
        reason=row.reason,
        asked_by=person(row.asked_by),
        second=person(row.second),
        allowed_at=row.allowed_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        is_live=row.revoked_at is None and row.expires_at > at,
    )
