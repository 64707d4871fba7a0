"""The words of an update before it is issued: drafted from the live incident, then as they will be frozen."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.template.loader import render_to_string

from comms import clean, words
from comms.facts import Facts
from incidents import clock
from incidents.models import Incident
from incidents.runbook.template import render
from incidents.terms import NoticeKind

PROMISING = frozenset({NoticeKind.A, NoticeKind.B})
DRILL_SUBJECT = "DRILL - "
DRILL_LINE = "DRILL: this is an exercise, not a real incident."
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")
_NEXT_UPDATE = re.compile(r"^Next update:.*$", re.MULTILINE)


@dataclass(frozen=True)
class Words:
    """What an update says, and when it promises the next one."""

    subject: str
    body: str
    next_update_at: datetime | None = None


def next_slot(incident: Incident, at: datetime) -> datetime:
    """When an update sent now would promise the next one, to the minute that people read."""
    return (at + timedelta(minutes=incident.product.cadence_minutes)).replace(second=0, microsecond=0)


def drafted(facts: Facts, kind: NoticeKind, *, at: datetime, next_update_at: datetime | None) -> Words:
    """An update as the runbook's template says it, from what is true now."""
    promised = next_update_at if kind in PROMISING else None
    values = words.values(facts, at=at, next_update_at=promised)
    if kind == NoticeKind.STAND_DOWN:
        return _own(kind, values | _stand_down(facts))
    text, lists = facts.book.notices[kind.value], words.lists(facts)
    subject = render(text.subject, values=values, lists=lists)
    return Words(clean.one_line(subject), clean.block(render(text.body, values=values, lists=lists)), promised)


def reminder(facts: Facts, slot: datetime, *, at: datetime) -> Words:
    """What the Communications Owner and the commander read when a promised update is overdue."""
    values = words.values(facts, at=at, next_update_at=None)
    url = facts.url.rstrip("/") + "/notices/"
    return _own(NoticeKind.REMINDER, values | {"slot": clock.utc_text(slot), "notices_url": url})


def told(kind: NoticeKind, facts: Facts, said: dict[str, str], *, at: datetime) -> Words:
    """What the people of an incident read of one entry of its log.

    Args:
        said: what the entry says, by the names that the template has.
    """
    values = words.values(facts, at=at, next_update_at=None)
    return _own(kind, values | {name: clean.one_line(text) for name, text in said.items()})


def _own(kind: NoticeKind, values: dict[str, str]) -> Words:
    subject, body = (render_to_string(f"email/{kind.value}/{part}.txt", values) for part in ("subject", "body"))
    return Words(clean.one_line(subject), clean.block(body))


def _stand_down(facts: Facts) -> dict[str, str]:
    ended = facts.stood_down
    return {
        "declared_at": clock.utc_text(facts.declared_at),
        "stood_down_at": clock.utc_text(ended.at) if ended else "not stood down",
        "reason": clean.one_line(ended.reason).rstrip(".") if ended else "none given",
    }


def tidied(written: Words) -> Words:
    """The words without what no mail may hold: controls, line breaks in the subject, bidi marks."""
    return replace(written, subject=clean.one_line(written.subject), body=clean.block(written.body))


def frozen(incident: Incident, kind: NoticeKind, written: Words, *, at: datetime) -> Words:
    """The words exactly as they are sent: cleaned, the time of sending, the promise and the drill mark in them.

    A preview shows the same, so nobody sends what they have not read.
    """
    found = tidied(written)
    if kind not in PROMISING:
        found = replace(found, next_update_at=None)
    if _is_dated(incident, kind):
        found = replace(found, subject=_TIME.sub(clock.utc_text(at), found.subject))
    if found.next_update_at:
        line = f"Next update: {clock.utc_text(found.next_update_at)}."
        found = replace(found, body=_with_promise(found.body, line))
    return _marked_as_drill(found) if incident.drill else found


def _is_dated(incident: Incident, kind: NoticeKind) -> bool:
    """Whether the subject names the time of sending: as the runbook's template does, and our stand-down notice."""
    text = incident.book.notices.get(kind.value)
    return "{{ now }}" in text.subject if text else kind == NoticeKind.STAND_DOWN


def _with_promise(body: str, line: str) -> str:
    if line in body:
        return body
    if _NEXT_UPDATE.search(body):
        return _NEXT_UPDATE.sub(lambda _: line, body)
    return body + line + "\n"


def _marked_as_drill(found: Words) -> Words:
    subject = found.subject if found.subject.startswith(DRILL_SUBJECT) else DRILL_SUBJECT + found.subject
    body = found.body if found.body.startswith(DRILL_LINE) else f"{DRILL_LINE}\n\n{found.body}"
    return replace(found, subject=subject, body=body)
