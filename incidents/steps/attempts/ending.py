"""How an attempt ends, is put back because nothing was sent, or is lost. A late worker never overwrites anything."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from incidents import clock
from incidents.models import Attempt
from incidents.steps import lease, rollback
from incidents.steps.attempts.claiming import Claim, Fenced, facts_of
from incidents.steps.attempts.starting import loaded
from incidents.steps.base import Taken, step_of_portal
from incidents.steps.text import RESULT, kept
from incidents.terms import Act, ActionState, AttemptState, Kind

LOST = "The worker was lost after it had started the action."
STALLED = "The worker stalled before it had sent anything: nothing was sent."
FIRST_WAIT_SECONDS = 5
LONGEST_WAIT_SECONDS = 300
TRIED_FOR = timedelta(minutes=30)
_BACK = {"state": AttemptState.QUEUED, "lease_owner": "", "lease_until": None, "poll_at": None}
_random = SystemRandom()


def is_alive(claimed: Claim) -> bool:
    """Renew the lease of a started attempt; False when it was taken away."""
    return lease.renew(claimed.rows(AttemptState.STARTED))


def report(claimed: Claim, output: str, dropped: int) -> bool:
    """Show what a started attempt has printed so far. False when it was taken away: nothing is written then.

    Args:
        output: masked already.
        dropped: how many bytes were left out.
    """
    return claimed.rows(AttemptState.STARTED).update(output=kept(output), output_dropped=dropped) == 1


# Nothing was sent ---------------------------------------------------------------------------------------------------


def give_back(claimed: Claim) -> None:
    """Queue a started attempt of which provably nothing was sent at once again.

    Whoever decides what it did, where the sweep was faster, finds on record that it did nothing.
    """
    with step_of_portal(claimed.incident, Act.RUN_ACTION) as taken:
        attempt = loaded(taken, claimed)
        if not _is_put_back(taken, attempt, claimed, rung_at=Now()):
            _late(taken, attempt, claimed, AttemptState.FAILED, STALLED)


def send_again(claimed: Claim, sentence: str, *, after_seconds: int | None = None, **facts: Any) -> bool:
    """Queue the same attempt again, as nothing was sent; where that would come too late it has failed.

    Args:
        sentence: why nothing was sent.
        after_seconds: how long the outside system asked to be left alone; else each try waits twice as long.
        facts: as `settle` takes them.

    Returns:
        Whether it is queued again.
    """
    sentence, facts = kept(sentence)[:RESULT], kept(facts)
    with step_of_portal(claimed.incident, Act.RUN_ACTION) as taken:
        attempt = loaded(taken, claimed, "approved_by")
        wait = _wait_seconds(claimed.epoch) if after_seconds is None else max(1, after_seconds)
        until, why = _tried_until(attempt)
        if taken.at + timedelta(seconds=wait) > until:
            _settle(taken, attempt, claimed, AttemptState.FAILED, f"{sentence} Not tried again: {why}.", facts)
            return False
        written = {"sentence": sentence, "detail": facts.get("detail", {}), "rung_at": None}
        back = _is_put_back(
            taken,
            attempt,
            claimed,
            {"wait_seconds": wait, "result": sentence},
            not_before=Now() + timedelta(seconds=wait),
            **written,
        )
        if not back:
            _late(taken, attempt, claimed, AttemptState.FAILED, sentence)
    return back


def _wait_seconds(tries: int) -> int:
    """Twice as long after each try, and not at the same moment as everyone else."""
    seconds: int = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS << min(tries - 1, 10))
    return round(seconds * _random.uniform(0.8, 1.2))


def _tried_until(attempt: Attempt) -> tuple[datetime, str]:
    """Until when it may be sent, and why no longer."""
    until = attempt.queued_at + TRIED_FOR
    agreed = attempt.action.approvals.filter(digest=attempt.digest, by=attempt.approved_by)
    lapses = agreed.order_by("-expires_at").values_list("expires_at", flat=True).first()
    if attempt.approved_by and lapses and lapses < until:
        return lapses, f"its approval lapses at {clock.utc_text(lapses)}"
    return (
        until,
        f"it was queued at {clock.utc_text(attempt.queued_at)}, and waits for {TRIED_FOR.seconds // 60} minutes",
    )


def _is_put_back(
    taken: Taken, attempt: Attempt, claimed: Claim, said: dict[str, Any] | None = None, /, **written: Any
) -> bool:
    if not claimed.rows(AttemptState.STARTED).update(**_BACK, started_at=None, **written):
        return False
    taken.record(
        Kind.ACTION_QUEUED,
        f"Queued again, nothing was sent: {attempt.action}",
        **facts_of(attempt),
        digest=attempt.digest,
        epoch=claimed.epoch,
        **(said or {}),
    )
    return True


# It ended -----------------------------------------------------------------------------------------------------------

_KINDS = {
    AttemptState.SUCCEEDED: (Kind.ACTION_SUCCEEDED, "Done"),
    AttemptState.FAILED: (Kind.ACTION_FAILED, "Failed"),
    AttemptState.UNKNOWN: (Kind.ACTION_UNKNOWN, "Outcome unknown"),
}


def settle(claimed: Claim, state: AttemptState, sentence: str, **facts: Any) -> bool:
    """Write how a started attempt ended. A late result is recorded and changes nothing.

    An unknown outcome that is still followed is not late: nobody has decided, and the outside system says how it was.

    Args:
        facts: `detail`, `output`, `output_dropped` (bytes), `output_sha256`, `remote_ref`, as the connector gave them.
    """
    with step_of_portal(claimed.incident, Act.RUN_ACTION) as taken:
        return _settle(taken, loaded(taken, claimed), claimed, state, kept(sentence), kept(facts))


def _settle(
    taken: Taken, attempt: Attempt, claimed: Claim, state: AttemptState, sentence: str, facts: dict[str, Any]
) -> bool:
    is_open = Q(state=AttemptState.STARTED)
    if state != AttemptState.UNKNOWN:
        is_open |= Q(state=AttemptState.UNKNOWN, poll_at__isnull=False)
    mine = Attempt.objects.filter(is_open, pk=claimed.attempt_id, epoch=claimed.epoch)
    if not mine.update(state=state, finished_at=taken.at, sentence=sentence[:RESULT], **facts):
        _late(taken, attempt, claimed, state, sentence)
        return False
    _ended(taken, attempt, claimed, state, sentence, facts.get("output_sha256", ""))
    return True


def _late(taken: Taken, attempt: Attempt, claimed: Claim, state: AttemptState, sentence: str) -> None:
    taken.record(
        Kind.ACTION_LATE,
        f"Late result of {attempt.action}, not applied: {sentence[:300]}",
        **facts_of(attempt),
        epoch=claimed.epoch,
        state=state,
    )


def _ended(
    taken: Taken, attempt: Attempt, claimed: Claim, state: AttemptState, sentence: str, output_sha256: str = ""
) -> None:
    before = attempt.action.state
    _apply(taken, attempt, state, sentence)
    kind, word = _KINDS[state]
    taken.record(
        kind,
        f"{word}: {attempt.action}. {sentence[:300]}",
        **facts_of(attempt),
        epoch=claimed.epoch,
        result=sentence[:RESULT],
        output_sha256=output_sha256,
        **rollback.moved(before, attempt.action.state),
    )


def _apply(taken: Taken, attempt: Attempt, state: AttemptState, sentence: str) -> None:
    """Write an attempt's outcome onto its action."""
    action = attempt.action
    if state != AttemptState.UNKNOWN:
        rollback.settle_action(taken, action, state == AttemptState.SUCCEEDED, sentence)
        return
    action.state, action.result = ActionState.UNKNOWN, sentence[:RESULT]
    action.save(update_fields=["state", "result"])
    if action.changes_state:
        taken.note_change()


