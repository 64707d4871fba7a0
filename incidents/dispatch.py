"""Between a row and the outside world: claim it, tell the connector, tell the step how it went."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from incidents.connectors import evidence_log, output, probe, registry
from incidents.connectors.base import Followed, Job, Limits, Outcome, Rehearsed
from incidents.connectors.output import Output
from incidents.connectors.watch import Watch
from incidents.models import Action, Attempt, Connector, GateRun, Rehearsal, WorkerBeat
from incidents.prepared import GONE
from incidents.steps import attempts, following, lease, rollback, verify
from incidents.steps.base import Refused
from incidents.terms import AttemptState, GateOutcome

FETCH_SECONDS = 45.0
FORGOTTEN = timedelta(hours=1)
_noted_at = float("-inf")
log = structlog.get_logger()


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def warm_up() -> None:
    """Have a connection and the statements of a start at hand, before the first bell of a new process."""
    with suppress(DatabaseError):
        attempts.warm_up()


def note_worker() -> None:
    """Leave this process's sign of life, by the database's clock."""
    WorkerBeat.objects.update_or_create(name=worker_name()[:80], defaults={"seen_at": Now()})


def forget_workers() -> None:
    """Drop the signs of processes that are long gone: a pool replaces its processes all the time."""
    WorkerBeat.objects.filter(seen_at__lt=Now() - FORGOTTEN).delete()


def _is_ours(claim_holds: bool) -> bool:
    """What a busy worker is asked now and then; while it answers yes, it also says that it lives."""
    global _noted_at
    if claim_holds and time.monotonic() - _noted_at >= settings.ATTEMPT_LEASE_SECONDS / 3:
        note_worker()
        _noted_at = time.monotonic()
    return claim_holds


def limits() -> Limits:
    return Limits(
        allowed_hosts=settings.OUTBOUND_HOSTS,
        allow_private_hosts=settings.OUTBOUND_PRIVATE_HOSTS,
        allow_plain_http_hosts=settings.OUTBOUND_PRIVATE_HOSTS,
        commands=settings.COMMANDS,
        alive_every_seconds=settings.ATTEMPT_LEASE_SECONDS / 3,
    )


def fetch_evidence_log(url: str, token: str = "") -> evidence_log.Fetched:
    """Fetch a foreign log while a person waits. Raises `evidence_log.NotFetched` with a sentence."""
    most = settings.UPLOAD_MAX_BYTES
    watch = Watch(FETCH_SECONDS, lambda: True, FETCH_SECONDS)
    return evidence_log.fetch(url, replace(limits(), max_body=most), watch, most_bytes=most, token=token)


def run_attempt(attempt_id: UUID | str) -> None:
    """Run one queued attempt. Called any number of times for the same row, it starts once."""
    claimed = attempts.claim(attempt_id, worker_name())
    if claimed is None:
        return
    leased_at = time.monotonic()
    try:
        started = attempts.start(claimed)
        if started and time.monotonic() - leased_at > settings.ATTEMPT_LEASE_SECONDS / 2:
            attempts.give_back(started)  # stalled before a byte left: provably nothing was sent
            return
    except attempts.Fenced:
        return
    if started is None:
        return
    assert started.attempt  # noqa: S101 - start() read it
    _settle(started, _ask(started.attempt, started))


def _ask(attempt: Attempt, claimed: attempts.Claim) -> Outcome:
    connector = attempt.action.connector
    assert connector  # noqa: S101 - only attempts with a connector are queued
    secret, problem = _secret(connector)
    if problem:
        return Outcome(state="failed", sentence=problem)
    how, job, allowed = registry[connector.kind], _job(attempt, connector, secret, claimed), _shown(claimed)
    if isinstance(how, Followed) and not how.check(job.config, allowed) and (thread := how.thread(job)):
        following.expect(claimed, thread)
    return how.run(job, allowed, lambda: _is_ours(attempts.is_alive(claimed)))


def _shown(claimed: attempts.Claim) -> Limits:
    """The limits, for a job of which the page shows what it prints."""

    def show(output: Output) -> None:
        try:
            attempts.report(claimed, output.text, output.dropped)
        except DatabaseError as error:
            # A database that is away for a moment ends no command.
            log.warning("output.not_shown", attempt=str(claimed.attempt_id), error=type(error).__name__)

    return replace(limits(), show=show)


def _job(attempt: Attempt | Rehearsal, connector: Connector, secret: str | None, claimed: attempts.Claim) -> Job:
    incident = attempt.action.incident
    return Job(
        attempt_id=attempt.pk,
        idempotency_key=str(attempt.pk),
        epoch=claimed.epoch,
        fence=claimed.fence,
        incident=incident.reference,
        action_key=attempt.action.key,
        action_title=attempt.action.name,
        product=incident.product.slug,
        target=attempt.target.identifier,
        arguments=attempt.action.arguments,
        config=connector.config,
        secret=secret,
        deadline_seconds=connector.deadline_seconds,
        callback_url=f"{settings.PUBLIC_URL}/api/v1/attempts/{attempt.pk}/callback",
    )


def _secret(connector: Connector) -> tuple[str | None, str]:
    """The secret a reference names, or a sentence that says it is not there."""
    if not connector.secret:
        return None, ""
    name = connector.secret.removeprefix("env:")
    value = os.environ.get(name)
    return value, "" if value else f"The secret {name} is not set in the worker's environment: nothing was sent."


def signing_secret(attempt: Attempt) -> str:
    """The secret that its connector signs with; empty where there is none."""
    connector = attempt.action.connector
    return (_secret(connector)[0] if connector else None) or ""


def _settle(claimed: attempts.Claim, outcome: Outcome) -> None:
    """Write what came of an act. Nobody else knows it: a database that is away or busy is asked again for a while."""
    give_up_at = time.monotonic() + settings.ATTEMPT_LEASE_SECONDS
    while True:
        try:
            return _write(claimed, outcome)
        except GONE as error:
            if connection.in_atomic_block or time.monotonic() > give_up_at:
                raise
            log.warning("outcome.not_written", attempt=str(claimed.attempt_id), error=type(error).__name__)
        threading.Event().wait(1)
        connection.close()
        with suppress(*GONE):
            if _is_written(claimed, outcome):
                return None


def _is_written(claimed: attempts.Claim, outcome: Outcome) -> bool:
    """Whether it went through after all, and only the answer was lost."""
    mine = Attempt.objects.filter(pk=claimed.attempt_id, epoch=claimed.epoch)
    if outcome.state == "running":
        return mine.filter(poll_at__isnull=False).exists()
    waiting = {AttemptState.STARTED, AttemptState.UNKNOWN} - {outcome.state}
    return not mine.filter(state__in=waiting).exists()


def _write(claimed: attempts.Claim, outcome: Outcome) -> None:
    if outcome.state == "running":
        following.begin(claimed, _seen(outcome), dict(outcome.detail))
        return
    facts = {
        "detail": dict(outcome.detail),
        "output": outcome.output,
        "output_dropped": outcome.output_dropped,
        "output_sha256": outcome.output_sha256,
        "remote_ref": outcome.remote_ref[:200],
    }
    if outcome.state == "not_sent":
        wait = outcome.detail.get("retry_after_seconds")
        attempts.send_again(claimed, outcome.sentence, after_seconds=wait if isinstance(wait, int) else None, **facts)
    else:
        attempts.settle(claimed, AttemptState(outcome.state), outcome.sentence, **facts)


def _seen(outcome: Outcome) -> following.Seen:
    return following.Seen(outcome.sentence, outcome.remote, outcome.remote_ref, outcome.output, outcome.output_dropped)


def follow(attempt_id: UUID | str) -> None:
    """Look at an attempt that runs outside. Called any number of times, it looks once a turn."""
    claimed = following.claim(attempt_id)
    if claimed is None:
        return
    assert claimed.attempt  # noqa: S101 - claim() read it
    outcome = _look(claimed.attempt, claimed)
    is_known_as_unknown = outcome.state == claimed.attempt.state == AttemptState.UNKNOWN
    if outcome.state != "running" and not is_known_as_unknown:
        _settle(claimed, _with_earlier(claimed.attempt, outcome))
        return
    if "reason" in outcome.detail:
        log.info("follow.no_answer", attempt=str(claimed.attempt_id), reason=outcome.detail["reason"])
    following.goes_on(claimed, _seen(outcome))


def _with_earlier(attempt: Attempt, outcome: Outcome) -> Outcome:
    """The end, with what the start and earlier looks have shown, where the last look shows nothing of it."""
    known = {"detail": attempt.detail | outcome.detail, "remote_ref": outcome.remote_ref or attempt.remote_ref}
    if outcome.output_bytes or not attempt.output:
        return replace(outcome, **known)
    kept = output.of(attempt.output.encode(), limits().output_cap)
    known |= {"output": kept.text, "output_dropped": attempt.output_dropped, "output_sha256": kept.sha256}
    return replace(outcome, **known)


def _look(attempt: Attempt, claimed: attempts.Claim) -> Outcome:
    connector = attempt.action.connector
    assert connector  # noqa: S101 - only attempts with a connector are queued
    secret, problem = _secret(connector)
    how, going = registry[connector.kind], Outcome(state="running", sentence=problem, remote=attempt.remote)
    if problem:
        return replace(going, detail={"reason": "secret"})
    if rollback.spec_digest(attempt.action, attempt.target) != attempt.digest or not isinstance(how, Followed):
        sentence = "Its connector was changed after the start: look in the outside system itself."
        return replace(going, sentence=sentence, detail={"reason": "changed"})
    return how.poll(_job(attempt, connector, secret, claimed), limits(), attempt.remote)


def can_rehearse(action: Action) -> bool:
    """Whether the action's connector, as it is set up, can say beforehand what it would do."""
    connector = action.connector
    how = registry.get(connector.kind) if connector else None
    if connector is None or not isinstance(how, Rehearsed):
        return False
    asked = getattr(how, "rehearses", None)
    return asked is None or bool(asked(connector.config, limits()))


