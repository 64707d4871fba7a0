"""What Alertmanager and CI systems send, read into texts that can be kept and shown.

Nothing of it is believed: a text becomes one bounded line without control or direction marks, a link is http(s) or
none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from incidents.steps.suggest import Told
from incidents.terms import Source

MOST_FACTS = 20
MOST_ALERTS = 20
TITLE, TEXT, LINK, NAME, VALUE = 200, 1000, 500, 80, 200
TRIGGER_LABEL = "lastgood_trigger"
_UNNAMED = "An alert without a name"


def line(value: Any, longest: int) -> str:
    """A text as one line of at most so many characters; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    words = "".join(char for char in " ".join(value[: 20 * longest].split()) if char.isprintable()).strip()
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def link(value: Any) -> str:
    """A web address that can be shown as a link; empty for everything else."""
    if not (isinstance(value, str) and len(value) <= LINK and value.isascii() and value.isprintable()):
        return ""
    try:
        parts = urlsplit(value)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ""
    is_plain = parts.scheme in ("http", "https") and "@" not in parts.netloc and not set(value) & set(' <>"`\\')
    return value if is_whole and is_plain else ""


def of_alertmanager(sent: Mapping[str, Any]) -> Told:
    """A notification of Alertmanager's webhook receiver, version 4; what is missing or of another type is left out."""
    alerts = [alert for alert in _list(sent.get("alerts")) if isinstance(alert, Mapping)]
    labels, notes = _texts(sent.get("commonLabels")), _texts(sent.get("commonAnnotations"))
    first = alerts[0] if alerts else {}
    name = _title({**_texts(first.get("labels")), **labels}, {**_texts(first.get("annotations")), **notes})
    told = [_alert(alert, labels) for alert in alerts[:MOST_ALERTS]]
    links = (first.get("generatorURL"), sent.get("externalURL"))
    return Told(
        source=Source.ALERTMANAGER,
        key=_key(_group(sent, alerts)),
        title=name,
        is_resolved=sent.get("status") == "resolved",
        text=line(notes.get("description"), TEXT),
        link=next(filter(None, map(link, links)), ""),
        trigger=line(labels.get(TRIGGER_LABEL), 40),
        facts=_pairs({"alerts": str(len(alerts))} | labels),
        alerts=told,
    )


def of_pipeline(
    *,
    pipeline: str,
    state: str,
    run: str = "",
    url: str = "",
    commit: str = "",
    step: str = "",
    branch: str = "",
    summary: str = "",
) -> Told:
    """A failing CI job: the same pipeline on the same branch is the same suggestion, and its next success ends it."""
    name = line(pipeline, NAME) or "A pipeline"
    where = f" at “{line(step, NAME)}”" if step else ""
    return Told(
        source=Source.CI,
        key=_key([pipeline, branch]),
        title=line(f"{name} fails{where}{f' on {line(branch, NAME)}' if branch else ''}", TITLE),
        is_resolved=state == "passed",
        text=line(summary, TEXT),
        link=link(url),
        trigger="ci_failure",
        facts=_pairs({"pipeline": pipeline, "step": step, "branch": branch, "commit": commit, "run": run}),
    )


def _title(labels: Mapping[str, str], notes: Mapping[str, str]) -> str:
    name, summary = labels.get("alertname", ""), notes.get("summary", "")
    return line(f"{name}: {summary}" if name and summary else name or summary, TITLE) or _UNNAMED


def _alert(alert: Mapping[str, Any], common: Mapping[str, str]) -> dict[str, str]:
    """One alert of the group, with what tells it from the others."""
    labels, notes = _texts(alert.get("labels")), _texts(alert.get("annotations"))
    own = [f"{name} {labels[name]}" for name in sorted(labels.keys() - common.keys())]
    return {
        "title": _title(labels, notes),
        "own": line(", ".join(own), VALUE),
        "status": "resolved" if alert.get("status") == "resolved" else "firing",
        "since": _moment(alert.get("startsAt")),
        "link": link(alert.get("generatorURL")),
    }


def _moment(value: Any) -> str:
    """A time of RFC 3339 in UTC, to the minute; empty for what is none."""
    try:
        return f"{datetime.fromisoformat(line(value, 40)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError):
        return ""


def _group(sent: Mapping[str, Any], alerts: list[Mapping[str, Any]]) -> Iterable[str]:
    """What Alertmanager calls the group; a payload that was made by hand may name its alerts alone."""
    group = sent.get("groupKey")
    if isinstance(group, str) and group:
        return [group]
    return sorted(str(alert.get("fingerprint") or sorted(_texts(alert.get("labels")).items())) for alert in alerts)


def _key(parts: Iterable[str]) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()


def _pairs(named: Mapping[str, str]) -> list[list[str]]:
    shown = ([line(name, NAME), line(value, VALUE)] for name, value in list(named.items())[:MOST_FACTS])
    return [[name, value] for name, value in shown if name and value]


def _texts(value: Any) -> dict[str, str]:
    found = value.items() if isinstance(value, Mapping) else ()
    return {name: text for name, text in found if isinstance(name, str) and isinstance(text, str)}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
