"""The promise of the next update: when it is due, and one reminder when it was not kept (runbook, status cadence)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from comms import drafts, notices
from comms.facts import facts_of
from comms.models import Notice
from incidents import clock, lifecycle
from incidents.models import Incident
from incidents.steps import roles, unfreeze
from incidents.steps.base import Refused, step
from incidents.terms import Act, NoticeKind, Role

REMINDED = (Role.COMMUNICATIONS_OWNER, Role.COMMANDER)


def overdue_slot(incident: Incident, at: datetime) -> datetime | None:
    """The promised time that has passed by more than the grace, or None."""
    slot = unfreeze.next_update_due(incident)
    grace = timedelta(seconds=settings.OVERDUE_GRACE_SECONDS)
    return slot if slot and at > slot + grace else None


def check() -> int:
    """Remind where a promise was not kept. After an outage there is one slot, so one reminder."""
    return sum(_checked(incident) for incident in Incident.objects.filter(phase__in=lifecycle.OPEN))


def _checked(incident: Incident) -> bool:
    slot = overdue_slot(incident, clock.now())
    return slot is not None and not _is_reminded(incident, slot) and remind(incident) is not None


def _is_reminded(incident: Incident, slot: datetime) -> bool:
    return Notice.objects.filter(incident=incident, kind=NoticeKind.REMINDER, slot=slot).exists()


def remind(incident: Incident) -> Notice | None:
    """Mail the Communications Owner and the commander that the promised update is overdue: once for each slot."""
    try:
        with step(incident, Act.SEND_NOTICE, by=None) as taken:
            slot = overdue_slot(taken.incident, taken.at)
            if slot is None or _is_reminded(taken.incident, slot):
                raise Refused("This slot needs no reminder.")
            written = drafts.reminder(facts_of(taken.incident), slot, at=taken.at)
            words = drafts.frozen(taken.incident, NoticeKind.REMINDER, written, at=taken.at)
            people = reminded(taken.incident)
            notice = notices.put(taken, NoticeKind.REMINDER, words, people, slot=slot)
            notices.record_issued(taken, notice)
    except Refused:
        return None
    return notice


def is_superseded(reminder: Notice) -> bool:
    """Whether the promise it speaks of is no longer the one that stands: then what it says is not true any more."""
    return unfreeze.next_update_due(reminder.incident) != reminder.slot


def reminded(incident: Incident) -> list[tuple[str, str]]:
    """Names and addresses of the Communications Owner and the commander, whoever was to send the update."""
    held = roles.current(incident).filter(role__in=REMINDED).order_by("role")
    return [(str(row.user), row.user.email) for row in held]
