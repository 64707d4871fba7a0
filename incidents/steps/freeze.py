"""The freeze: four measures in force from the declaration on, and what may still pass."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import prefetch_related_objects

from incidents.models import Environment, Freeze, FreezeException, FreezeMeasure, Incident
from incidents.steps.base import Refused, step, store
from incidents.terms import Act, Kind, Measure

PER_ENVIRONMENT = (Measure.PROMOTIONS, Measure.DEPLOYS)


def put_in_force(incident: Incident, at: datetime) -> list[FreezeMeasure]:
    """Freeze merges, claims, promotions and deploys (runbook, Freeze Scope). Part of the declare transaction."""
    held = Freeze.objects.create(incident=incident, product=incident.product, since=at)
    environments: list[Environment | None] = list(incident.product.environments.all())
    return FreezeMeasure.objects.bulk_create(
        FreezeMeasure(freeze=held, measure=measure, environment=environment, since=at)
        for measure in Measure
        for environment in (environments or [None] if measure in PER_ENVIRONMENT else [None])
    )


def end(incident: Incident, at: datetime) -> list[int]:
    """Lift whatever is still in force and end the freeze. Returns the ids of the measures."""
    held = incident.freeze.measures.filter(in_force=True)
    lifted = list(held.values_list("pk", flat=True))
    held.update(in_force=False, lifted_at=at)
    Freeze.objects.filter(pk=incident.freeze.pk).update(active=False, ended_at=at)
    return lifted


def exception_blockers(
    incident: Incident,
    measure: Measure,
    subject: str,
    environment: Environment | None,
    expires_at: datetime,
    at: datetime,
) -> list[str]:
    found = []
    if not subject.strip() or "*" in subject:
        found.append("Name exactly one pull request, commit, bead or deployment; no pattern.")
    if expires_at.tzinfo is None:
        found.append("Give the expiry with its offset from UTC.")
    elif expires_at <= at:
        found.append("The exception must expire in the future.")
    if environment and measure not in PER_ENVIRONMENT:
        found.append(f"{measure.label} are not bound to an environment.")
    if environment and environment.product_id != incident.product_id:
        found.append(f"{environment} is no environment of {incident.product}.")
    if not incident.freeze.measures.filter(measure=measure, in_force=True).exists():
        found.append(f"{measure.label} are not frozen any more.")
    return found


def allow_exception(
    incident: Incident,
    *,
    measure: Measure,
    subject: str,
    reason: str,
    expires_at: datetime,
    by: Any,
    second: Any,
    environment: Environment | None = None,
) -> FreezeException:
    """Let one named subject through one measure until it expires."""
    with step(incident, Act.ALLOW_EXCEPTION, by=by, second=second) as taken:
        taken.refuse_if(exception_blockers(taken.incident, measure, subject, environment, expires_at, taken.at))
        reason = taken.said(reason)
        allowed = store(
            FreezeException(
                freeze=taken.incident.freeze,
                measure=measure,
                subject=subject.strip(),
                environment=environment,
                reason=reason,
                asked_by=by,
                second=second,
                allowed_at=taken.at,
                expires_at=expires_at,
            )
        )
        taken.record(
            Kind.EXCEPTION_ALLOWED,
            f"Exception for {allowed.subject} through {measure.label.lower()}",
            exception=allowed.pk,
            measure=measure,
            subject=allowed.subject,
            environment=environment.name if environment else None,
            environment_id=environment.pk if environment else None,
            reason=reason,
            expires_at=expires_at.isoformat(),
        )
    return allowed


def revoke_exception(incident: Incident, exception: FreezeException, *, by: Any, reason: str) -> None:
    """End an exception before it expires."""
    with step(incident, Act.REVOKE_EXCEPTION, by=by) as taken:
        exception.refresh_from_db()
        if exception.freeze_id != taken.incident.freeze.pk:
            raise Refused("This exception belongs to another incident.")
        taken.refuse_if(["This exception has already been revoked."] if exception.revoked_at else [])
        reason = taken.said(reason)
        exception.revoked_at = taken.at
        exception.save(update_fields=["revoked_at"])
        taken.record(
            Kind.EXCEPTION_REVOKED,
            f"Exception for {exception.subject} revoked",
            exception=exception.pk,
            subject=exception.subject,
            reason=reason,
        )


def measures_of(incident: Incident) -> Iterable[FreezeMeasure]:
    """The freeze's rows with their environments; those already read are not read again."""
    held = incident.freeze
    if "measures" not in held.__dict__.get("_prefetched_objects_cache", {}):
        prefetch_related_objects([held], "measures__environment")
    return held.measures.all()
