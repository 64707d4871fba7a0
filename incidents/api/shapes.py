"""What the API answers with, where several words share it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from pydantic import BaseModel, Field

from incidents.models import Attachment, EvidenceChain, Exhibit, Incident, Proposal
from incidents.terms import Act, Level, Phase, ScanState


class Person(BaseModel):
    """A person by the id that evidence uses, with name and address."""

    id: str
    name: str
    email: str


class Acted(BaseModel):
    """An act that was done and recorded."""

    reference: str
    phase: Phase
    id: int | str | None = Field(None, description="What the act made, by the id or key it has in the incident.")
    evidence_seq: int = Field(description="How many entries the incident's evidence log holds now.")
    evidence_sha256: str = Field(description="The hash of its last entry.")


class Proposed(BaseModel):
    """An act that waits for a second person."""

    id: int
    act: Act
    sentence: str
    proposed_by: Person
    proposed_at: datetime
    expires_at: datetime
    confirm_url: str
    decline_url: str


class AttachedFile(BaseModel):
    id: int
    name: str
    size: int = Field(description="In bytes.")
    sha256: str
    scan: ScanState = Field(description="What a virus scanner said; a file in which one finds something is not kept.")
    scan_note: str
    url: str


class Shown(BaseModel):
    """One piece of evidence that a person brought."""

    id: int
    subject: str = Field(description="What it is evidence for: `cleanup:repair-notes`, `action:3c-rebuild`, `gate:ci`.")
    text: str
    link: str
    file: AttachedFile | None
    source: str = Field(description="Where it was taken from, as the person says.")
    collected_at: datetime | None = Field(description="When it was taken, as the person says.")
    by: Person
    added_at: datetime


def person(user: Any) -> Person:
    return Person(id=str(user.public_id), name=user.name, email=user.email)


def person_or_none(user: Any) -> Person | None:
    return person(user) if user else None


def acted(incident: Incident, made: int | str | None = None) -> Acted:
    """Where the incident stands after an act."""
    head = EvidenceChain.objects.select_related("incident").get(incident_id=incident.pk)
    return Acted(
        reference=incident.reference,
        phase=Phase(head.incident.phase),  # type: ignore[union-attr]
        id=made,
        evidence_seq=head.seq,
        evidence_sha256=head.hash,
    )


def proposed(proposal: Proposal) -> Proposed:
    url = f"{api_url(proposal.incident)}/proposals/{proposal.pk}"
    return Proposed(
        id=proposal.pk,
        act=Act(proposal.act),
        sentence=proposal.sentence,
        proposed_by=person(proposal.proposed_by),
        proposed_at=proposal.proposed_at,
        expires_at=proposal.expires_at,
        confirm_url=f"{url}/confirm",
        decline_url=f"{url}/decline",
    )


def attached(incident: Incident, attachment: Attachment) -> AttachedFile:
    return AttachedFile(
        id=attachment.pk,
        name=attachment.name,
        size=attachment.size,
        sha256=attachment.sha256,
        scan=ScanState(attachment.scan),
        scan_note=attachment.scan_note,
        url=f"{api_url(incident)}/attachments/{attachment.pk}",
    )


def shown(incident: Incident, exhibit: Exhibit) -> Shown:
    return Shown(
        id=exhibit.pk,
        subject=exhibit.subject,
        text=exhibit.text,
        link=exhibit.link,
        source=exhibit.source,
        collected_at=exhibit.collected_at,
        file=attached(incident, exhibit.attachment) if exhibit.attachment else None,
        by=person(exhibit.by),
        added_at=exhibit.added_at,
    )


def api_url(incident: Incident) -> str:
    return f"{settings.PUBLIC_URL}/api/v1/incidents/{incident.reference}"


def page_url(incident: Incident) -> str:
    return f"{settings.PUBLIC_URL}{incident.get_absolute_url()}"


def level_name(incident: Incident) -> str:
    """The level's name as this incident's runbook words it; it stands beside the code wherever that is shown."""
    return incident.book.levels[Level(incident.scope_level)].name


def bytes_of(media_type: str) -> dict[str, Any]:
    """How the OpenAPI document describes an answer that is no JSON."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"responses": {200: {"description": "OK", "content": content}}}
