"""Post-rollback deliverables: summary, follow-ups, safeguards; then the incident closes."""

from __future__ import annotations

from ninja import Router
from pydantic import Field

from incidents.api.found import ApiRequest, incident_of, member
from incidents.api.shapes import Acted, acted
from incidents.api.strict import Day, Given, Link, Nothing, Text, length
from incidents.models import FollowUp, Review, Safeguard
from incidents.steps import deliver
from incidents.terms import Priority, Role

router = Router(tags=["deliver"])


class SummaryText(Given):
    what_happened: Text = Field(min_length=1, max_length=length(Review, "what_happened"))
    root_cause: Text = Field("", max_length=length(Review, "root_cause"))
    impact: Text = Field("", max_length=length(Review, "impact"))
    owner: Text | None = Field(None, max_length=254, description="E-mail address of the review's owner.")
    no_follow_ups_reason: Text = Field("", max_length=length(Review, "no_follow_ups_reason"))
    no_gaps_reason: Text = Field("", max_length=length(Review, "no_gaps_reason"))


class NewFollowUp(Given):
    title: Text = Field(min_length=1, max_length=length(FollowUp, "title"))
    owner: Text = Field(min_length=1, max_length=length(FollowUp, "owner"))
    priority: Priority
    due_on: Day
    acceptance: Text = Field(min_length=1, max_length=length(FollowUp, "acceptance"))
    bead_id: Text = Field("", max_length=length(FollowUp, "bead_id"))


class NewSafeguard(Given):
    gap: Text = Field(min_length=1, max_length=length(Safeguard, "gap"))
    change: Text = Field(min_length=1, max_length=length(Safeguard, "change"))
    link: Link = Field("", max_length=length(Safeguard, "link"))


@router.post("/{ref}/deliver/summary", response=Acted)
def write_summary(request: ApiRequest, ref: str, body: SummaryText) -> Acted:
    """Write, or write again, the incident summary; the timeline comes from the log."""
    incident = incident_of(request, ref)
    owner = member(incident, Role.COMMANDER, body.owner, "owner") if body.owner else None
    deliver.write_summary(incident, by=request.auth.user, owner=owner, **body.model_dump(exclude={"owner"}))
    return acted(incident)


@router.post("/{ref}/deliver/follow-ups", response={201: Acted})
def add_follow_up(request: ApiRequest, ref: str, body: NewFollowUp) -> Acted:
    """Add one corrective action at bead level. `id` is its number."""
    incident = incident_of(request, ref)
    follow_up = deliver.add_follow_up(incident, by=request.auth.user, **body.model_dump())
    return acted(incident, follow_up.number)


@router.post("/{ref}/deliver/safeguards", response={201: Acted})
def add_safeguard(request: ApiRequest, ref: str, body: NewSafeguard) -> Acted:
    """Record a safeguard or runbook that was updated because a control gap was found."""
    incident = incident_of(request, ref)
    safeguard = deliver.add_safeguard(incident, by=request.auth.user, **body.model_dump())
    return acted(incident, safeguard.pk)


@router.post("/{ref}/deliver/close", response=Acted)
def close(request: ApiRequest, ref: str, body: Nothing | None = None) -> Acted:
    """Close the incident; refused, with reasons, while a deliverable is missing."""
    incident = incident_of(request, ref)
    deliver.close(incident, by=request.auth.user)
    return acted(incident)
