"""Issuing an update: its words are frozen, each recipient gets a copy, and the log says so, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from comms import copies, drafts, mail
from comms.clean import SUBJECT_LENGTH
from comms.drafts import PROMISING, Words
from comms.facts import facts_of
from comms.models import ISSUED, Notice, NoticeState, Recipient
from incidents import authority, clock, policy
from incidents.models import EvidenceChain, Incident
from incidents.runbook.template import MAX_RENDERED
from incidents.steps import unfreeze
from incidents.steps.base import Denied, Refused, Taken, locked, step
from incidents.terms import Act, Kind, NoticeKind, Phase

TWICE = timedelta(minutes=1)
RUNBOOK_KINDS = (NoticeKind.A, NoticeKind.B, NoticeKind.C)


# The draft ----------------------------------------------------------------------------------------------------------


def kinds_of(incident: Incident) -> tuple[NoticeKind, ...]:
    """Which updates people send in this incident: the runbook's three, or the stand-down notice."""
    return (NoticeKind.STAND_DOWN,) if incident.phase == Phase.STOOD_DOWN else RUNBOOK_KINDS


def saved(incident: Incident, kind: NoticeKind) -> Notice | None:
    """The open draft that someone wrote, if any."""
    drafts_of = Notice.objects.filter(incident=incident, kind=kind, state=NoticeState.DRAFT)
    return drafts_of.select_related("written_by").first()


def draft(incident: Incident, kind: NoticeKind, *, at: datetime | None = None) -> Words:
    """What would be said now: the saved draft, else the runbook's template filled from the live incident."""
    found = saved(incident, kind)
    if found:
        return Words(found.subject, found.body, found.next_update_at)
    return fresh(incident, kind, at=at)


def fresh(incident: Incident, kind: NoticeKind, *, at: datetime | None = None) -> Words:
    """The template filled anew, whatever was saved."""
    at = at or clock.now()
    return drafts.drafted(facts_of(incident), kind, at=at, next_update_at=drafts.next_slot(incident, at))


def save(incident: Incident, kind: NoticeKind, words: Words, *, by: Any, seen: datetime | None = None) -> Notice:
    """Keep a draft. One open draft a kind; nobody's text is written over unread.

    Args:
        seen: when the draft that the person began from was written; None where there was none.
    """
    _writing(incident, by)
    if found := word_blockers(words):
        raise Refused(*found)
    with transaction.atomic():
        locked(incident.pk)
        kept = saved(incident, kind) or Notice(incident=incident, kind=kind)
        if not kept._state.adding and kept.written_by_id != by.pk and kept.written_at != seen:
            raise Refused(
                f"{kept.written_by} saved this draft at {kept.written_at:%H:%M:%S} UTC while you were writing."
            )
        kept.subject, kept.body, kept.next_update_at = words.subject, words.body, words.next_update_at
        kept.written_by, kept.written_at = by, clock.now()
        kept.save()
    return kept


def _writing(incident: Incident, by: Any) -> None:
    if authority.can(by, Act.SEND_NOTICE, incident) is None:
        raise Denied(f"{Act.SEND_NOTICE.label} is for the {policy.who_may(Act.SEND_NOTICE)} of this incident.")


def discard(incident: Incident, kind: NoticeKind, *, by: Any) -> None:
    """Drop the saved draft: the template is filled from the live incident again."""
    _writing(incident, by)
    Notice.objects.filter(incident=incident, kind=kind, state=NoticeState.DRAFT).delete()


def preview(incident: Incident, kind: NoticeKind, words: Words, *, at: datetime | None = None) -> mail.Letter:
    """The letter as it would arrive."""
    final = drafts.frozen(incident, kind, words, at=at or clock.now())
    return mail.written(incident, kind, final, EvidenceChain.objects.get(incident=incident))


# What stands against issuing it -------------------------------------------------------------------------------------


def recipients(incident: Incident) -> list[Recipient]:
    return list(Recipient.objects.filter(product=incident.product_id, active=True))


def blockers(incident: Incident, kind: NoticeKind) -> list[str]:
    """Why this update cannot be issued now, whatever it says."""
    found = [] if recipients(incident) else [f"{incident.product} has no active recipient: add one first."]
    return found + _order_blockers(incident, kind)


def _order_blockers(incident: Incident, kind: NoticeKind) -> list[str]:
    if kind not in kinds_of(incident):
        return [_out_of_place(incident, kind)]
    if kind == NoticeKind.B and not _is_issued(incident, NoticeKind.A):
        return ["Update A comes first: stakeholders do not know of the rollback yet."]
    return unfreeze.informed_but_for_c(incident) if kind == NoticeKind.C else []


def _out_of_place(incident: Incident, kind: NoticeKind) -> str:
    if incident.phase == Phase.STOOD_DOWN:
        return "The incident is stood down: send the stand-down notice."
    if kind == NoticeKind.STAND_DOWN:
        return "The incident is not stood down."
    return "Lastgood sends the reminder by itself."


