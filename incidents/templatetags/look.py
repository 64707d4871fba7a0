"""The small parts that every page shares: signs, states, levels, times, people. `docs/look.md` shows each in use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from django import template
from django.forms import BoundField, widgets
from django.template import Context
from django.utils import timezone
from django.utils.html import conditional_escape, escape, format_html
from django.utils.safestring import SafeString, mark_safe

from incidents.evidence import scanner
from incidents.models import Attachment
from incidents.terms import ScanState

register = template.Library()

SPRITE = Path(__file__).resolve().parents[2] / "static" / "icons" / "sprite.svg"

SIGNS = {
    "ok": "check",
    "bad": "cross",
    "due": "due",
    "wait": "wait",
    "run": "spin",
    "now": "dot",
    "unknown": "question",
    "frozen": "lock",
    "muted": "minus",
}

# The words that rows and outcomes carry, each with the one kind it looks like.
KINDS = {
    **{kind: kind for kind in SIGNS},
    **dict.fromkeys(("done", "pass", "passed", "succeeded", "confirmed", "accepted", "sent", "holds", "allow"), "ok"),
    **dict.fromkeys(("fail", "failed", "error", "denied", "deny", "overdue", "broken", "stale"), "bad"),
    **dict.fromkeys(("open", "todo", "next", "draft", "proposed", "missing", "warning"), "due"),
    **dict.fromkeys(("planned", "approved", "queued", "leased", "not_run", "pending", "waiting"), "wait"),
    **dict.fromkeys(("running", "started", "sending", "info"), "run"),
    **dict.fromkeys(("declared", "targeted", "rolling_back", "verifying", "unfreezing", "review"), "now"),
    **dict.fromkeys(("waived", "cancelled", "skipped", "lifted", "closed", "stood_down", "debug"), "muted"),
}


@register.filter
def kind_of(word: object) -> str:
    """The kind that a state, outcome or message level looks like; what is not known looks muted."""
    return KINDS.get(str(word), "muted")


KIND_WORDS = {
    "ok": "Done",
    "bad": "Failed",
    "due": "Due",
    "wait": "Waits",
    "run": "Running",
    "now": "Under way",
    "unknown": "Outcome unknown",
    "frozen": "Frozen",
    "muted": "Not due",
}


@register.filter
def kind_word(kind: str) -> str:
    """The word a kind is read aloud as, where only its sign is drawn."""
    return KIND_WORDS[kind_of(kind)]


@register.filter
def sign_of(word: object) -> str:
    return SIGNS[kind_of(word)]


@register.filter
def scanned(attachment: Attachment) -> SafeString:
    """What the virus scanner said of a file, in one word."""
    word = scanner.WORDS[ScanState(attachment.scan)]
    note = attachment.scan_note
    return format_html('<span title="{}">{}</span>', note, word) if note else escape(word)


# Signs and states -------------------------------------------------------------------------------------------------


@cache
def drawings() -> Mapping[str, str]:
    symbols = re.findall(r'<symbol id="([\w-]+)" viewBox="0 0 16 16">(.*?)</symbol>', SPRITE.read_text(), re.DOTALL)
    return dict(symbols)


@register.simple_tag
@lru_cache(512)
def icon(name: str, label: str = "") -> SafeString:
    """One drawing of `static/icons/sprite.svg`, inline: no request, takes the colour of the text around it."""
    drawing = mark_safe(drawings()[name])  # noqa: S308 our own file
    if label:
        return format_html('<svg class="icon" viewBox="0 0 16 16" role="img" aria-label="{}">{}</svg>', label, drawing)
    return format_html('<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">{}</svg>', drawing)


@register.filter
def code_spans(text: object) -> SafeString:
    """Plain text, escaped, with its `backticked` words set as code: the one mark that the runbook uses."""
    escaped = text if isinstance(text, SafeString) else escape(str(text))
    return mark_safe(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))  # noqa: S308 escaped in the line above


@register.simple_tag
def state(kind: object, word: object) -> SafeString:
    """A pill that says a state three times: sign, word and colour."""
    kind = kind_of(kind)
    return format_html('<span class="state {}">{}{}</span>', kind, icon(SIGNS[kind]), word)


@register.simple_tag
def level(code: object, name: object = "") -> SafeString:
    """The scope level, always with its name: `{% level incident.level %}` or `{% level "L2" "Code and data" %}`."""
    value = str(getattr(code, "value", code))
    words = str(name or getattr(code, "label", "")).removeprefix(value).strip()
    return format_html('<span class="level {}"><b>{}</b> <span>{}</span></span>', value.lower(), value, words)


# Times ------------------------------------------------------------------------------------------------------------


def in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if timezone.is_naive(value) else value.astimezone(UTC)


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def day_words(value: date, today: date) -> str:
    words = f"{value.day} {value:%b}"
    return words if value.year == today.year else f"{words} {value.year}"


@register.simple_tag
def utc(value: datetime | date | None, form: str = "") -> SafeString:
    """A moment in UTC, dated when it is not today; the browser adds local time.

    `form` is one of: "" for 14:32 UTC, "seconds" for 14:32:07 UTC, "date" for 20 Feb 2026 14:32 UTC whatever day it
    is, "bare" for 14:32 without the name, where a heading says UTC.
    """
    if value is None:
        return mark_safe('<span class="quiet">–</span>')
    if not isinstance(value, datetime):
        return format_html('<time datetime="{}">{}</time>', value.isoformat(), f"{value.day} {value:%b %Y}")
    moment = in_utc(value)
    today = timezone.now().astimezone(UTC).date()
    clock = f"{moment:%H:%M:%S}" if form == "seconds" else f"{moment:%H:%M}"
    if form == "date":
        clock = f"{moment.day} {moment:%b %Y} {clock}"
    elif moment.date() != today:
        clock = f"{day_words(moment.date(), today)} {clock}"
    if form == "bare":
        return format_html('<time datetime="{}">{}</time>', stamp(moment), clock)
    return format_html('<time datetime="{}" data-local>{} UTC</time>', stamp(moment), clock)


def span_words(seconds: float) -> str:
    """41 s, 3 min 10 s, 1 h 18 min, 2 d 3 h: two units, so that a glance is enough."""
    whole = max(0, int(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days} d {hour} h"
    if hours:
        return f"{hours} h {minute} min"
    if minutes >= 10:
        return f"{minutes} min"
    return f"{minutes} min {second} s" if minutes else f"{second} s"


@register.filter
def span(value: timedelta | float | None) -> str:
    """A length of time in words, from a timedelta or seconds."""
    if value is None:
        return "–"
    return span_words(value.total_seconds() if isinstance(value, timedelta) else value)


@register.simple_tag
def elapsed(since: datetime | None) -> SafeString:
    """How long ago, counted on by the browser."""
    if since is None:
        return mark_safe('<span class="quiet">–</span>')
    moment = in_utc(since)
    words = span_words((timezone.now() - moment).total_seconds())
    return format_html('<time datetime="{}" data-since>{}</time>', stamp(moment), words)


@register.simple_tag
def until(due: datetime | None) -> SafeString:
    """How long until, counted down by the browser; once past, it says how late."""
    if due is None:
        return mark_safe('<span class="quiet">–</span>')
    moment = in_utc(due)
    left = (moment - timezone.now()).total_seconds()
    words = span_words(left) if left >= 0 else f"{span_words(-left)} late"
    late = mark_safe(' class="late"') if left < 0 else ""
    return format_html('<time datetime="{}" data-until{}>{}</time>', stamp(moment), late, words)


@register.simple_tag
def clock() -> SafeString:
    """The bar's clock: right when the page was made, kept going by `clock.js`."""
    now = in_utc(timezone.now())
    return format_html(
        '<time class="clock" datetime="{}" data-clock>{}<span class="clock-s">:{}</span></time>',
        stamp(now),
        f"{now:%H:%M}",
        f"{now:%S}",
    )


