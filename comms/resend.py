"""A copy that failed goes out again: as the same frozen bytes, or as a copy of its own to the corrected address."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models.functions import Now

from comms import copies, mail
from comms.clean import NotAMailbox, mailbox
from comms.models import NOT_NEEDED, Delivery, DeliveryState, Notice, NoticeState, Recipient
from incidents.steps.base import Refused, Taken, step
from incidents.terms import Act, Kind

REPLACED = f"{NOT_NEEDED}a copy went to the corrected address."


def suggested(copy: Delivery) -> str:
    """Where to send it: the address as the list of recipients has it now under that name, else the one that failed."""
    told = copy.notice.deliveries.values("email")
    people = Recipient.objects.filter(product=copy.notice.incident.product_id, active=True, name=copy.name)
    corrected = list(people.exclude(email__in=told).values_list("email", flat=True)[:2])
    return corrected[0] if len(corrected) == 1 else copy.email


def again(copy: Delivery, *, address: str, by: Any) -> Delivery:
    """Queue a failed copy again.

    Args:
        address: as it failed, and the same mail goes out under its Message-ID; another one, and it gets a mail of its
            own with the same words.

    Raises:
        Refused: the copy has not failed, the address is none or has its copy already.
    """
    with step(copy.notice.incident, Act.SEND_NOTICE, by=by) as taken:
        failed = Delivery.objects.select_related("notice").get(pk=copy.pk)
        failed.notice.incident = taken.incident
        if not failed.is_missed:
            raise Refused(f"This copy has not failed: it is {failed.get_state_display().lower()}.")
        sent = failed if _same(address, failed.email) else _corrected(taken, failed, address)
        if not sent.content:
            raise Refused(f"{sent.answer} Correct it.")
        _queue(sent)
        _reopen(failed.notice)
        _record(taken, failed, sent)
    return sent


def _same(address: str, other: str) -> bool:
    return address.strip().casefold() == other.casefold()


def _corrected(taken: Taken, failed: Delivery, address: str) -> Delivery:
    """A copy to another address in the place of the one that failed."""
    notice = failed.notice
    try:
        email = mailbox(address)
    except NotAMailbox as error:
        raise Refused(str(error)) from error
    if notice.deliveries.filter(email__iexact=email).exists():
        raise Refused(f"{email} has a copy of this update already.")
    first = copies.first_mails(taken.incident).get(email.casefold(), "")
    copy = mail.Copy(uuid.uuid4(), failed.name, email, first)
    frozen = notice.deliveries.exclude(content=b"").first()
    assert frozen  # noqa: S101 - an update that has no copy with bytes is not issued
    Delivery.objects.filter(pk=failed.pk).update(answer=f"{REPLACED} {failed.answer}"[:500])
    return copies.row(notice, copy, mail.readdressed(copy, bytes(frozen.content), notice))


def _queue(copy: Delivery) -> None:
    copy.state, copy.not_before, copy.answer = DeliveryState.QUEUED, Now(), ""
    copy.save()


def _reopen(notice: Notice) -> None:
    Notice.objects.filter(pk=notice.pk).update(state=NoticeState.SENDING, rung_at=None)


def _record(taken: Taken, failed: Delivery, sent: Delivery) -> None:
    """The log names copies by Message-ID; addresses stay out of it."""
    how = "as it was" if sent.pk == failed.pk else "to a corrected address"
    taken.record(
        Kind.NOTICE_RETRIED,
        f"{failed.notice.name}: a copy that failed goes out again, {how}",
        notice=failed.notice.kind,
        notice_id=str(failed.notice_id),
        failed=failed.message_id,
        copies=[{"message_id": sent.message_id, "sha256": sent.sha256}],
    )
