"""One copy for each recipient: bytes, Message-ID and thread settled at the moment the update is issued."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence

import structlog
from django.db.models.functions import Now

from comms import mail
from comms.clean import NotAMailbox, mailbox
from comms.drafts import Words
from comms.models import Delivery, DeliveryState, Notice
from incidents.evidence import checkpoints, keys
from incidents.models import EvidenceChain, Incident
from incidents.steps.base import Taken
from incidents.terms import NoticeKind

log = structlog.get_logger()


def queue(taken: Taken, notice: Notice, words: Words, people: Sequence[tuple[str, str]]) -> None:
    """Write the copies of an update, one an address. Part of the step's transaction.

    Args:
        people: names and addresses; one that no mail server takes fails at once and holds up nobody else.
    """
    chain = EvidenceChain.objects.get(incident=taken.incident)
    letter = mail.written(taken.incident, NoticeKind(notice.kind), words, chain, _checkpoint(chain, notice))
    shared = mail.payload(letter, notice.pk.hex)
    first = first_mails(taken.incident)
    rows = []
    for name, email, problem in _addresses(people):
        copy = mail.Copy(uuid.uuid4(), name, email, first.get(email.casefold(), ""))
        content = b"" if problem else mail.addressed(copy, letter, shared, notice)
        rows.append(row(notice, copy, content, problem))
    if not any(row.state == DeliveryState.QUEUED for row in rows):
        taken.refuse_if(["None of the recipients has an address that a mail server takes: mend one first."])
    Delivery.objects.bulk_create(rows, batch_size=200)


def _checkpoint(chain: EvidenceChain, notice: Notice) -> str | None:
    """What is signed of the log now. An update goes out also where nothing can be signed: the alarm is raised there."""
    try:
        found = checkpoints.sign(chain, notice.name)
    except (checkpoints.Uncertain, keys.NoKey) as error:
        log.warning("checkpoint.refused", incident=notice.incident_id, reason=str(error))
        return None
    return found.note if found else None


def _addresses(people: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Each name with its mailbox, once; or with what was written and why it is none."""
    told: set[str] = set()
    for name, email in people:
        problem = ""
        try:
            email = mailbox(email)
        except NotAMailbox as error:
            problem = str(error)
        if email.casefold() not in told:
            told.add(email.casefold())
            yield name, email, problem


def row(notice: Notice, copy: mail.Copy, content: bytes, problem: str = "") -> Delivery:
    """The row of one copy, not yet saved."""
    return Delivery(
        id=copy.id,
        notice=notice,
        name=copy.name,
        email=copy.address[:254],
        message_id=mail.message_id(copy.id),
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        state=DeliveryState.FAILED if problem else DeliveryState.QUEUED,
        answer=problem,
        not_before=Now(),
    )


def first_mails(incident: Incident) -> dict[str, str]:
    """The Message-ID of the first mail of this incident to each address: what later ones reply to."""
    found: dict[str, str] = {}
    rows = Delivery.objects.filter(notice__incident=incident).exclude(content=b"").order_by("notice__sequence")
    for email, message_id in rows.values_list("email", "message_id"):
        found.setdefault(email.casefold(), message_id)
    return found
