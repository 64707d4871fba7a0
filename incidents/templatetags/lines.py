"""Lines of the evidence log as markup, made by one escaped join: no template runs once a row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import quote

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from incidents import clock
from incidents.board import TimelineRow
from incidents.models import Incident
from incidents.templatetags.look import icon
from incidents.terms import Kind

register = template.Library()

_CODE = re.compile(r"`([^`]+)`")
_KINDS = {str(kind): str(kind.label) for kind in Kind}
_SHOWN_APART = ("sentence", "corrects", "happened_at")


@dataclass(frozen=True)
class _Log:
    """Where the lines stand.

    Attributes:
        url: of the log's own page, where other entries are.
        known: as of which moment the log is shown, as an address says it.
        whole: whether what was recorded is folded under each line.
        may_correct: whether the reader may correct an entry.
    """

    url: str
    known: str = ""
    whole: bool = False
    may_correct: bool = False

    def link(self, seq: int, words: str) -> str:
        known = f"known={quote(self.known)}&amp;" if self.known else ""
        return f'<a href="{self.url}?{known}before={seq + 1}#entry-{seq}">{words}</a>'


@register.simple_tag
def log_lines(rows: Iterable[TimelineRow], incident: Incident) -> SafeString:
    """Lines of a timeline, a heading where the day changes."""
    log = _Log(reverse("incidents:evidence", args=[incident.reference]))
    return mark_safe("".join(_lines(rows, log)))  # noqa: S308 every value is escaped


@register.simple_tag
def log_entries(
    rows: Iterable[TimelineRow], incident: Incident, *, may_correct: bool = False, known: str = ""
) -> SafeString:
    """The same lines, each with what was recorded folded under it."""
    url = reverse("incidents:evidence", args=[incident.reference])
    log = _Log(url, known, whole=True, may_correct=may_correct)
    return mark_safe("".join(_lines(rows, log)))  # noqa: S308 every value is escaped


def _lines(rows: Iterable[TimelineRow], log: _Log) -> Iterator[str]:
    day = None
    for row in rows:
        recorded = row.at.astimezone(UTC)
        if recorded.date() != day:
            day = recorded.date()
            yield f'<li class="day">{day.day} {day:%B %Y}, UTC</li>'
        yield _line(row, recorded, log)


def _line(row: TimelineRow, recorded: datetime, log: _Log) -> str:
    moment = recorded if row.happened_at is None else row.happened_at.astimezone(UTC)
    day = "" if moment.date() == recorded.date() else f"{moment.day} {moment:%b} "
    return (
        f'<li class="{row.tone}" id="entry-{row.seq}">'
        f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{day}{moment:%H:%M}</time>'
        f"<div><p>{_words(row.sentence)}</p><small>{_note(row, log)}</small>{_record(row, log) if log.whole else ''}"
        "</div></li>"
    )


def _words(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _note(row: TimelineRow, log: _Log) -> str:
    """What the line's note says, the entry that corrects it or that it corrects as a link."""
    if not row.correction:
        return escape(row.note)
    other = row.corrected_by[-1] if row.corrected_by else row.corrects
    assert other  # noqa: S101 - a row that says which one has it
    said = escape(row.note.removesuffix(row.correction))
    sign = icon("pencil") if row.corrected_by else ""
    return f"{said}{sign} {log.link(other, row.correction)}"


def _record(row: TimelineRow, log: _Log) -> str:
    facts = "".join(_fact(name, value) for name, value in row.body.items() if name not in _SHOWN_APART)
    act = f'<p><a class="more" href="{log.url}{row.seq}/correct/">{icon("pencil")}Correct</a></p>'
    return (
        f'<details class="fold"><summary>{escape(_KINDS.get(row.kind, row.kind))}</summary><dl class="facts">'
        f"{''.join(_standing(row, log))}{_fact('recorded at', clock.stamp(row.at))}{facts}"
        f"{_fact('hash', row.hash)}{_fact('previous hash', row.prev)}</dl>{act if log.may_correct else ''}</details>"
    )


def _standing(row: TimelineRow, log: _Log) -> Iterator[str]:
    """When it happened, what was said first, struck through, and the entries that say otherwise."""
    if row.first_said:
        yield _pair("said first", f"<del>{_words(row.first_said)}</del>")
    if row.first_happened_at:
        yield _pair("dated first", f"<del><code>{clock.stamp(row.first_happened_at)}</code></del>")
    if row.happened_at or row.first_happened_at:
        yield _fact("happened at", clock.stamp(row.event_at))
    if row.corrected_by:
        yield _pair("corrected by", ", ".join(log.link(seq, f"entry {seq}") for seq in row.corrected_by))
    if row.corrects:
        yield _pair("corrects", log.link(row.corrects, f"entry {row.corrects}"))


def _fact(name: str, value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _pair(escape(name.replace("_", " ")), f"<code>{escape(shown) or '–'}</code>")


def _pair(name: str, shown: str) -> str:
    return f"<div><dt>{name}</dt><dd>{shown}</dd></div>"