# It was lost --------------------------------------------------------------------------------------------------------


def sweep() -> tuple[int, int]:
    """Repeat what a lost worker left undone. Any number of sweeps may run at once.

    Returns:
        How many attempts went back to the queue, and how many became unknown.
    """
    began = time.monotonic()
    started = Attempt.objects.filter(state=AttemptState.STARTED, by_hand=False)
    lease.count_from_now(started.filter(poll_at=None))
    lost = started.filter(lease_until__lt=Now())
    found = [Claim(*row) for row in lost.values_list("pk", "epoch", "fence", "action__incident")]
    number = sum(_lose(claimed, began) for claimed in found)
    return lease.sweep(Attempt), number


def _lose(claimed: Claim, began: float) -> bool:
    """Say that nobody knows; False when the worker renewed its lease meanwhile, or another sweep was first.

    Args:
        began: when the sweep did (`time.monotonic`). One that had to wait for the database judges nobody: workers that
            live had to wait as well. The next one looks again.
    """
    try:
        with step_of_portal(claimed.incident, Act.RUN_ACTION) as taken:
            if time.monotonic() - began > settings.ATTEMPT_LEASE_SECONDS / 3:
                raise Fenced
            attempt = loaded(taken, claimed)
            lapsed = claimed.rows(AttemptState.STARTED).filter(lease_until__lt=Now())
            if not lapsed.update(state=AttemptState.UNKNOWN, finished_at=taken.at, sentence=LOST):
                raise Fenced
            _ended(taken, attempt, claimed, AttemptState.UNKNOWN, LOST)
    except Fenced:
        return False
    return True
