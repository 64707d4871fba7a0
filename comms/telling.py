"""Mail to the people of an incident about an entry of its log that cannot wait: once, however often it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.db.models import Exists, OuterRef

from comms import clean, drafts, notices, stepping_in, unknown_outcome
from comms.facts import facts_of
from comms.models import Notice
from incidents import clock, lifecycle
from incidents.models import EvidenceEntry, Incident
from incidents.steps import roles
from incidents.steps.base import Refused, step
from incidents.terms import Act, Kind, NoticeKind

log = structlog.get_logger()
LOOKED_BACK = timedelta(days=1)


class _Settled(Exception):
    """Told already, or not so any more."""


@dataclass(frozen=True)
class News:
    """What is mailed of one kind of entry, what its template says, to whom, and whether that is still so."""

    notice: NoticeKind
    said: Callable[[Incident, EvidenceEntry], dict[str, str]]
    people: Callable[[Incident, EvidenceEntry], list[tuple[str, str]]]
    stands: Callable[[EvidenceEntry], bool] = lambda entry: True


NEWS = {
    Kind.STEPPED_IN: News(NoticeKind.STEPPED_IN, stepping_in.said, stepping_in.people),
    Kind.ACTION_UNKNOWN: News(NoticeKind.UNKNOWN, unknown_outcome.said, unknown_outcome.people, unknown_outcome.stands),
}


def check() -> int:
    """Tell of what nobody was told of yet: a lost nudge is made good here."""
    return sum(tell(incident, seq) is not None for incident, seq in _untold())


def _untold() -> Iterator[tuple[Any, int]]:
    told = Notice.objects.filter(incident=OuterRef("chain__incident"), about=OuterRef("seq"))
    since = clock.now() - LOOKED_BACK
    # By the head's time first: of all the logs only a few were written lately.
    found = EvidenceEntry.objects.filter(~Exists(told), chain__at__gt=since, at__gt=since, kind__in=NEWS)
    open_ones = found.filter(chain__incident__phase__in=lifecycle.ALLOWED[Act.SEND_NOTICE])
    for entry in open_ones.select_related("chain__incident").order_by("pk"):
        if NEWS[Kind(entry.kind)].stands(entry):
            yield entry.chain.incident, entry.seq


def tell(incident: Incident, seq: int) -> Notice | None:
    """Mail what the entry says to those whom it concerns; None where they were told, or it is not so any more.

    Where no mail reaches any of them, whoever holds a role is told instead, and the process's log warns.
    """
    try:
        with step(incident, Act.SEND_NOTICE, by=None) as taken:
            entry = taken.incident.chain.entries.get(seq=seq)
            news = NEWS[Kind(entry.kind)]
            if Notice.objects.filter(incident=taken.incident, about=seq).exists() or not news.stands(entry):
                raise _Settled
            said = news.said(taken.incident, entry)
            written = drafts.told(news.notice, facts_of(taken.incident), said, at=taken.at)
            words = drafts.frozen(taken.incident, news.notice, written, at=taken.at)
            people = _reachable(taken.incident, entry, news)
            notice = notices.put(taken, news.notice, words, people, about=seq)
            notices.record_issued(taken, notice)
    except _Settled:
        return None
    except Refused as error:
        log.warning("telling.refused", incident=incident.pk, seq=seq, reason=str(error))
        return None
    return notice


def _reachable(incident: Incident, entry: EvidenceEntry, news: News) -> list[tuple[str, str]]:
    people = news.people(incident, entry)
    if any(_takes_mail(email) for _, email in people):
        return people
    log.warning("telling.nobody", incident=incident.pk, seq=entry.seq)
    holders = roles.current(incident).filter(user__is_active=True).order_by("role")
    return people + [(str(row.user), row.user.email) for row in holders]


def _takes_mail(email: str) -> bool:
    try:
        clean.mailbox(email)
    except clean.NotAMailbox:
        return False
    return True


def is_overtaken(notice: Notice) -> bool:
    """Whether what a notice tells of is not so any more."""
    entry = EvidenceEntry.objects.get(chain__incident=notice.incident_id, seq=notice.about or 0)
    return not NEWS[Kind(entry.kind)].stands(entry)