# People and places ------------------------------------------------------------------------------------------------


@register.filter
def initials(person: object) -> str:
    """Two letters for a person, `?` for nobody."""
    name = full_name(person)
    words = [word for word in re.split(r"[\s.@_-]+", name.partition("@")[0]) if word]
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"


@register.filter
def full_name(person: object) -> str:
    naming = getattr(person, "get_full_name", None)
    return str((naming() if naming else "") or person or "")


@register.simple_tag
def avatar(person: object) -> SafeString:
    """A disc with initials, decorative: the name always stands beside it. Nobody is a dashed question mark."""
    kind = "avatar" if person else "avatar nobody"
    return format_html('<span class="{}" aria-hidden="true">{}</span>', kind, initials(person))


@register.simple_tag
def digest(value: object, length: int = 12) -> SafeString:
    """A hash, shortened for the eye in groups of four, whole on copying and in the title."""
    text = str(value)
    groups = " ".join(text[i : i + 4] for i in range(0, min(length, len(text)), 4))
    more = "…" if len(text) > length else ""
    return format_html('<code class="digest" title="{}">{}{}</code>', text, groups, more)


@register.simple_tag(takes_context=True)
def here(context: Context, prefix: str) -> SafeString | str:
    """`aria-current` for a link whose pages begin with `prefix`; the board's `/` stands only for itself."""
    path = getattr(context.get("request"), "path", "")
    if path == prefix:
        return mark_safe('aria-current="page"')
    return mark_safe('aria-current="true"') if prefix != "/" and path.startswith(prefix) else ""


