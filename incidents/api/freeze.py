"""The freeze of an incident: what may still pass."""

from __future__ import annotations

from ninja import Router
from pydantic import Field

from incidents.api.found import ApiRequest, environment_of, incident_of, row_of
from incidents.api.shapes import Acted, Proposed, acted, proposed
from incidents.api.strict import Moment, Text, Why, length
from incidents.models import Environment, FreezeException
from incidents.steps import four_eyes, freeze
from incidents.terms import Act, Measure

router = Router(tags=["freeze"])


class Exemption(Why):
    measure: Measure
    subject: Text = Field(
        min_length=1,
        max_length=length(FreezeException, "subject"),
        description="Exactly one pull request, commit, bead or deployment, as the check will name it.",
    )
    environment: Text | None = Field(None, max_length=length(Environment, "name"))
    expires_at: Moment


@router.post("/{ref}/freeze/exceptions", response={202: Proposed})
def allow_exception(request: ApiRequest, ref: str, body: Exemption) -> Proposed:
    """Let one named subject through one measure, once a second person confirms."""
    incident = incident_of(request, ref)
    environment = environment_of(incident, body.environment)
    return proposed(
        four_eyes.propose(
            incident,
            Act.ALLOW_EXCEPTION,
            by=request.auth.user,
            reason=body.reason,
            measure=body.measure.value,
            subject=body.subject,
            environment=environment.name if environment else None,
            expires_at=body.expires_at.isoformat(),
        )
    )


@router.post("/{ref}/freeze/exceptions/{int:exception_id}/revoke", response=Acted)
def revoke_exception(request: ApiRequest, ref: str, exception_id: int, body: Why) -> Acted:
    """End an exception before it expires."""
    incident = incident_of(request, ref)
    exception = row_of(incident.freeze.exceptions, "exception", pk=exception_id)
    freeze.revoke_exception(incident, exception, by=request.auth.user, reason=body.reason)
    return acted(incident, exception_id)
