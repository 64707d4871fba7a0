"""Roles: assigned by the commander, accepted by the person, handed over, taken over by a deputy."""

from __future__ import annotations

from ninja import Router
from pydantic import Field

from incidents.api.found import ApiRequest, incident_of, member
from incidents.api.shapes import Acted, acted
from incidents.api.strict import Given, Nothing, Text, Why
from incidents.steps import roles
from incidents.terms import Role

router = Router(tags=["roles"])


class Assignment(Given):
    person: Text = Field(max_length=254, description="E-mail address.")
    reason: Text = Field("", max_length=500)


class Handover(Why):
    to: Text = Field(max_length=254, description="E-mail address.")


@router.post("/{ref}/roles/{role}/assign", response=Acted)
def assign(request: ApiRequest, ref: str, role: Role, body: Assignment) -> Acted:
    """Give a role to a person, who then accepts it."""
    incident = incident_of(request, ref)
    user = member(incident, role, body.person)
    roles.assign(incident, role, user=user, by=request.auth.user, reason=body.reason)
    return acted(incident, role.value)


@router.post("/{ref}/roles/{role}/accept", response=Acted)
def accept(request: ApiRequest, ref: str, role: Role, body: Nothing | None = None) -> Acted:
    """Take on a role that is assigned to the caller."""
    incident = incident_of(request, ref)
    roles.accept(incident, role, by=request.auth.user)
    return acted(incident, role.value)


@router.post("/{ref}/roles/{role}/hand-over", response=Acted)
def hand_over(request: ApiRequest, ref: str, role: Role, body: Handover) -> Acted:
    """Pass a role on; a commander's role passes at once, any other when the next person accepts."""
    incident = incident_of(request, ref)
    to = member(incident, role, body.to, "to")
    roles.hand_over(incident, role, to=to, by=request.auth.user, reason=body.reason)
    return acted(incident, role.value)


@router.post("/{ref}/roles/{role}/take-over", response=Acted)
def take_over(request: ApiRequest, ref: str, role: Role, body: Why) -> Acted:
    """Step in as a deputy from the roster where the holder does not answer."""
    incident = incident_of(request, ref)
    roles.take_over(incident, role, by=request.auth.user, reason=body.reason)
    return acted(incident, role.value)
