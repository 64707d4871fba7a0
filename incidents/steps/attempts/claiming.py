"""Taking a queued attempt: one winner, not before its time, one act a target, so many at once as a connector bears."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Now

from incidents import prepared
from incidents.models import Attempt, Connector
from incidents.models.rollback import HOLDING
from incidents.steps import lease
from incidents.terms import AttemptState

SPARE = 16
_BUSY = (AttemptState.LEASED, AttemptState.STARTED)


class Fenced(Exception):
    """Another worker, or the sweep, took the attempt over."""


@dataclass(frozen=True)
class Claim:
    """A worker's hold on one attempt: valid while state and epoch are what they were.

    `incident_id` and `attempt` are what was read on the way, so that it need not be read again.
    """

    attempt_id: UUID
    epoch: int
    fence: int = 0
    incident_id: int = field(default=0, compare=False, repr=False)
    attempt: Attempt | None = field(default=None, compare=False, repr=False)

    def rows(self, state: AttemptState) -> QuerySet[Attempt]:
        """The attempt as long as this claim holds it in that state."""
        return Attempt.objects.filter(pk=self.attempt_id, state=state, epoch=self.epoch)

    @property
    def incident(self) -> int:
        """The key of the incident that the attempt belongs to."""
        if self.incident_id:
            return self.incident_id
        return Attempt.objects.values_list("action__incident", flat=True).get(pk=self.attempt_id)


# Raw SQL on purpose: a claim stands between a person's click and the act, and building it with the ORM costs more than
# running it. The connector's row is locked by a statement of its own, because one that had waited for the lock would
# still count as of the moment before it. What is busy is looked up first, by the index that holds no more than that: a
# connector may have thousands of acts behind it. A claim need not outlive a crash of the database: the row is queued
# then.
_LOCK = """
SELECT c.id, set_config('synchronous_commit', 'off', true) FROM incidents_connector c
JOIN incidents_action a ON a.connector_id = c.id JOIN incidents_attempt t ON t.action_id = a.id
WHERE t.id = %(attempt)s FOR NO KEY UPDATE OF c"""
_BUSY_NOW = """
WITH busy AS MATERIALIZED
  (SELECT action_id FROM incidents_attempt WHERE state IN ('leased', 'started') AND NOT by_hand)"""
_TAKE = """
UPDATE incidents_attempt SET state = 'leased', epoch = epoch + 1, lease_owner = %(worker)s, lease_until = {until}
WHERE id = %(attempt)s AND state = 'queued' AND (not_before IS NULL OR not_before <= {now})
AND EXISTS (SELECT 1 FROM incidents_action a JOIN incidents_connector c ON c.id = a.connector_id
  WHERE a.id = incidents_attempt.action_id AND c.max_parallel >
    (SELECT count(*) FROM busy JOIN incidents_action b ON b.id = busy.action_id WHERE b.connector_id = c.id))
RETURNING target_key, epoch, (SELECT a.incident_id FROM incidents_action a WHERE a.id = incidents_attempt.action_id)"""
_BUMP = """
INSERT INTO incidents_targetfence (target_key, value) {of}
ON CONFLICT (target_key) DO UPDATE SET value = incidents_targetfence.value + 1 RETURNING value"""
_TAKE_AND_BUMP = (
    """{busy}, taken (target_key, epoch, incident) AS ({take}), fence AS ({bump})