def _is_issued(incident: Incident, kind: NoticeKind) -> bool:
    return Notice.objects.filter(incident=incident, kind=kind, state__in=ISSUED).exists()


def promise_blockers(kind: NoticeKind, next_update_at: datetime | None, at: datetime) -> list[str]:
    """A and B promise the next update; C and the stand-down notice end the promise."""
    if kind in PROMISING and next_update_at is None:
        return [f"Update {kind.value} promises the next update: say when."]
    if kind in PROMISING and next_update_at is not None and next_update_at <= at:
        return ["The next update must be promised for a time to come."]
    if kind not in PROMISING and next_update_at is not None:
        return ["This update promises no next one: leave the time empty."]
    return []


def word_blockers(words: Words) -> list[str]:
    found = []
    if not words.subject.strip() or not words.body.strip():
        found.append("An update needs a subject and a text.")
    if len(words.subject) > SUBJECT_LENGTH:
        found.append(f"The subject is longer than {SUBJECT_LENGTH} characters.")
    if len(words.body) > MAX_RENDERED:
        found.append(f"The text is longer than {MAX_RENDERED} characters.")
    return found


def _said_just_now(taken: Taken, kind: NoticeKind, words: Words) -> list[str]:
    """A form sent twice is one update."""
    last = Notice.objects.filter(incident=taken.incident, kind=kind).issued().last()
    same = last is not None and (last.words_sha256, last.next_update_at) == (digest(words), words.next_update_at)
    if last is None or not same or last.state == NoticeState.FAILED:
        return []
    assert last.issued_at  # noqa: S101 - issued
    just_now = taken.at - last.issued_at < TWICE
    return [f"This very update was issued at {last.issued_at:%H:%M:%S} UTC."] if just_now else []


# Issuing it ---------------------------------------------------------------------------------------------------------


def issue(
    incident: Incident, kind: NoticeKind, *, subject: str, body: str, next_update_at: datetime | None, by: Any
) -> Notice:
    """Send one update to the product's recipients (runbook, communication templates).

    Raises:
        Refused: nobody to tell, out of order, or without a promise that it must make; nothing is queued.
    """
    with step(incident, Act.SEND_NOTICE, by=by) as taken:
        people = recipients(taken.incident)
        taken.refuse_if(blockers(taken.incident, kind) + promise_blockers(kind, next_update_at, taken.at))
        written = drafts.tidied(Words(subject, body, next_update_at))
        taken.refuse_if(word_blockers(written))
        words = drafts.frozen(taken.incident, kind, written, at=taken.at)
        taken.refuse_if(word_blockers(words) + _said_just_now(taken, kind, words))
        notice = put(taken, kind, words, [(person.name, person.email) for person in people])
        record_issued(taken, notice)
    return notice


def put(
    taken: Taken,
    kind: NoticeKind,
    words: Words,
    people: Sequence[tuple[str, str]],
    *,
    slot: datetime | None = None,
    about: int | None = None,
) -> Notice:
    """Freeze the words and queue a copy for each person. Part of the step's transaction.

    Args:
        slot, about: the promised time, or the entry's number, of which one of our own tells once.
    """
    kept = saved(taken.incident, kind) or Notice(kind=kind)
    kept.incident = taken.incident
    kept.subject, kept.body, kept.next_update_at = words.subject, words.body, words.next_update_at
    kept.words_sha256 = digest(words)
    kept.state, kept.slot, kept.about = NoticeState.SENDING, slot, about
    kept.written_by, kept.written_at, kept.issued_at = taken.by, taken.at, taken.at
    kept.sequence = Notice.objects.filter(incident=taken.incident, state__in=ISSUED).count() + 1
    kept.save()
    copies.queue(taken, kept, words, people)
    return kept


def digest(words: Words) -> str:
    """SHA-256 of what was said: the subject, an empty line, the body."""
    return hashlib.sha256(f"{words.subject}\n\n{words.body}".encode()).hexdigest()


def record_issued(taken: Taken, notice: Notice) -> None:
    copies = notice.deliveries.order_by("message_id").values_list("message_id", "sha256")
    frozen = [{"message_id": message_id, "sha256": sha256} for message_id, sha256 in copies]
    number = len(frozen)
    people = "1 recipient" if number == 1 else f"{number} recipients"
    promised = notice.next_update_at.isoformat() if notice.next_update_at else None
    taken.record(
        Kind.NOTICE_ISSUED,
        f"{notice.name} issued to {people}: {notice.subject}",
        notice=notice.kind,
        notice_id=str(notice.pk),
        next_update_at=promised,
        subject=notice.subject,
        words_sha256=notice.words_sha256,
        recipients=number,
        copies=frozen,
        about=notice.about,
    )
