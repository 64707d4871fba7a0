"""Step 2, the rollback target: chosen once, confirmed three times by the leads who own the aspects."""

from __future__ import annotations

from ninja import Router
from pydantic import Field

from incidents.api.found import ApiRequest, incident_of
from incidents.api.shapes import Acted, acted
from incidents.api.strict import Given, Text, Why, length
from incidents.models import Confirmation, Target
from incidents.steps import target
from incidents.terms import Aspect, TargetKind

router = Router(tags=["target"])


class Choice(Why):
    kind: TargetKind
    identifier: Text = Field(min_length=1, max_length=length(Target, "identifier"))


class Confirming(Given):
    aspect: Aspect
    note: Text = Field(min_length=1, max_length=length(Confirmation, "note"))


@router.post("/{ref}/target/choose", response={201: Acted})
def choose(request: ApiRequest, ref: str, body: Choice) -> Acted:
    """Choose the last known good commit, build or deployment; an earlier target stays on record."""
    incident = incident_of(request, ref)
    chosen = target.choose(
        incident, kind=body.kind, identifier=body.identifier, reason=body.reason, by=request.auth.user
    )
    return acted(incident, chosen.pk)


@router.post("/{ref}/target/confirm", response=Acted)
def confirm(request: ApiRequest, ref: str, body: Confirming) -> Acted:
    """Record that the owning lead checked one aspect; the third confirmation makes the incident targeted."""
    incident = incident_of(request, ref)
    target.confirm(incident, body.aspect, by=request.auth.user, note=body.note)
    return acted(incident, body.aspect.value)
