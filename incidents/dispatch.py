"""Between a row and the outside world: claim it, tell the connector, tell the step how it went."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from incidents.connectors import evidence_log, probe, registry
from incidents.connectors.base import Job, Limits, Outcome
from incidents.connectors.watch import Watch
from incidents.models import Attempt, Connector, GateRun, WorkerBeat
from incidents.steps import attempts, verify
from incidents.terms import AttemptState, GateOutcome

FETCH_SECONDS = 45.0


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def note_worker() -> None:
    """Leave a sign of life, by the database's clock."""
    WorkerBeat.objects.update_or_create(name=socket.gethostname(), defaults={"seen_at": Now()})


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
            attempts.give_back(started, started=True)  # stalled before a byte left: provably nothing was sent
            return
    except attempts.Fenced:
        return
    if started is None:
        return
    attempt = Attempt.objects.select_related("action__incident__product", "action__connector", "target").get(
        pk=started.attempt_id
    )
    outcome = _ask(attempt, started)
    _settle(started, outcome)


def _ask(attempt: Attempt, claimed: attempts.Claim) -> Outcome:
    connector = attempt.action.connector
    assert connector  # noqa: S101 - only attempts with a connector are queued
    secret, problem = _secret(connector)
    if problem:
        return Outcome(state="failed", sentence=problem)
    return registry[connector.kind].run(
        _job(attempt, connector, secret, claimed), limits(), lambda: attempts.is_alive(claimed)
    )


def _job(attempt: Attempt, connector: Connector, secret: str | None, claimed: attempts.Claim) -> Job:
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
    )


def _secret(connector: Connector) -> tuple[str | None, str]:
    """The secret a reference names, or a sentence that says it is not there."""
    if not connector.secret:
        return None, ""
    name = connector.secret.removeprefix("env:")
    value = os.environ.get(name)
    return value, "" if value else f"The secret {name} is not set in the worker's environment: nothing was sent."


def _settle(claimed: attempts.Claim, outcome: Outcome) -> None:
    state = AttemptState.FAILED if outcome.state == "not_sent" else AttemptState(outcome.state)
    attempts.settle(
        claimed,
        state,
        outcome.sentence,
        detail=dict(outcome.detail),
        output=outcome.output,
        output_dropped=outcome.output_dropped,
        output_sha256=outcome.output_sha256,
        remote_ref=outcome.remote_ref[:200],
    )


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
    result = probe.run(_probe_job(run, connector, secret, epoch), limits(), lambda: verify.is_alive(run, epoch))
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
