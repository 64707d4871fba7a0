"""Sending copies: claimed by compare-and-set, `sending` committed before the server is spoken to, sent at least once.

queued → sending → sent | failed (5xx) | queued again (4xx, cut off). A run keeps its claim alive while it lives; a lost
run's copies are swept back to queued and go out again as the same bytes under the same Message-ID. Leases are judged by
the database's clock.
"""

from __future__ import annotations

import random
import time
import uuid
from collections import deque
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce, Now

from comms import cadence, telling
from comms.models import NOT_NEEDED, OPEN_DELIVERY, OVERTAKEN, Delivery, DeliveryState, Notice, NoticeState
from comms.senders import Senders
from comms.smtp import Outcome, Verdict
from incidents import clock, prepared
from incidents.dispatch import worker_name
from incidents.steps.base import Refused, Taken, step
from incidents.terms import Act, Kind

BATCH = 40
LONGEST_WAIT = timedelta(minutes=15)
GIVE_UP = timedelta(hours=24)
_chance = random.SystemRandom()


def run(notice_id: uuid.UUID | str) -> None:
    """Send what is due of a notice. Called any number of times at once, a copy is with one run at a time."""
    hold(notice_id)
    with Senders(max(1, settings.MAIL_SENDERS)) as senders:
        _Run(notice_id, senders).go()
        settle(notice_id)


def hold(notice_id: uuid.UUID | str) -> None:
    """What is not true any more is not sent; every update to stakeholders is, however late."""
    notice = Notice.objects.filter(pk=notice_id, kind__in=OVERTAKEN).select_related("incident__product").first()
    if notice and _is_overtaken(notice):
        waiting = notice.deliveries.filter(state=DeliveryState.QUEUED)
        waiting.update(state=DeliveryState.FAILED, answer=f"{NOT_NEEDED}{notice.overtaken}.")


def _is_overtaken(notice: Notice) -> bool:
    return telling.is_overtaken(notice) if notice.about else cadence.is_superseded(notice)


class _Run:
    """One go at a notice: this thread claims and marks, the senders send meanwhile."""

    def __init__(self, notice_id: uuid.UUID | str, senders: Senders) -> None:
        self.notice_id = notice_id
        self.senders = senders
        self.worker = f"{worker_name()[:60]}:{uuid.uuid4().hex[:12]}"
        self.waiting: deque[Delivery] = deque()
        self.under_way = 0
        self.may_be_more = True
        self.alive_until = time.monotonic() + settings.MAIL_LEASE_SECONDS / 3

    def go(self) -> None:
        while self._fill():
            self._hand_over()
            ended = self.senders.ended(seconds=self.alive_until - time.monotonic())
            if ended is None:
                continue
            copy, outcome = ended
            self.under_way -= 1
            if outcome.verdict is not Verdict.UNREACHABLE:
                self._hand_over()
                mark(copy, outcome)
            elif self.senders.are_lost:
                _put_off(copy, outcome.answer)
                return
            else:
                self.waiting.appendleft(copy)

    def _fill(self) -> bool:
        """Claim more before the senders run dry. False when nothing is due any more."""
        if self.may_be_more and len(self.waiting) < self.senders.number:
            found = claim(self.notice_id, self.worker)
            self.waiting.extend(found)
            self.may_be_more = len(found) == BATCH
        return bool(self.waiting or self.under_way)

    def _hand_over(self) -> None:
        """Give each sender one copy, and nothing whose lease may have ended meanwhile."""
        if time.monotonic() >= self.alive_until:
            self._renew()
        while self.waiting and self.under_way < self.senders.number:
            self.senders.give(self.waiting.popleft())
            self.under_way += 1

    def _renew(self) -> None:
        """Show that this run lives. What was taken over while it stood still is not sent by it."""
        self.alive_until = time.monotonic() + settings.MAIL_LEASE_SECONDS / 3
        mine = Delivery.objects.filter(notice__pk=self.notice_id, state=DeliveryState.SENDING, lease_owner=self.worker)
        if mine.update(lease_until=_lease_end()) < len(self.waiting) + self.under_way:
            kept = set(mine.values_list("pk", flat=True))
            self.waiting = deque(copy for copy in self.waiting if copy.pk in kept)
        Notice.objects.filter(pk=self.notice_id).update(rung_at=Now())


# A copy's way -------------------------------------------------------------------------------------------------------


