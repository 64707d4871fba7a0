"""Lines of the evidence log as markup, made by one escaped join: no template runs once a row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from incidents import clock
from incidents.board import TimelineRow
from incidents.terms import Kind

register = template.Library()

_CODE = re.compile(r"`([^`]+)`")
_KINDS = {str(kind): str(kind.label) for kind in Kind}


@register.simple_tag
def log_lines(rows: Iterable[TimelineRow]) -> SafeString:
    """Lines of a timeline, a heading where the day changes."""
    return mark_safe("".join(_lines(rows, whole=False)))  # noqa: S308 every value is escaped


@register.simple_tag
def log_entries(rows: Iterable[TimelineRow]) -> SafeString:
    """The same lines, each with what was recorded folded under it."""
    return mark_safe("".join(_lines(rows, whole=True)))  # noqa: S308 every value is escaped


def _lines(rows: Iterable[TimelineRow], *, whole: bool) -> Iterable[str]:
    day = None
    for row in rows:
        moment = row.at.astimezone(UTC)
        if moment.date() != day:
            day = moment.date()
            yield f'<li class="day">{day.day} {day:%B %Y}, UTC</li>'
        yield _line(row, moment, _record(row) if whole else "")


def _line(row: TimelineRow, moment: datetime, record: str) -> str:
    return (
        f'<li class="{row.tone}" id="entry-{row.seq}">'
        f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{moment:%H:%M}</time>'
        f"<div><p>{_words(row.sentence)}</p><small>{escape(row.note)}</small>{record}</div></li>"
    )


def _words(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _record(row: TimelineRow) -> str:
    facts = "".join(_fact(name, value) for name, value in row.body.items() if name != "sentence")
    return (
        f'<details class="fold"><summary>{escape(_KINDS.get(row.kind, row.kind))}</summary><dl class="facts">'
        f"{_fact('recorded at', clock.stamp(row.at))}{facts}{_fact('hash', row.hash)}{_fact('previous hash', row.prev)}"
        "</dl></details>"
    )


def _fact(name: str, value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"<div><dt>{escape(name.replace('_', ' '))}</dt><dd><code>{escape(shown) or '–'}</code></dd></div>"
