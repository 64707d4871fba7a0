"""Updates to stakeholders: drafted, previewed, issued, and what became of each copy."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from ninja import Router
from pydantic import BaseModel, Field

from comms import drafts, notices, resend
from comms.clean import SUBJECT_LENGTH
from comms.drafts import Words
from comms.models import Delivery, DeliveryState, Notice, NoticeState
from incidents import clock, lifecycle
from incidents.api.found import ApiRequest, incident_of
from incidents.api.strict import Given, Moment, Text
from incidents.models import Incident
from incidents.runbook.template import MAX_RENDERED
from incidents.steps import unfreeze
from incidents.steps.base import Refused
from incidents.terms import INTERNAL, NoticeKind, Phase

router = Router(tags=["notices"])


class Draft(BaseModel):
    """What an update would say now, and what stands against issuing it."""

    kind: NoticeKind
    name: str
    subject: str
    body: str
    next_update_at: datetime | None
    saved: bool = Field(description="Whether someone wrote it; else it is filled from the live incident.")
    blockers: list[str]


class Copy(BaseModel):
    """One recipient's mail."""

    id: UUID
    name: str
    email: str
    state: DeliveryState
    message_id: str
    sha256: str = Field(description="Of the mail's bytes.")
    tries: int
    answer: str = Field(description="What the mail server said last, where it did not take the mail.")
    sent_at: datetime | None


class Issued(BaseModel):
    """One update as it was issued."""

    id: UUID
    kind: NoticeKind
    state: NoticeState
    sequence: int
    subject: str
    body: str
    words_sha256: str
    issued_at: datetime
    sent_at: datetime | None
    next_update_at: datetime | None
    deliveries: list[Copy]


class Notices(BaseModel):
    """Every update of an incident, oldest first, and the one that is promised."""

    next_update_at: datetime | None
    overdue: bool
    drafts: list[Draft]
    issued: list[Issued]


class Letter(BaseModel):
    """An update as it would arrive."""

    subject: str
    text: str
    html: str


class Written(Given):
    """What an update is to say; what is left out is taken from the draft."""

    subject: Text | None = Field(default=None, min_length=1, max_length=SUBJECT_LENGTH)
    body: Text | None = Field(default=None, min_length=1, max_length=MAX_RENDERED)
    next_update_at: Moment | None = Field(default=None, description="A and B promise it; C ends the promise.")


class Again(Given):
    """Where a failed copy goes now."""

    address: Text | None = Field(default=None, max_length=254, description="Left out: the address as it failed.")


@router.get("/{ref}/notices", response=Notices)
def read_notices(request: ApiRequest, ref: str) -> Notices:
    """Drafts, issued updates with their copies, and when the next one is due."""
    incident = incident_of(request, ref)
    ended = Phase(incident.phase) in lifecycle.ENDED
    due_at = None if ended else unfreeze.next_update_due(incident)
    return Notices(
        next_update_at=due_at,
        overdue=due_at is not None and clock.now() > due_at,
        drafts=[_draft(incident, kind) for kind in notices.kinds_of(incident)],
        issued=[_issued(row) for row in Notice.objects.filter(incident=incident).issued().with_copies()],
    )


@router.get("/{ref}/notices/{kind}/draft", response=Draft)
def read_draft(request: ApiRequest, ref: str, kind: NoticeKind) -> Draft:
    """The saved draft, else the runbook's template filled from the live incident."""
    incident = incident_of(request, ref)
    return _draft(incident, _known(incident, kind))


@router.put("/{ref}/notices/{kind}/draft", response=Draft)
def save_draft(request: ApiRequest, ref: str, kind: NoticeKind, body: Written) -> Draft:
    """Keep a draft; nothing is sent."""
    incident = incident_of(request, ref)
    kept = notices.saved(incident, _known(incident, kind))
    seen = kept.written_at if kept else None
    notices.save(incident, kind, _words(incident, kind, body), by=request.auth.user, seen=seen)
    return _draft(incident, kind)


@router.delete("/{ref}/notices/{kind}/draft", response=Draft)
def discard_draft(request: ApiRequest, ref: str, kind: NoticeKind) -> Draft:
    """Drop the saved draft; the template is filled anew."""
    incident = incident_of(request, ref)
    notices.discard(incident, _known(incident, kind), by=request.auth.user)
    return _draft(incident, kind)


@router.post("/{ref}/notices/{kind}/preview", response=Letter)
def preview(request: ApiRequest, ref: str, kind: NoticeKind, body: Written | None = None) -> Letter:
    """The letter as it would arrive; nothing is sent or kept."""
    incident = incident_of(request, ref)
    letter = notices.preview(incident, kind, _words(incident, _known(incident, kind), body or Written()))
    return Letter(subject=letter.subject, text=letter.text, html=letter.html)


@router.post("/{ref}/notices/copies/{copy_id}/again", response=Issued)
def send_again(request: ApiRequest, ref: str, copy_id: UUID, body: Again | None = None) -> Issued:
    """Send a failed copy again: the same mail under its Message-ID, or one with the same words to another address."""
    incident = incident_of(request, ref)
    copy = get_object_or_404(Delivery.objects.filter(notice__incident=incident), pk=copy_id)
    address = (body and body.address) or copy.email
    resend.again(copy, address=address, by=request.auth.user)
    return _issued(Notice.objects.with_copies().get(pk=copy.notice_id))


@router.post("/{ref}/notices/{kind}/issue", response={201: Issued})
def issue(request: ApiRequest, ref: str, kind: NoticeKind, body: Written | None = None) -> Issued:
    """Send an update to the product's recipients. Its words are frozen; each recipient gets one mail."""
    incident = incident_of(request, ref)
    words = _words(incident, _known(incident, kind), body or Written())
    sent = notices.issue(
        incident,
        kind,
        subject=words.subject,
        body=words.body,
        next_update_at=words.next_update_at,
        by=request.auth.user,
    )
    return _issued(Notice.objects.with_copies().get(pk=sent.pk))


def _known(incident: Incident, kind: NoticeKind) -> NoticeKind:
    """The kind, if people send it at all; which one is in its place now is for the step to say."""
    if kind in INTERNAL:
        raise Http404("Lastgood sends this by itself.")
    if kind == NoticeKind.STAND_DOWN and incident.phase != Phase.STOOD_DOWN:
        raise Refused("The incident is not stood down.")
    return kind


def _words(incident: Incident, kind: NoticeKind, given: Written) -> Words:
    """The draft with what was given in its place."""
    found = notices.draft(incident, kind)
    promised = given.next_update_at or (found.next_update_at if kind in drafts.PROMISING else None)
    return Words(given.subject or found.subject, given.body or found.body, promised)


def _draft(incident: Incident, kind: NoticeKind) -> Draft:
    kept = notices.saved(incident, kind)
    words = notices.draft(incident, kind)
    return Draft(
        kind=kind,
        name=str(kind.label),
        subject=words.subject,
        body=words.body,
        next_update_at=words.next_update_at,
        saved=kept is not None,
        blockers=notices.blockers(incident, kind),
    )


def _issued(row: Notice) -> Issued:
    return Issued(
        deliveries=[_copy(copy) for copy in row.deliveries.all()],
        **{name: getattr(row, name) for name in Issued.model_fields if name != "deliveries"},
    )


def _copy(row: Delivery) -> Copy:
    fields: dict[str, Any] = {name: getattr(row, name) for name in Copy.model_fields}
    return Copy(**fields)
