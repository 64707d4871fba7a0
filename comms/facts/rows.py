"""Who, what is frozen, what it goes back to, what still has to hold: rows into values."""

from __future__ import annotations

from comms.facts.values import (
    ConfirmationFact,
    ExceptionFact,
    MeasureFact,
    OwnerFact,
    PreconditionFact,
    RoleFact,
    StageFact,
    TargetFact,
)
from incidents.models import Confirmation, Incident, Target
from incidents.runbook.content import ConfirmationText
from incidents.steps import unfreeze
from incidents.terms import Measure, Role, TargetKind


def roles(incident: Incident) -> tuple[RoleFact, ...]:
    """The six roles in the runbook's order, the commander first."""
    return tuple(_role(incident, role) for role in Role)


def _role(incident: Incident, role: Role) -> RoleFact:
    text = incident.book.roles[role]
    held = [row for row in incident.memberships.all() if row.role == role]
    last = held[-1] if held else None
    return RoleFact(
        name=text.name,
        title=text.title,
        responsibility=text.responsibility,
        holders=tuple(str(row.user) for row in held),
        accepted_at=last.accepted_at if last else None,
    )


def measures(incident: Incident) -> tuple[MeasureFact, ...]:
    book = incident.book
    return tuple(
        MeasureFact(
            name=book.measures[Measure(row.measure)].name,
            environment=row.environment.name if row.environment else "",
            text=book.measures[Measure(row.measure)].text,
            since=row.since,
            lifted_at=None if row.in_force else row.lifted_at,
        )
        for row in incident.freeze.measures.all()
    )


def exceptions(incident: Incident) -> tuple[ExceptionFact, ...]:
    return tuple(
        ExceptionFact(
            subject=row.subject,
            measure=str(Measure(row.measure).label),
            environment=row.environment.name if row.environment else "",
            reason=row.reason,
            asked_by=str(row.asked_by),
            second=str(row.second),
            allowed_at=row.allowed_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
        )
        for row in incident.freeze.exceptions.all()
    )


def current_target(incident: Incident) -> Target | None:
    return next((row for row in incident.targets.all() if row.replaced_at is None), None)


def target(incident: Incident, row: Target) -> TargetFact:
    done = {confirmation.aspect: confirmation for confirmation in row.confirmations.all()}
    texts = incident.book.confirmations
    return TargetFact(
        kind=str(TargetKind(row.kind).label),
        identifier=row.identifier,
        reason=row.reason,
        chosen_by=str(row.chosen_by),
        chosen_at=row.chosen_at,
        replaced_at=row.replaced_at,
        confirmations=tuple(_confirmation(text, done.get(aspect)) for aspect, text in texts.items()),
    )


def _confirmation(text: ConfirmationText, row: Confirmation | None) -> ConfirmationFact:
    owner = str(text.owner.label)
    if row is None:
        return ConfirmationFact(text.name, text.text, owner)
    return ConfirmationFact(text.name, text.text, owner, row.note, str(row.by), row.confirmed_at)


def preconditions(incident: Incident) -> tuple[PreconditionFact, ...]:
    return tuple(PreconditionFact(row.name, row.text, row.missing) for row in unfreeze.preconditions(incident))


def stages(incident: Incident) -> tuple[StageFact, ...]:
    return tuple(
        StageFact(
            name=stage.name,
            is_lifted=stage.is_lifted,
            lifted_at=max((row.lifted_at for row in stage.measures if row.lifted_at), default=None)
            if stage.is_lifted
            else None,
        )
        for stage in unfreeze.stages(incident)
    )


def owners(incident: Incident) -> tuple[OwnerFact, ...]:
    return tuple(
        OwnerFact(str(Role(row.area).label), str(row.user), row.accepted_at)
        for row in incident.cycle_owners.all()
        if row.replaced_at is None
    )
