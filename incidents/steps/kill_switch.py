"""The kill switch: while it is thrown no action starts, in no incident, whatever is queued.

There are two: the setting LASTGOOD_DISPATCH_ENABLED, and a stop at run time by whoever runs the portal.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from incidents import clock
from incidents.evidence import log
from incidents.models import Attempt, DispatchStop, Incident
from incidents.steps import text
from incidents.steps.base import Denied, Refused, locked
from incidents.terms import AttemptState, Kind

_KEPT = "stop of dispatch"


def in_force() -> DispatchStop | None:
    """The stop in force, if there is one."""
    return DispatchStop.objects.filter(lifted_at=None).first()


def sentence(reason: str | None) -> str:
    """Why nothing may start now; empty when it may.

    Args:
        reason: of the stop in force.
    """
    if not settings.DISPATCH_ENABLED:
        return "Dispatch is switched off for this installation."
    return f"Dispatch is stopped: {reason.rstrip('.')}." if reason else ""


def blockers(incident: Incident) -> list[str]:
    """The same as a list. The stop is read once for an incident that was read for one act or one page."""
    kept = incident.__dict__.setdefault("_prefetched_objects_cache", {})
    if _KEPT not in kept:
        stopped = in_force()
        kept[_KEPT] = stopped and stopped.reason
    return list(filter(None, [sentence(kept[_KEPT])]))


def stop(*, by: Any, reason: str) -> DispatchStop:
    """Throw the switch. When this returns nothing that had not started starts any more."""
    reason = _settled(by, reason)
    try:
        with transaction.atomic():
            stopped = DispatchStop.objects.create(reason=reason, by=by, stopped_at=clock.now())
            _record(Kind.DISPATCH_STOPPED, f"Dispatch stopped: {reason}", by, stopped, reason)
    except IntegrityError as error:
        raise Refused("Dispatch is stopped already.") from error
    transaction.on_commit(_wait_for_starts)
    return stopped


def resume(*, by: Any, reason: str) -> None:
    """Lift the switch. What was called off meanwhile is dispatched again by whoever owns it."""
    reason = _settled(by, reason)
    with transaction.atomic():
        stopped = log.lock_head(DispatchStop.objects.filter(lifted_at=None)).first()
        if stopped is None:
            raise Refused("Dispatch is not stopped.")
        stopped.lifted_by, stopped.lifted_at = by, clock.now()
        stopped.save(update_fields=["lifted_by", "lifted_at"])
        _record(Kind.DISPATCH_RESUMED, f"Dispatch resumed: {reason}", by, stopped, reason)


def _settled(by: Any, reason: str) -> str:
    """The reason, of somebody who may."""
    if not (by.is_active and by.is_staff):
        raise Denied("Dispatch is stopped and resumed by whoever runs the portal (staff).")
    reason = reason.strip()
    if found := text.said_faults(reason) if reason else ["Say why."]:
        raise Refused(*found)
    return reason


def _record(kind: Kind, sentence: str, by: Any, stopped: DispatchStop, reason: str) -> None:
    log.append_globally(kind, actor=log.person(by), sentence=sentence, stop=stopped.pk, reason=reason)


def _wait_for_starts() -> None:
    """Pass through the lock of each incident in which a worker may be about to start: it looked before the stop."""
    leased = Attempt.objects.filter(state=AttemptState.LEASED)
    for incident_id in set(leased.values_list("action__incident", flat=True)):
        with transaction.atomic():
            locked(incident_id)