# Cards and fields -------------------------------------------------------------------------------------------------


@register.simple_block_tag
def card(
    content: str, title: str = "", *, name: str = "", kind: str = "", span: int = 0, note: str = "", count: object = ""
) -> SafeString:
    """A titled surface. `name` is its id, `kind` colours its upper edge, `span` is its width in a `.grid`."""
    classes = " ".join(word for word in ("card", kind, f"span-{span}" if span else "") if word)
    label = format_html(' id="{0}" aria-labelledby="{0}-title"', name) if name and title else ""
    head = card_head(title, name, kind, note, count) if title else ""
    return format_html('<section class="{}"{}>{}{}</section>', classes, label, head, conditional_escape(content))


def card_head(title: str, name: str, kind: str, note: str, count: object) -> SafeString:
    own = format_html(' id="{}-title"', name) if name else ""
    loud = "" if kind == "bad" else " quiet-count"
    number = "" if count in ("", None) else format_html(' <span class="count{}">{}</span>', loud, count)
    aside = format_html('<span class="card-note">{}</span>', note) if note else ""
    return format_html('<header class="card-head"><h2{}>{}{}</h2>{}</header>', own, title, number, aside)


WIDGET_KINDS: tuple[tuple[type[widgets.Widget], str], ...] = (
    (widgets.CheckboxSelectMultiple, "checks"),
    (widgets.RadioSelect, "choices"),
    (widgets.CheckboxInput, "tick"),
    (widgets.FileInput, "file"),
    (widgets.Textarea, "long"),
    (widgets.Select, "select"),
    (widgets.SplitDateTimeWidget, "moment-pair"),
    (widgets.DateTimeInput, "moment"),
)


@register.filter
def widget_kind(field: BoundField) -> str:
    widget = field.field.widget
    if getattr(widget, "input_type", "") == "datetime-local":
        return "moment"
    return next((kind for type_, kind in WIDGET_KINDS if isinstance(widget, type_)), "line")


@register.filter
def choice_help(choice: Any, descriptions: Mapping[str, str] | None) -> str:
    """The sentence under one choice, from a mapping of the choice's value to it."""
    return str((descriptions or {}).get(str(choice.data["value"]), ""))


@register.inclusion_tag("components/_field.html")
def field(
    field: BoundField,
    *,
    descriptions: Mapping[str, str] | None = None,
    prefix: str = "",
    suffix: str = "",
    note: str = "",
) -> dict[str, object]:
    """One form field with label, help, widget and errors. `descriptions` turns choices into cards."""
    return {"field": field, "descriptions": descriptions, "prefix": prefix, "suffix": suffix, "note": note}
