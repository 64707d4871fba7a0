"""What anybody may know of a product: bounded facts only, never a word that a person typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incidents import lifecycle
from incidents.board.parts import MeasureState
from incidents.board.states import measure_states
from incidents.models import EvidenceEntry, Incident, Product
from incidents.steps import unfreeze
from incidents.terms import INTERNAL, Kind, Level, Measure

FEED_ROWS = 50


@dataclass(frozen=True)
class Status:
    """Where a product stands; `incident` is the one that holds its freeze."""

    product: Product
    incident: Incident | None
    measures: list[MeasureState]
    next_update_at: datetime | None


@dataclass(frozen=True)
class News:
    """One thing that happened, in fixed words."""

    reference: str
    seq: int
    at: datetime
    words: str
    drill: bool


def status_of(product: Product) -> Status:
    """Where the product stands now, in a constant number of statements."""
    held = Incident.objects.filter(product=product, phase__in=lifecycle.FROZEN, freeze__active=True)
    incident = held.select_related("product", "runbook", "freeze").first()
    if incident is None:
        return Status(product, None, [], None)
    return Status(product, incident, measure_states(incident), unfreeze.next_update_due(incident))


_WORDS = {
    Kind.DECLARED: "Rollback mode declared at {level}. The freeze is in force.",
    Kind.LEVEL_CHANGED: "Scope level changed to {new}.",
    Kind.LIFTED: "Freeze lifted: {stage}.",
    Kind.REFROZEN: "Frozen again: every measure is back in force.",
    Kind.STOOD_DOWN: "Stood down as a false alarm. The freeze is lifted.",
    Kind.CLOSED: "Review complete. The incident is closed.",
    Kind.NOTICE_SENT: "Update {notice} was sent to stakeholders.",
}


def news_of(product: Product, limit: int = FEED_ROWS) -> list[News]:
    """The last things that stakeholders may know, newest first, in one statement."""
    entries = EvidenceEntry.objects.filter(
        chain__incident__product=product, chain__incident__need_to_know=False, kind__in=_WORDS
    )
    entries = entries.exclude(kind=Kind.NOTICE_SENT, body__notice__in=INTERNAL)
    columns = ("chain__incident__reference", "seq", "at", "kind", "body", "chain__incident__drill")
    rows = entries.order_by("-at", "-seq").values_list(*columns)[:limit]
    return [News(reference, seq, at, _words(kind, body), drill) for reference, seq, at, kind, body, drill in rows]


def _words(kind: str, body: dict[str, Any]) -> str:
    known = {
        "level": _level(body.get("scope_level", "")),
        "new": _level(body.get("new", "")),
        "stage": _stage(str(body.get("stage", ""))),
        "notice": str(body.get("notice", "")).replace("_", " "),
    }
    return _WORDS[Kind(kind)].format_map(known)


def _stage(key: str) -> str:
    """A measure by its name, else the environment that promotions and deployments are open to again."""
    if key in Measure.values:
        return str(Measure(key).label).lower()
    return f"promotions and deployments{f' to {key}' if key != 'environments' else ''}"


def _level(code: str) -> str:
    return str(Level(code).label) if code in Level.values else "another level"
