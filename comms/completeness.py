"""How updates and their copies stand in an incident's log (incidents.evidence.completeness)."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from comms.drafts import Words
from comms.models import ISSUED, Delivery, DeliveryState, Notice, NoticeState, Report
from comms.notices import digest
from incidents.evidence import completeness
from incidents.evidence.completeness import Account, Entry, Rule
from incidents.evidence.completeness.account import Handler
from incidents.terms import Kind


def _issued(said: Account, entry: Entry) -> None:
    body = entry.body
    if "notice_id" in body:
        promised = body["next_update_at"]
        said.says(
            body["notice_id"],
            kind=body["notice"],
            subject=body["subject"],
            words=body["words_sha256"],
            words_sha256=body["words_sha256"],
            next_update_at=datetime.fromisoformat(promised) if promised else None,
            about=body.get("about"),
            written_by=entry.by,
            state=NoticeState.SENDING,
        )


def _becomes(state: NoticeState) -> Handler:
    def handler(said: Account, entry: Entry) -> None:
        if "notice_id" in entry.body:
            said.says(entry.body["notice_id"], state=state)

    return handler


NOTICE = Rule(
    Notice,
    "update",
    # A draft is nobody's act yet: nothing has left the portal.
    rows=lambda incident: Notice.objects.filter(incident=incident, state__in=ISSUED).select_related("written_by"),
    key=lambda row: str(row.pk),
    facts=lambda row: {
        "kind": row.kind,
        "subject": row.subject,
        "words": digest(Words(row.subject, row.body)),
        "words_sha256": row.words_sha256,
        "next_update_at": row.next_update_at,
        "about": row.about,
        "written_by": str(row.written_by.public_id) if row.written_by else None,
        "state": row.state,
    },
    says={
        Kind.NOTICE_ISSUED: _issued,
        Kind.NOTICE_RETRIED: _becomes(NoticeState.SENDING),
        Kind.NOTICE_SENT: _becomes(NoticeState.SENT),
        Kind.NOTE_ADDED: _becomes(NoticeState.FAILED),
    },
    named=lambda row: f"{row.name} “{row}”",
)


def _copied(said: Account, entry: Entry) -> None:
    for copy in entry.body.get("copies", []):
        sha256 = copy["sha256"]
        said.says(copy["message_id"], notice=entry.body["notice_id"], sha256=sha256, content=sha256)


def _queued_again(said: Account, entry: Entry) -> None:
    _copied(said, entry)
    for copy in entry.body["copies"]:
        said.rows[copy["message_id"]].facts.pop("state", None)


def _sent(said: Account, entry: Entry) -> None:
    """Once an update has ended, each copy was sent, or failed."""
    body = entry.body
    if "notice_id" in body:
        for key in said.with_fact("notice", body["notice_id"]):
            said.says(key, state=DeliveryState.FAILED)
        for copy in body.get("copies", []):
            said.says(copy["message_id"], sha256=copy["sha256"], state=DeliveryState.SENT)


def _of_copy(row: Delivery) -> dict[str, Any]:
    return {
        "notice": str(row.notice_id),
        "sha256": row.sha256,
        "content": hashlib.sha256(bytes(row.content)).hexdigest(),
        "state": row.state,
    }


DELIVERY = Rule(
    Delivery,
    "copy",
    rows=lambda incident: Delivery.objects.filter(notice__incident=incident).select_related("notice").iterator(200),
    key=lambda row: row.message_id,
    facts=_of_copy,
    says={
        Kind.NOTICE_ISSUED: _copied,
        Kind.NOTICE_RETRIED: _queued_again,
        Kind.NOTICE_SENT: _sent,
        Kind.NOTE_ADDED: _sent,
    },
    # Not by name or address: this sentence may stand in a report.
    named=lambda row: f"Copy {row.message_id} of “{row.notice}”",
)


def register() -> None:
    completeness.register(NOTICE, DELIVERY)
    completeness.exempt(Report, "Made of the log as it stood at one entry, and made again whenever it is asked for.")