def ask_for_rehearsal(action: Action, *, by: Any) -> Rehearsal:
    """Queue a dry run.

    Raises:
        Refused: its connector has none, or the step says why not now.
    """
    if not rollback.is_by_hand(action) and not can_rehearse(action):
        raise Refused(f"“{action.connector}” cannot say beforehand what it would do.")
    return rollback.ask_for_rehearsal(action, by=by)


def run_rehearsal(rehearsal_id: UUID | str) -> None:
    """Make one queued dry run and record what it said."""
    claimed = rollback.claim_rehearsal(rehearsal_id, worker_name())
    if claimed is None:
        return
    rehearsal, epoch = claimed
    outcome = _rehearse(rehearsal, epoch)
    with suppress(lease.TakenOver):
        rollback.settle_rehearsal(
            rehearsal,
            epoch,
            succeeded=outcome.state == "succeeded",
            sentence=outcome.sentence,
            output=outcome.output,
            output_dropped=outcome.output_dropped,
            output_sha256=outcome.output_sha256,
        )


def _rehearse(rehearsal: Rehearsal, epoch: int) -> Outcome:
    if objection := rollback.rehearsal_objection(rehearsal):
        return Outcome(state="failed", sentence=objection)
    connector = rehearsal.action.connector
    assert connector  # noqa: S101 - rehearsal_objection() settled it
    how = registry[connector.kind]
    if not isinstance(how, Rehearsed):
        return Outcome(state="failed", sentence=f"“{connector}” cannot say beforehand what it would do.")
    secret, problem = _secret(connector)
    if problem:
        return Outcome(state="failed", sentence=problem)
    job = replace(_job(rehearsal, connector, secret, attempts.Claim(rehearsal.pk, epoch)), callback_url="")
    return how.rehearse(job, limits(), lambda: _is_ours(rollback.is_rehearsal_alive(rehearsal, epoch)))


