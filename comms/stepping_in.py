"""Word to the people of an incident that an administrator took a role in it: once, however often it is asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef

from comms import drafts, notices
from comms.facts import facts_of
from comms.models import Notice
from incidents import clock, lifecycle
from incidents.models import EvidenceEntry, Incident
from incidents.steps import roles
from incidents.steps.base import Refused, step
from incidents.terms import Act, Kind, NoticeKind, Role

LOOKED_BACK = timedelta(days=1)


def check() -> int:
    """Tell of what nobody was told of yet: a lost nudge is made good here."""
    return sum(tell(incident_id, seq) is not None for incident_id, seq in _untold())


def _untold() -> list[tuple[int, int]]:
    told = Notice.objects.filter(incident=OuterRef("chain__incident"), kind=NoticeKind.STEPPED_IN, slot=OuterRef("at"))
    since = clock.now() - LOOKED_BACK
    taken = EvidenceEntry.objects.filter(~Exists(told), kind=Kind.STEPPED_IN, at__gt=since)
    open_ones = taken.filter(chain__incident__phase__in=lifecycle.ALLOWED[Act.SEND_NOTICE])
    return list(open_ones.order_by("pk").values_list("chain__incident", "seq"))


def tell(incident_id: int, seq: int) -> Notice | None:
    """Mail everybody who holds or held that role, or holds another, what the entry says."""
    incident = Incident.objects.get(pk=incident_id)
    try:
        with step(incident, Act.SEND_NOTICE, by=None) as taken:
            entry = taken.incident.chain.entries.get(seq=seq)
            if Notice.objects.filter(incident=taken.incident, kind=NoticeKind.STEPPED_IN, slot=entry.at).exists():
                raise Refused("They were told of this.")
            written = drafts.stepped_in(facts_of(taken.incident), _said(entry), at=taken.at)
            words = drafts.frozen(taken.incident, NoticeKind.STEPPED_IN, written, at=taken.at)
            notice = notices.put(taken, NoticeKind.STEPPED_IN, words, _people(taken.incident, entry), slot=entry.at)
            notices.record_issued(taken, notice)
    except Refused:
        return None
    return notice


def _said(entry: EvidenceEntry) -> dict[str, str]:
    known = {str(user.public_id): str(user) for user in _users(entry)}
    return {
        "role": str(Role(entry.body["role"]).label),
        "person": known.get(entry.body["new"], "Somebody"),
        "before": known.get(entry.body["old"] or "", "nobody"),
        "reason": str(entry.body["reason"]).rstrip("."),
        "taken_at": clock.utc_text(entry.at),
    }


def _users(entry: EvidenceEntry) -> list[Any]:
    named = [entry.body[name] for name in ("old", "new") if entry.body[name]]
    return list(get_user_model().objects.filter(public_id__in=named))


def _people(incident: Incident, entry: EvidenceEntry) -> list[tuple[str, str]]:
    """Each once: who holds a role, who lost this one, and whoever took it."""
    holders = [row.user for row in roles.current(incident).order_by("role")]
    people = {user.pk: (str(user), user.email) for user in [*holders, *_users(entry)] if user.is_active}
    return list(people.values())
