"""The evidence log of an incident: exported as it was hashed, and verified."""

from __future__ import annotations

from django.http import HttpResponseBase, StreamingHttpResponse
from ninja import Router
from pydantic import BaseModel, Field

from incidents.api.found import ApiRequest, incident_of
from incidents.api.shapes import bytes_of
from incidents.evidence import log

router = Router(tags=["evidence"])


class Verdict(BaseModel):
    """What a verification of the stored log found."""

    intact: bool
    entries: int = Field(description="How many entries hold, from the first on.")
    head: str = Field(description="The hash of the last entry that holds.")
    broken_at: int | None = Field(description="The number of the first entry that does not hold.")
    reason: str


@router.get(
    "/{ref}/evidence.jsonl",
    response={200: None},
    summary="Export the evidence log",
    openapi_extra=bytes_of("application/x-ndjson"),
)
def export_evidence(request: ApiRequest, ref: str) -> HttpResponseBase:
    """One line an entry, `{"entry":…,"hash":…,"prev":…,"seq":…}`, streamed; the entry's bytes are those hashed."""
    incident = incident_of(request, ref)
    response = StreamingHttpResponse(log.jsonl(incident.chain), content_type="application/x-ndjson")
    response["Content-Disposition"] = f'attachment; filename="{incident.reference}-evidence.jsonl"'
    return response


@router.get("/{ref}/evidence/verify", response=Verdict, summary="Verify the evidence log")
def verify_evidence(request: ApiRequest, ref: str) -> Verdict:
    """Walk the stored chain from its first entry and stop at the first that does not hold."""
    verdict = log.verify(incident_of(request, ref).chain)
    return Verdict(
        intact=verdict.is_intact,
        entries=verdict.count,
        head=verdict.head,
        broken_at=verdict.broken_at,
        reason=verdict.reason,
    )