def run_gate(run_id: UUID | str) -> None:
    """Run one queued gate check and record what it said."""
    claimed = verify.claim(run_id, worker_name())
    if claimed is None:
        return
    run, epoch = claimed
    try:
        if verify.is_wanted(run, epoch):
            _check(run, epoch)
    except verify.TakenOver:
        return


def _check(run: GateRun, epoch: int) -> None:
    connector = run.gate.connector
    assert connector  # noqa: S101 - only wired gates are queued
    secret, problem = _secret(connector)
    if problem:
        verify.settle(run, epoch, GateOutcome.ERROR, problem)
        return
    result = probe.run(
        _probe_job(run, connector, secret, epoch), limits(), lambda: _is_ours(verify.is_alive(run, epoch))
    )
    verify.settle(
        run,
        epoch,
        GateOutcome(result.outcome),
        result.sentence,
        output=result.output,
        output_sha256=result.output_sha256,
    )


def _probe_job(run: GateRun, connector: Connector, secret: str | None, epoch: int) -> Job:
    incident: Any = run.gate.incident
    return Job(
        attempt_id=run.pk,
        idempotency_key=str(run.pk),
        epoch=epoch,
        fence=0,
        incident=incident.reference,
        action_key=run.gate.key,
        action_title=run.gate.name,
        product=incident.product.slug,
        target=run.target.identifier,
        arguments=run.gate.arguments,
        config=connector.config,
        secret=secret,
        deadline_seconds=connector.deadline_seconds,
    )