def claim(notice_id: uuid.UUID | str, worker: str) -> list[Delivery]:
    """Take the next copies that are due. Whoever moves a row from queued to sending has it until the lease ends."""
    due = Delivery.objects.filter(
        _has_come("not_before", LONGEST_WAIT), notice__pk=notice_id, state=DeliveryState.QUEUED
    )
    with transaction.atomic():
        ids = list(_free(due.order_by("not_before", "pk"))[:BATCH])
        won = ids and Delivery.objects.filter(pk__in=ids, state=DeliveryState.QUEUED).update(
            state=DeliveryState.SENDING, epoch=F("epoch") + 1, lease_owner=worker, lease_until=_lease_end()
        )
    if not won:
        return []
    mine = Delivery.objects.filter(pk__in=ids, state=DeliveryState.SENDING, lease_owner=worker)
    return list(mine.select_related("notice"))


def _free(rows: Any) -> Any:
    """The keys of rows that nobody else is changing now: runs and sweeps never wait for each other, nor in a circle."""
    skip = connection.features.has_select_for_update_skip_locked
    return rows.select_for_update(skip_locked=skip).values_list("pk", flat=True)


def _has_come(name: str, longest: timedelta) -> Q:
    """A time that has come, or lies further ahead than we ever set one: then the clock ran back meanwhile."""
    return Q(**{f"{name}__lte": Now()}) | Q(**{f"{name}__gt": Now() + longest})


def _lease_end() -> Any:
    return Now() + timedelta(seconds=settings.MAIL_LEASE_SECONDS)


def mark(copy: Delivery, outcome: Outcome) -> None:
    """Write down how one try ended, in a commit of its own; nothing where the copy was taken over meanwhile."""
    if outcome.verdict is Verdict.SENT:
        _mark_sent(copy)
    elif outcome.verdict is Verdict.REFUSED:
        _held(copy).update(state=DeliveryState.FAILED, tries=F("tries") + 1, answer=outcome.answer, lease_until=None)
    else:
        _try_again(_held(copy), copy, outcome.answer)


# The ORM takes longer to word this than the database to do it, and it runs once for every mail.
_SENT = """
    UPDATE comms_delivery SET state = 'sent', tries = tries + 1, sent_at = %s, answer = '', lease_until = NULL
    WHERE id = %s AND state = 'sending' AND lease_owner = %s
"""


def _mark_sent(copy: Delivery) -> None:
    key = Delivery._meta.pk.get_db_prep_value(copy.pk, connection)
    with prepared.cursor() as cursor:
        cursor.execute(_SENT, [connection.ops.adapt_datetimefield_value(clock.now()), key, copy.lease_owner])


def _held(copy: Delivery) -> Any:
    """The row while it is still this run's: whoever takes it over writes its own name into it."""
    return Delivery.objects.filter(pk=copy.pk, state=DeliveryState.SENDING, lease_owner=copy.lease_owner)


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
    """Doubling up to 15 min, with jitter so that copies do not come back all at once."""
    longest = min(LONGEST_WAIT.total_seconds(), settings.MAIL_RETRY_SECONDS * 2 ** min(tries, 10))
    return float(longest * _chance.uniform(0.5, 1))


def _put_off(copy: Delivery, answer: str) -> None:
    """The server cannot be used: what this run holds and what else is due of the notice waits."""
    copies = Delivery.objects.filter(notice=copy.notice_id)
    held = Q(state=DeliveryState.SENDING, lease_owner=copy.lease_owner)
    due = Q(_has_come("not_before", LONGEST_WAIT), state=DeliveryState.QUEUED)
    with transaction.atomic():
        _try_again(copies.filter(pk__in=list(_free(copies.filter(held | due)))), copy, answer)


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
    needed = notice.deliveries.needed().order_by("message_id")
    copies = list(needed.values_list("state", "message_id", "sha256"))
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
        nobody = f"{notice.name} reached nobody: all {len(copies)} copies failed"
        held = f"{notice.name} was not sent: {notice.overtaken}"
        taken.record(Kind.NOTE_ADDED, nobody if copies else held, **facts)
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
    twice = timedelta(seconds=2 * settings.MAIL_LEASE_SECONDS)
    lapsed = Delivery.objects.filter(_has_come("lease_until", twice), state=DeliveryState.SENDING)
    with transaction.atomic():
        taken = Delivery.objects.filter(pk__in=list(_free(lapsed)))
        return taken.update(state=DeliveryState.QUEUED, lease_until=None, not_before=Now())


def due() -> Any:
    """Notices with copies to send, or with nothing left but to say so, whose bell was not rung lately."""
    copies = Delivery.objects.filter(notice=OuterRef("pk"))
    waiting = Exists(copies.filter(_has_come("not_before", LONGEST_WAIT), state=DeliveryState.QUEUED))
    ended = ~Exists(copies.filter(state__in=OPEN_DELIVERY))
    quiet = timedelta(seconds=2 * settings.SWEEP_SECONDS)
    rung = Notice.objects.alias(heard_at=Coalesce("rung_at", "issued_at") + quiet).filter(_has_come("heard_at", quiet))
    return rung.filter(waiting | ended, state=NoticeState.SENDING)
