"""Step 5, controlled unfreeze: who owns the next cycle's work, and the freeze lifted stage by stage."""

from __future__ import annotations

from ninja import Router
from pydantic import Field

from incidents.api.found import ApiRequest, incident_of, member
from incidents.api.shapes import Acted, acted
from incidents.api.strict import Given, Nothing, Text, Why
from incidents.steps import unfreeze
from incidents.terms import Role

router = Router(tags=["unfreeze"])


class NextOwner(Given):
    person: Text = Field(max_length=254, description="E-mail address.")


class Lifting(Given):
    stage: Text = Field(min_length=1, max_length=40, description="`merges`, `claims` or an environment's name.")


@router.post("/{ref}/unfreeze/owners/{area}/name", response=Acted)
def name_owner(request: ApiRequest, ref: str, area: Role, body: NextOwner) -> Acted:
    """Name who owns a lead's area of work in the next cycle."""
    incident = incident_of(request, ref)
    unfreeze.name_owner(incident, area, user=member(incident, area, body.person), by=request.auth.user)
    return acted(incident, area.value)


@router.post("/{ref}/unfreeze/owners/{area}/accept", response=Acted)
def accept_ownership(request: ApiRequest, ref: str, area: Role, body: Nothing | None = None) -> Acted:
    """Take the next cycle's work on."""
    incident = incident_of(request, ref)
    unfreeze.accept_ownership(incident, area, by=request.auth.user)
    return acted(incident, area.value)


@router.post("/{ref}/unfreeze/lift", response=Acted)
def lift(request: ApiRequest, ref: str, body: Lifting) -> Acted:
    """Open one stage, if all four preconditions hold at this moment."""
    incident = incident_of(request, ref)
    unfreeze.lift(incident, body.stage, by=request.auth.user)
    return acted(incident, body.stage)


@router.post("/{ref}/unfreeze/refreeze", response=Acted)
def refreeze(request: ApiRequest, ref: str, body: Why) -> Acted:
    """Put every measure back in force."""
    incident = incident_of(request, ref)
    unfreeze.refreeze(incident, by=request.auth.user, reason=body.reason)
    return acted(incident)
