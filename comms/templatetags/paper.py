"""Parts of the printed report: states, times and hashes as paper shows them, without a browser's help."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from incidents.templatetags.look import kind_of, span_words

register = template.Library()
# A time is never torn apart at the end of a line.
NBSP = "\u00a0"

SIGNS = {
    "ok": "✓",
    "bad": "✗",
    "due": "!",
    "wait": "○",
    "run": "▶",
    "unknown": "?",
    "frozen": "●",
    "muted": "–",
}


@register.simple_tag
def pill(state: object, word: object) -> SafeString:
    """A state: sign, word and colour, so that it survives a grey printer."""
    kind = kind_of(state)
    return format_html('<span class="pill {}">{} {}</span>', kind, SIGNS[kind], word)


@register.simple_tag
def tick(holds: object) -> SafeString:
    """Done or not, before a sentence of the runbook."""
    return format_html('<b class="tick {}">{}</b>', "ok" if holds else "due", "✓" if holds else "!")


@register.filter
def day(moment: date | None) -> str:
    """24 November 2026"""
    return f"{moment.day} {moment:%B %Y}" if moment else "–"


@register.filter
def at(moment: datetime | None) -> str:
    """24 Nov 2026, 14:30 UTC"""
    if moment is None:
        return "–"
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y}, {moment:%H:%M} UTC".replace(" ", NBSP)


@register.filter
def at_second(moment: datetime | None) -> str:
    """24 Nov 2026, 14:30:07 UTC"""
    if moment is None:
        return "–"
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y}, {moment:%H:%M:%S} UTC".replace(" ", NBSP)


@register.filter
def iso(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else ""


@register.filter
def lasted(since: datetime | None, until: datetime | None) -> str:
    """1 h 18 min from one moment to another."""
    if since is None or until is None:
        return "–"
    length: timedelta = until - since
    return span_words(length.total_seconds()).replace(" ", NBSP)


@register.filter
def groups(value: object, length: int = 64) -> str:
    """A hash in groups of four, as people compare it."""
    text = str(value)[:length]
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))