SELECT epoch, value, incident FROM taken, fence""".replace("{busy}", _BUSY_NOW)
    .replace("{take}", _TAKE)
    .replace("{bump}", _BUMP.replace("{of}", "SELECT target_key, 1 FROM taken"))
)


def claim(attempt_id: UUID | str, worker: str) -> Claim | None:
    """Take a queued attempt. One winner, whatever the broker delivered; None for everyone else, who need not come back.

    An attempt whose target or connector is busy stays queued: it is rung again when one of those ends.
    """
    attempt: Any = Attempt._meta.pk.to_python(attempt_id)
    terms = {"attempt": bound(attempt), "worker": worker[:80]}
    try:
        won = _at_once(terms) if connection.vendor == "postgresql" else _in_turn(terms)
    except IntegrityError:
        return None  # another attempt holds this target
    return Claim(attempt, *won) if won else None


def _at_once(terms: dict[str, Any]) -> Any:
    """Alone, the statements are their own transaction: nothing is to be undone in one around them."""
    with transaction.atomic() if connection.in_atomic_block else nullcontext():
        lock, take = prepared.Statement(_LOCK, terms), prepared.Statement(lease.sql(_TAKE_AND_BUMP), terms)
        return prepared.answers(lock, take)[-1]


def _in_turn(terms: dict[str, Any]) -> Any:
    """SQLite: the one write lock stands for the connector's."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(lease.sql(_BUSY_NOW + _TAKE), terms)
        if (won := cursor.fetchone()) is None:
            return None
        target_key, epoch, incident = won
        cursor.execute(_BUMP.replace("{of}", "VALUES (%s, 1)"), [target_key])
        return epoch, cursor.fetchone()[0], incident


def bound(attempt_id: UUID) -> Any:
    """An attempt's key as the database takes it."""
    return Attempt._meta.pk.get_db_prep_value(attempt_id, connection)


def facts_of(attempt: Attempt) -> dict[str, Any]:
    """An attempt as each entry about it names it."""
    return {"action": attempt.action.key, "attempt": str(attempt.pk)}


def waiting() -> QuerySet[Attempt]:
    """Queued attempts that may be claimed now, as far as their own time goes; the oldest first."""
    in_time = Q(not_before=None) | Q(not_before__lte=Now())
    return Attempt.objects.filter(in_time, state=AttemptState.QUEUED).order_by("queued_at")


def due() -> QuerySet[Attempt]:
    """Those of them whose bell was never rung, or rung long ago."""
    again = Q(rung_at=None, not_before__isnull=False)
    return waiting().filter(again | lease.forgotten("queued_at"))


def next_after(attempt_id: UUID | str) -> list[UUID]:
    """What may start now that this attempt has let go: the next of its target, and the next of its connector.

    Two of the connector's, as one bell may be lost or meet a busy target. One with room to spare held nobody up.
    """
    ended = Attempt.objects.select_related("action__connector").get(pk=attempt_id)
    connector = ended.action.connector
    if connector is None:
        return []
    held = Attempt.objects.filter(target_key=OuterRef("target_key"), state__in=HOLDING, by_hand=False)
    on_target = Case(When(target_key=ended.target_key, then=Value(0)), default=Value(1))
    free = waiting().filter(Q(target_key=ended.target_key) | Q(action__connector=connector)).exclude(Exists(held))
    found = list(free.annotate(turn_=on_target).order_by("turn_", "queued_at").values_list("pk", "turn_")[:3])
    others = [pk for pk, turn in found if turn]
    if others:
        room = connector.max_parallel - _busy_of(connector)
        others = others[: max(0, room)] if room <= SPARE else []
    return [pk for pk, turn in found if not turn][:1] + others[:2]


def _busy_of(connector: Connector) -> int:
    return Attempt.objects.filter(action__connector=connector, state__in=_BUSY, by_hand=False).count()


def held_up_by(attempt: Attempt) -> str:
    """Why a queued attempt is not claimed; empty when a worker may take it now."""
    holding = Attempt.objects.filter(target_key=attempt.target_key, state__in=HOLDING, by_hand=False)
    if live := holding.select_related("action__incident").first():
        if live.state == AttemptState.UNKNOWN:
            return f"The outcome of {_named(live)} on the same target is unknown: two people decide it first."
        return f"{_named(live)} runs on the same target: one act at a time."
    connector = attempt.action.connector
    if connector and _busy_of(connector) >= connector.max_parallel:
        return f"“{connector}” runs as many actions as it may at once ({connector.max_parallel}): it waits its turn."
    return ""


def _named(attempt: Attempt) -> str:
    return f"“{attempt.action}” of {attempt.action.incident}"
