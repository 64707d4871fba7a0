"""The evidence log of an incident: exported as it was hashed, and verified."""

from __future__ import annotations

from datetime import datetime

from django.http import Http404, HttpResponseBase, StreamingHttpResponse
from ninja import Router
from pydantic import BaseModel, ConfigDict, Field

from incidents.api.found import ApiRequest, incident_of
from incidents.api.shapes import bytes_of
from incidents.evidence import checkpoints, completeness, custody, keys, log, verify
from incidents.evidence.note import NotANote, VerifierKey
from incidents.models import Incident
from incidents.steps.base import Refused

router = Router(tags=["evidence"])


class Compared(BaseModel):
    """One checkpoint against the log as it is."""

    size: int
    match: verify.Match
    sentence: str


class Verdict(BaseModel):
    """What a verification of the stored log found."""

    intact: bool
    entries: int = Field(description="How many entries hold, from the first on.")
    head: str = Field(description="The hash of the last entry that holds.")
    broken_at: int | None = Field(description="The number of the first entry that does not hold.")
    reason: str
    code: int = Field(description="0 holds, 1 broken, 2 truncated or rewritten, 3 a signature does not fit.")
    compared: list[Compared] = Field(description="One for each checkpoint that was brought, or that is on record.")
    gaps: list[str] = Field(description="Rows that no entry explains, and entries whose row is gone or says otherwise.")
    unsigned: list[str] = Field(description="What is wrong with notes that are none, or that nobody we trust signed.")


class Checkpoints(BaseModel):
    """Signed checkpoints that somebody kept, with every blank: it is part of what was signed."""

    model_config = ConfigDict(extra="forbid")

    checkpoints: list[str] = Field(max_length=20, description="Each the whole note, as it was attached to an update.")
    keys: list[str] = Field(default=[], max_length=20, description="Keys to trust besides the portal's own.")


class CheckpointNote(BaseModel):
    """What was last signed of the log."""

    size: int
    head: str
    root: str
    signed_at: datetime
    note: str
    keys: list[str] = Field(description="The portal's verifier keys, the one in use first.")


@router.get(
    "/{ref}/evidence.jsonl",
    response={200: None},
    summary="Export the evidence log",
    openapi_extra=bytes_of("application/x-ndjson"),
)
def export_evidence(request: ApiRequest, ref: str) -> HttpResponseBase:
    """One line an entry, `{"at":…,"entry":…,"hash":…,"prev":…,"seq":…}`; the entry's bytes are those hashed."""
    incident = incident_of(request, ref)
    head = custody.whole_log(incident, by=request.auth.user)
    response = StreamingHttpResponse(log.jsonl(head, until=head.seq), content_type="application/x-ndjson")
    response["Content-Disposition"] = f'attachment; filename="{incident.reference}-evidence.jsonl"'
    return response


@router.get("/{ref}/evidence/verify", response=Verdict, summary="Verify the evidence log")
def verify_evidence(request: ApiRequest, ref: str) -> Verdict:
    """Walk the stored chain from its first entry and stop at the first that does not hold."""
    incident = incident_of(request, ref)
    return _verdict(incident, log.check(incident.chain))


@router.post("/{ref}/evidence/verify", response=Verdict, summary="Verify the evidence log against checkpoints")
def verify_against(request: ApiRequest, ref: str, brought: Checkpoints) -> Verdict:
    """The same, and for each checkpoint what was cut, rewritten or added since it was signed. Nothing is changed."""
    incident = incident_of(request, ref)
    try:
        trusted = [*keys.verifiers(), *map(VerifierKey.read, brought.keys)]
    except NotANote as error:
        raise Refused(str(error)) from error
    return _verdict(incident, log.check(incident.chain, brought.checkpoints, trusted))


@router.get("/{ref}/evidence/checkpoint", response=CheckpointNote, summary="The last checkpoint")
def last_checkpoint(request: ApiRequest, ref: str) -> CheckpointNote:
    """What was last signed of the log: keep it elsewhere, and it proves later what the log held."""
    incident = incident_of(request, ref)
    found = checkpoints.latest(incident)
    if found is None:
        raise Http404("Nothing of this log was signed yet.")
    known = [str(key) for key in keys.verifiers()]
    custody.checkpoint(incident, found, by=request.auth.user)
    return CheckpointNote(
        size=found.size,
        head=found.head,
        root=found.root,
        signed_at=found.signed_at,
        note=found.note,
        keys=known,
    )


def _verdict(incident: Incident, found: verify.Finding) -> Verdict:
    gaps = completeness.check(incident) if found.verdict.is_intact else []
    return Verdict(
        intact=found.verdict.is_intact,
        entries=found.verdict.count,
        head=found.verdict.head,
        broken_at=found.verdict.broken_at,
        reason=found.verdict.reason,
        code=found.code or (verify.BROKEN if gaps else verify.HOLDS),
        gaps=[gap.sentence for gap in gaps],
        compared=[Compared(size=one.statement.size, match=one.match, sentence=one.sentence) for one in found.compared],
        unsigned=list(found.unsigned),
    )
