"""Sending copies: claimed by compare-and-set, `sending` committed before the server is spoken to, sent at least once.

queued → sending → sent | failed (5xx) | queued again (4xx, cut off). A lost run's copies are swept back to queued;
they go out again as the same bytes under the same Message-ID. Leases are judged by the database's clock.
"""

from __future__ import annotations

import random
import time
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from comms.models import OPEN_DELIVERY, Delivery, DeliveryState, Notice, NoticeState
from comms.smtp import Line, Outcome, Verdict
from incidents import clock
from incidents.dispatch import worker_name
from incidents.steps.base import Refused, Taken, step
from incidents.terms import Act, Kind

BATCH = 20
MARKED_TOGETHER = 5
RING_AGAIN = timedelta(seconds=20)
FIRST_WAIT_SECONDS = 15
LONGEST_WAIT_SECONDS = 15 * 60
GIVE_UP = timedelta(hours=24)
_ROUND_TRIPS = 10
_SLACK_SECONDS = 100
_chance = random.SystemRandom()


def run(notice_id: uuid.UUID | str) -> None:
    """Send what is due of a notice. Called any number of times at once, a copy is with one run at a time."""
    worker = f"{worker_name()[:60]}:{uuid.uuid4().hex[:12]}"
    with Line() as line:
        while batch := claim(notice_id, worker):
            if not send(batch, line):
                break
    settle(notice_id)


# A copy's way -------------------------------------------------------------------------------------------------------


def claim(notice_id: uuid.UUID | str, worker: str) -> list[Delivery]:
    """Take the next copies that are due. Whoever moves a row from queued to sending has it until the lease ends."""
    due = Delivery.objects.filter(notice__pk=notice_id, state=DeliveryState.QUEUED, not_before__lte=Now())
    with transaction.atomic():
        rows = due.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        ids = list(rows.order_by("not_before", "pk").values_list("pk", flat=True)[:BATCH])
        won = Delivery.objects.filter(pk__in=ids, state=DeliveryState.QUEUED).update(
            state=DeliveryState.SENDING,
            epoch=F("epoch") + 1,
            lease_owner=worker,
            lease_until=Now() + timedelta(seconds=lease_seconds()),
        )
    if not won:
        return []
    mine = Delivery.objects.filter(pk__in=ids, state=DeliveryState.SENDING, lease_owner=worker)
    return list(mine.select_related("notice"))


def lease_seconds() -> int:
    """Longer than a batch's time plus one whole conversation with a server that answers at the last moment."""
    return int(settings.EMAIL_TIMEOUT) * _ROUND_TRIPS + _SLACK_SECONDS


def send(batch: list[Delivery], line: Line) -> bool:
    """Send a batch. False when the server cannot be used at all."""
    begun, taken = time.monotonic(), list[Delivery]()
    try:
        for index, copy in enumerate(batch):
            if time.monotonic() - begun > _SLACK_SECONDS:
                _give_back(batch[index:])
                return True
            outcome = line.send(copy.email, bytes(copy.content))
            if outcome.verdict is Verdict.UNREACHABLE:
                _put_off(batch[index:], outcome.answer)
                return False
            if outcome.verdict is not Verdict.SENT:
                mark(copy, outcome)
                continue
            taken.append(copy)
            if len(taken) == MARKED_TOGETHER:
                _mark_sent(taken)
                taken = []
    finally:
        _mark_sent(taken)
    return True


def _held(copies: list[Delivery]) -> Any:
    """Rows that are still this run's: whoever takes a row over writes its own name into it."""
    ids = [copy.pk for copy in copies]
    return Delivery.objects.filter(pk__in=ids, state=DeliveryState.SENDING, lease_owner=copies[0].lease_owner)


def _mark_sent(copies: list[Delivery]) -> None:
    """A few at a time: a commit a mail costs as much as the mail. What a crash leaves unmarked goes out twice."""
    if copies:
        _held(copies).update(state=DeliveryState.SENT, tries=F("tries") + 1, sent_at=Now(), answer="", lease_until=None)


def mark(copy: Delivery, outcome: Outcome) -> None:
    """Write down how one try ended."""
    held = _held([copy])
    if outcome.verdict is Verdict.SENT:
        _mark_sent([copy])
    elif outcome.verdict is Verdict.REFUSED:
        held.update(state=DeliveryState.FAILED, tries=F("tries") + 1, answer=outcome.answer, lease_until=None)
    else:
        _try_again(held, copy, outcome.answer)


