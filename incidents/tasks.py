"""Doorbells: a row id in, load, claim, one call. Whoever claims the row first runs it; a lost ring is swept up."""

from __future__ import annotations

import time
from typing import Any

import structlog
from celery import current_app, shared_task
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from incidents import dispatch
from incidents.evidence import checkpoints, keys
from incidents.models import EvidenceChain, Rehearsal
from incidents.steps import attempts, following, lease, suggest, verify

log = structlog.get_logger()
_QUIET_SECONDS = 30
_quiet_until = 0.0


def ring(task: Any, *row_ids: Any) -> bool:
    """Publish a row's id; never raises, never waits long. After a failure the bell rests for half a minute."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return False
    try:
        task.apply_async([str(row_id) for row_id in row_ids])
    except (OperationalError, OSError) as error:
        _quiet_until = time.monotonic() + _QUIET_SECONDS
        log.warning("broker.unreachable", task=task.name, row=str(*row_ids), error=type(error).__name__)
        return False
    return True


def ring_next(attempt_id: str) -> None:
    """Ring what may start now that this attempt has let go of its target and its connector."""
    if current_app.conf.task_always_eager:
        return  # one process does everything, one after the other, and comes to it by itself
    for next_id in attempts.next_after(attempt_id):
        ring(run_attempt, next_id)


@shared_task
def run_attempt(attempt_id: str) -> None:
    dispatch.run_attempt(attempt_id)


@shared_task
def follow(attempt_id: str) -> None:
    dispatch.follow(attempt_id)


@shared_task
def follow_all() -> None:
    for attempt_id in list(following.due().values_list("pk", flat=True)[:100]):
        if ring(follow, attempt_id):
            following.due().filter(pk=attempt_id).update(rung_at=Now())


@shared_task
def run_gate(run_id: str) -> None:
    dispatch.run_gate(run_id)


@shared_task
def run_rehearsal(rehearsal_id: str) -> None:
    dispatch.run_rehearsal(rehearsal_id)


@shared_task
def sweep() -> None:
    dispatch.note_worker()
    dispatch.forget_workers()
    attempts.sweep()
    verify.sweep()
    lease.sweep(Rehearsal)
    suggest.expire()
    for rows, task in (
        (attempts.due(), run_attempt),
        (verify.due(), run_gate),
        (lease.due(Rehearsal), run_rehearsal),
    ):
        for row_id in list(rows.values_list("pk", flat=True)[:500]):
            if ring(task, row_id):
                rows.model.objects.filter(pk=row_id).update(rung_at=Now())


@shared_task
def sign_checkpoint(incident_id: str) -> None:
    try:
        checkpoints.sign(EvidenceChain.objects.get(incident_id=incident_id), "act")
    except (checkpoints.Uncertain, keys.NoKey) as error:
        log.warning("checkpoint.refused", incident=incident_id, reason=str(error))


@shared_task
def sign_all_checkpoints() -> None:
    checkpoints.sign_all()


def ring_all_checkpoints() -> None:
    ring(sign_all_checkpoints)
