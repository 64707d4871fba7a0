"""Acts that wait for a second person."""

from __future__ import annotations

from ninja import Router

from incidents.api.found import ApiRequest, incident_of, row_of
from incidents.api.shapes import Acted, Proposed, acted, proposed
from incidents.api.strict import Nothing, Why
from incidents.steps import four_eyes

router = Router(tags=["proposals"])


@router.get("/{ref}/proposals", response=list[Proposed])
def list_proposals(request: ApiRequest, ref: str) -> list[Proposed]:
    """Those that still wait."""
    incident = incident_of(request, ref)
    return [proposed(proposal) for proposal in four_eyes.waiting(incident)]


@router.post("/{ref}/proposals/{int:proposal_id}/confirm", response=Acted)
def confirm(request: ApiRequest, ref: str, proposal_id: int, body: Nothing | None = None) -> Acted:
    """Agree as the second person: the act runs as proposed."""
    incident = incident_of(request, ref)
    four_eyes.confirm(row_of(incident.proposals, "proposal", pk=proposal_id), by=request.auth.user)
    return acted(incident, proposal_id)


@router.post("/{ref}/proposals/{int:proposal_id}/decline", response=Acted)
def decline(request: ApiRequest, ref: str, proposal_id: int, body: Why) -> Acted:
    """Say no as the second person, or withdraw one's own proposal."""
    incident = incident_of(request, ref)
    four_eyes.decline(row_of(incident.proposals, "proposal", pk=proposal_id), by=request.auth.user, reason=body.reason)
    return acted(incident, proposal_id)
