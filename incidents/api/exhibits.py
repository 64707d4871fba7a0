"""Evidence a person brings for a cleanup area, an action or a gate: a text, a link or a file. And files read back."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile as DjangoUpload
from django.db import transaction
from django.http import FileResponse, Http404
from ninja import File, Form, Router, UploadedFile
from pydantic import Field

from incidents import authority, lifecycle
from incidents.api.found import ApiRequest, Misnamed, authorise, incident_of, row_of
from incidents.api.shapes import Acted, acted, bytes_of
from incidents.api.strict import Given, Link, Moment, Text, length
from incidents.evidence import attachments, custody
from incidents.models import Exhibit, Incident
from incidents.steps import cleanup
from incidents.steps.base import Refused
from incidents.terms import Act, Phase, Role

router = Router()
_MADE: dict[int, Any] = {201: Acted}


class Caption(Given):
    text: Text = Field("", max_length=length(Exhibit, "text"))
    source: Text = Field("", max_length=length(Exhibit, "source"), description="Where it was taken from.")
    collected_at: Moment | None = Field(None, description="When it was taken.")
    personal: bool = Field(False, description="It speaks of a person: kept apart from the log, and can be erased.")


class Exhibiting(Caption):
    link: Link = Field("", max_length=length(Exhibit, "link"))


@router.post("/{ref}/cleanup/evidence/{key}", response=_MADE, tags=["cleanup"])
def show_for_cleanup(request: ApiRequest, ref: str, key: str, body: Exhibiting) -> Acted:
    """Bring a text or a link that the checklist asks for, such as `repair-notes`."""
    return _bring(request, *_cleanup(request, ref, key), **body.model_dump())


@router.post("/{ref}/cleanup/evidence/{key}/file", response=_MADE, tags=["cleanup"])
def upload_for_cleanup(
    request: ApiRequest, ref: str, key: str, file: File[UploadedFile], caption: Form[Caption]
) -> Acted:
    """Bring a file that the checklist asks for."""
    return _bring(request, *_cleanup(request, ref, key), **caption.model_dump(), file=file)


@router.post("/{ref}/rollback/actions/{key}/evidence", response=_MADE, tags=["rollback"])
def show_for_action(request: ApiRequest, ref: str, key: str, body: Exhibiting) -> Acted:
    """Bring a text or a link for an action."""
    return _bring(request, *_action(request, ref, key), **body.model_dump())


@router.post("/{ref}/rollback/actions/{key}/evidence/file", response=_MADE, tags=["rollback"])
def upload_for_action(
    request: ApiRequest, ref: str, key: str, file: File[UploadedFile], caption: Form[Caption]
) -> Acted:
    """Bring a file for an action."""
    return _bring(request, *_action(request, ref, key), **caption.model_dump(), file=file)


@router.post("/{ref}/verify/gates/{key}/evidence", response=_MADE, tags=["verify"])
def show_for_gate(request: ApiRequest, ref: str, key: str, body: Exhibiting) -> Acted:
    """Bring a text or a link for a gate."""
    return _bring(request, *_gate(request, ref, key), **body.model_dump())


@router.post("/{ref}/verify/gates/{key}/evidence/file", response=_MADE, tags=["verify"])
def upload_for_gate(request: ApiRequest, ref: str, key: str, file: File[UploadedFile], caption: Form[Caption]) -> Acted:
    """Bring a file for a gate."""
    return _bring(request, *_gate(request, ref, key), **caption.model_dump(), file=file)


@router.get(
    "/{ref}/attachments/{int:attachment_id}",
    response={200: None},
    tags=["evidence"],
    openapi_extra=bytes_of("application/octet-stream"),
)
def download(request: ApiRequest, ref: str, attachment_id: int) -> FileResponse:
    """A file's bytes, hashed again before the first one is sent; 409 when they are not what was uploaded."""
    attachment = row_of(incident_of(request, ref).attachments, "file", pk=attachment_id)
    content = attachments.open(attachment)
    custody.file(attachment, by=request.auth.user)
    response = FileResponse(
        content, as_attachment=True, filename=attachment.name, content_type="application/octet-stream"
    )
    response["Content-Length"] = str(attachment.size)
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _cleanup(request: ApiRequest, ref: str, key: str) -> tuple[Incident, str, Role]:
    incident = incident_of(request, ref)
    for area in incident.book.cleanup:
        if key in {wanted.key for wanted in area.evidence}:
            return incident, cleanup.subject(key), area.owner
    raise Http404("This incident's checklist asks for no such evidence.")


def _action(request: ApiRequest, ref: str, key: str) -> tuple[Incident, str, Role]:
    incident = incident_of(request, ref)
    return incident, f"action:{key}", Role(row_of(incident.actions, "action", key=key).owner)


def _gate(request: ApiRequest, ref: str, key: str) -> tuple[Incident, str, Role]:
    """Whoever may record a gate brings its evidence, in that role."""
    incident = incident_of(request, ref)
    gate = row_of(incident.gates, "gate", key=key)
    role = authority.can(request.auth.user, Act.RECORD_GATE, incident) or Role(gate.owner)
    return incident, f"gate:{key}", role


def _bring(
    request: ApiRequest, incident: Incident, on: str, owner: Role, *, file: DjangoUpload | None = None, **said: Any
) -> Acted:
    by = request.auth.user
    received = None
    if file:
        _check_fields(request)
        authorise(request, Act.ATTACH_EVIDENCE, incident, owner)
        _check_phase(incident)
        received = attachments.receive(incident, file)
    with transaction.atomic():
        attachment = attachments.enter(incident, received, by) if received else None
        exhibit = cleanup.attach(incident, on, owner=owner, by=by, attachment=attachment, **said)
    return acted(incident, exhibit.pk)


def _check_fields(request: ApiRequest) -> None:
    for fields, known in ((request.POST, set(Caption.model_fields)), (request.FILES, {"file"})):
        for name in fields:
            if name not in known or len(fields.getlist(name)) > 1:
                raise Misnamed(name[:60], "Send one file, and a text if you wish.")


def _check_phase(incident: Incident) -> None:
    """The step asks the same again; here it keeps a file from being stored for an act that cannot follow."""
    if sentence := lifecycle.refusal(Act.ATTACH_EVIDENCE, Phase(incident.phase)):
        raise Refused(sentence)
