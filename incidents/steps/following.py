"""An action that runs on outside, after its system has taken it: looked at by whichever worker comes next.

The attempt stays started, with a lease until its deadline; what a look needs stands in its row, so a worker that dies
between two looks loses nothing. At the deadline the outcome is unknown, and is looked for a day longer: what the
outside system says then settles it, unless people have decided before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from incidents import clock
from incidents.models import Attempt, CallbackReceipt
from incidents.steps import attempts
from incidents.steps.attempts import Claim
from incidents.steps.attempts.claiming import facts_of
from incidents.steps.attempts.starting import loaded
from incidents.steps.base import Refused, Taken, locked, step_of_portal
from incidents.steps.text import RESULT, kept
from incidents.terms import Act, AttemptState, Kind

# A worker whose start was sent comes back well within this; another one that looks earlier would see nothing yet.
START_SECONDS = 60
# A look takes less. Where the worker that looked died, the next look comes after it.
LOOK_SECONDS = 15
MARGIN = timedelta(seconds=30)
LONGEST_PAUSE_SECONDS = 30
LOOKED_FOR = timedelta(hours=24)
_OPEN = (AttemptState.STARTED, AttemptState.UNKNOWN)


@dataclass(frozen=True)
class Seen:
    """What a look at the outside system showed of a run that has not ended; the output is masked and capped."""

    sentence: str
    remote: dict[str, Any]
    remote_ref: str = ""
    output: str = ""
    output_dropped: int = 0


def expect(claimed: Claim, remote: dict[str, Any]) -> None:
    """Note what finds the run before the start is sent: if this worker dies, another one looks for it."""
    soon = Now() + timedelta(seconds=START_SECONDS)
    claimed.rows(AttemptState.STARTED).update(remote=remote, poll_at=soon, rung_at=None)


def begin(claimed: Claim, seen: Seen, detail: dict[str, Any]) -> bool:
    """Say on record that the outside system has it and goes on alone.

    Returns:
        False where it had ended already: its system was quicker to call back than we to write this.
    """
    try:
        with step_of_portal(claimed.incident, Act.RUN_ACTION) as taken:
            _begin(taken, loaded(taken, claimed, "action__connector"), claimed, seen, detail)
    except attempts.Fenced:
        return False
    return True


def _begin(taken: Taken, attempt: Attempt, claimed: Claim, seen: Seen, detail: dict[str, Any]) -> None:
    mine = Attempt.objects.filter(pk=claimed.attempt_id, epoch=claimed.epoch, state__in=_OPEN)
    if not mine.update(
        **_written(attempt, seen),
        detail=kept(detail),
        poll_at=Now() + timedelta(seconds=settings.FOLLOW_SECONDS),
        lease_until=deadline_of(attempt) + MARGIN,
        rung_at=None,
    ):
        raise attempts.Fenced
    taken.record(
        Kind.ACTION_FOLLOWED,
        f"Runs outside: {attempt.action}. {kept(seen.sentence)[:300]}",
        **facts_of(attempt),
        epoch=claimed.epoch,
        remote=kept(seen.remote_ref)[:200],
    )


def deadline_of(attempt: Attempt) -> datetime:
    """Until when its system should have ended it."""
    connector = attempt.action.connector
    seconds = connector.deadline_seconds if connector else 0
    return (attempt.started_at or attempt.queued_at) + timedelta(seconds=seconds)


def due() -> QuerySet[Attempt]:
    """Attempts whose next look is due and was not asked for a moment ago; the longest waiting first."""
    long_ago = Now() - timedelta(seconds=settings.RING_AGAIN_SECONDS)
    waiting = Attempt.objects.filter(state__in=_OPEN, by_hand=False, poll_at__lte=Now())
    return waiting.filter(Q(rung_at=None) | Q(rung_at__lt=long_ago)).order_by("poll_at")


def claim(attempt_id: UUID | str) -> Claim | None:
    """Take the next look at an attempt. One winner, whatever the broker delivered; None for everyone else."""
    later = Now() + timedelta(seconds=LOOK_SECONDS)
    mine = Attempt.objects.filter(pk=attempt_id, state__in=_OPEN, by_hand=False, poll_at__lte=Now())
    if not mine.update(poll_at=later, rung_at=None):
        return None
    attempt = Attempt.objects.select_related("action__incident__product", "action__connector", "target").get(
        pk=attempt_id
    )
    return Claim(attempt.pk, attempt.epoch, attempt.fence, attempt.action.incident_id, attempt)


def goes_on(claimed: Claim, seen: Seen) -> None:
    """Keep what a look showed of a run that has not ended; past the deadline its outcome is unknown."""
    attempt = claimed.attempt
    assert attempt  # noqa: S101 - claim() read it
    now = clock.now()
    if attempt.state == AttemptState.UNKNOWN:
        is_over = now > (attempt.started_at or attempt.queued_at) + LOOKED_FOR
        next_look = None if is_over else Now() + timedelta(seconds=LONGEST_PAUSE_SECONDS)
        claimed.rows(AttemptState.UNKNOWN).update(remote=kept(seen.remote), poll_at=next_look)
        return
    pause = timedelta(seconds=_pause_seconds(attempt, now))
    if not claimed.rows(AttemptState.STARTED).update(**_written(attempt, seen), poll_at=Now() + pause):
        return
    if now >= deadline_of(attempt):
        seconds = attempt.action.connector.deadline_seconds if attempt.action.connector else 0
        attempts.settle(claimed, AttemptState.UNKNOWN, f"It did not end within {seconds} s. Last seen: {seen.sentence}")


def _written(attempt: Attempt, seen: Seen) -> dict[str, Any]:
    """What a look changes of the row. What an entry says of it already, it does not touch."""
    found: dict[str, Any] = {
        "remote": kept(seen.remote),
        "remote_ref": kept(seen.remote_ref)[:200] or attempt.remote_ref,
    }
    if attempt.state == AttemptState.STARTED:
        found |= {"sentence": kept(seen.sentence)[:RESULT]}
        found |= {"output": kept(seen.output), "output_dropped": seen.output_dropped} if seen.output else {}
    return found


def _pause_seconds(attempt: Attempt, now: datetime) -> float:
    """Often at first, seldom for what takes long: a twentieth of its age."""
    age = (now - (attempt.started_at or attempt.queued_at)).total_seconds()
    return max(float(settings.FOLLOW_SECONDS), min(LONGEST_PAUSE_SECONDS, age / 20))


# The outside system calls back --------------------------------------------------------------------------------------


class Heard(StrEnum):
    """What became of a message about an attempt."""

    APPLIED = "applied"
    REPEATED = "repeated"
    LATE = "late"


def hear(attempt: Attempt, message: str, epoch: int, state: AttemptState, seen: Seen, output_sha256: str) -> Heard:
    """Take in what an outside system says of an attempt by itself: how it goes, or how it ended. Once a message.

    Args:
        message: the id of the message; the same one counts once.
        epoch: which start of the attempt it is about.
        state: STARTED while it runs, SUCCEEDED or FAILED at its end.

    Raises:
        Refused: it is about a start that is not the last one.
    """
    if epoch != attempt.epoch:
        raise Refused(f"This attempt is at start {attempt.epoch}; the message is about start {epoch}.")
    with transaction.atomic():
        if not _is_first(attempt, message):
            return Heard.REPEATED
        claimed = Claim(attempt.pk, epoch, attempt.fence, attempt.action.incident_id, attempt)
        if state == AttemptState.STARTED:
            is_open = claimed.rows(AttemptState.STARTED).update(**_written(attempt, seen))
            return Heard.APPLIED if is_open else Heard.LATE
        locked(claimed.incident_id)  # two messages that say the same at once: the second one sees the first
        if Attempt.objects.filter(pk=attempt.pk, epoch=epoch, state=state).exists():
            return Heard.REPEATED
        facts: dict[str, Any] = {"remote_ref": seen.remote_ref or attempt.remote_ref, "output_sha256": output_sha256}
        facts |= {"output": seen.output, "output_dropped": seen.output_dropped}
        return Heard.APPLIED if attempts.settle(claimed, state, seen.sentence, **facts) else Heard.LATE


def _is_first(attempt: Attempt, message: str) -> bool:
    """Keep the message's id, under its attempt's: two systems may use the same ids."""
    try:
        with transaction.atomic():
            CallbackReceipt.objects.create(
                message_id=f"{attempt.pk}/{message}", attempt=attempt, received_at=clock.now()
            )
    except IntegrityError:
        return False
    return True