def _try_again(held: Any, copy: Delivery, answer: str) -> None:
    """Later, unless a day has passed since the update was issued."""
    assert copy.notice.issued_at  # noqa: S101 - only issued notices have copies
    if clock.now() - copy.notice.issued_at > GIVE_UP:
        given_up = f"Given up after 24 hours. {answer}"[:500]
        held.update(state=DeliveryState.FAILED, tries=F("tries") + 1, answer=given_up, lease_until=None)
        return
    held.update(
        state=DeliveryState.QUEUED,
        tries=F("tries") + 1,
        answer=answer,
        lease_until=None,
        not_before=Now() + timedelta(seconds=wait_seconds(copy.tries)),
    )


def wait_seconds(tries: int) -> float:
    """Doubling from 15 s to 15 min, with jitter so that copies do not come back all at once."""
    longest: int = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS << min(tries, 10))
    return longest * _chance.uniform(0.5, 1)


def _put_off(copies: list[Delivery], answer: str) -> None:
    """The server cannot be used: what this run holds and what else is due of the notice waits."""
    first = copies[0]
    _try_again(_held(copies), first, answer)
    _try_again(
        Delivery.objects.filter(notice=first.notice_id, state=DeliveryState.QUEUED, not_before__lte=Now()),
        first,
        answer,
    )


def _give_back(copies: list[Delivery]) -> None:
    """Nothing was sent of these: they are due at once."""
    _held(copies).update(state=DeliveryState.QUEUED, lease_until=None)


# The end of a notice ------------------------------------------------------------------------------------------------


def settle(notice_id: uuid.UUID | str) -> None:
    """Once every copy has ended, say so in the log: exactly once, whoever is last."""
    notice = Notice.objects.select_related("incident").get(pk=notice_id)
    if _is_open(notice):
        return
    try:
        with step(notice.incident, Act.SETTLE_NOTICE, by=None) as taken:
            notice.refresh_from_db(fields=["state"])
            taken.refuse_if(["Another run has settled this notice."] if _is_open(notice) else [])
            _close(taken, notice)
    except Refused:
        return


def _is_open(notice: Notice) -> bool:
    return notice.state != NoticeState.SENDING or notice.deliveries.filter(state__in=OPEN_DELIVERY).exists()


def _close(taken: Taken, notice: Notice) -> None:
    copies = list(notice.deliveries.order_by("message_id").values_list("state", "message_id", "sha256"))
    sent = [(message_id, digest) for state, message_id, digest in copies if state == DeliveryState.SENT]
    notice.state = NoticeState.SENT if sent else NoticeState.FAILED
    notice.sent_at = taken.at if sent else None
    notice.save(update_fields=["state", "sent_at"])
    facts: dict[str, Any] = {
        "notice": notice.kind,
        "notice_id": str(notice.pk),
        "sent": len(sent),
        "failed": len(copies) - len(sent),
    }
    if not sent:
        taken.record(Kind.NOTE_ADDED, f"{notice.name} reached nobody: all {len(copies)} copies failed", **facts)
        return
    taken.record(
        Kind.NOTICE_SENT,
        f"{notice.name} sent to {len(sent)} of {len(copies)}",
        **facts,
        copies=[{"message_id": message_id, "sha256": digest} for message_id, digest in sent],
    )


# What a lost nudge left undone --------------------------------------------------------------------------------------


def take_back() -> int:
    """Queue again what a run held when it was lost."""
    lapsed = Delivery.objects.filter(state=DeliveryState.SENDING, lease_until__lt=Now())
    return lapsed.update(state=DeliveryState.QUEUED, lease_until=None, not_before=Now())


def due() -> Any:
    """Notices with copies to send, or with nothing left but to say so, whose bell was not rung lately."""
    copies = Delivery.objects.filter(notice=OuterRef("pk"))
    waiting = Exists(copies.filter(state=DeliveryState.QUEUED, not_before__lte=Now()))
    ended = ~Exists(copies.filter(state__in=OPEN_DELIVERY))
    long_ago = Now() - RING_AGAIN
    quiet = Q(rung_at=None, issued_at__lt=long_ago) | Q(rung_at__lt=long_ago)
    return Notice.objects.filter(quiet, waiting | ended, state=NoticeState.SENDING)
