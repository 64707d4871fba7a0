"""All incidents, newest first, a page at a time by keyset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import OuterRef, Q, Subquery

from incidents import authority, lifecycle
from incidents.models import Incident, Membership
from incidents.terms import Phase, Role

PAGE = 25
_STATES = {"open": lifecycle.OPEN, "ended": lifecycle.ENDED}


@dataclass(frozen=True)
class RegisterRow:
    """One incident as a line of the list."""

    incident: Incident
    commander: str
    kind: str
    frozen_for: timedelta | None


@dataclass(frozen=True)
class RegisterPage:
    rows: list[RegisterRow]
    older_than: int | None


def register(
    user: Any,
    *,
    state: str | None = None,
    drills: str | None = None,
    product: Any = None,
    q: str | None = None,
    before: int | None = None,
) -> RegisterPage:
    """One page of the incidents that the person may know of, in one statement.

    Args:
        state: `open` or `ended`; both where it is not given.
        drills: `only` or `none`.
        q: words that stand in the reference or the summary.
        before: only incidents older than this key.
    """
    rows = authority.visible_incidents(user).select_related("product", "freeze").annotate(commander=_commander())
    for wanted in (
        Q(phase__in=_STATES[state]) if state else None,
        Q(drill=drills == "only") if drills else None,
        Q(product=product) if product else None,
        Q(reference__icontains=q) | Q(summary__icontains=q) if q else None,
        Q(pk__lt=before) if before else None,
    ):
        rows = rows.filter(wanted) if wanted else rows
    found = list(rows.order_by("-pk")[: PAGE + 1])
    return RegisterPage(
        [_row(incident) for incident in found[:PAGE]], found[PAGE - 1].pk if len(found) > PAGE else None
    )


_KINDS = {Phase.REVIEW: "due", Phase.CLOSED: "ok", Phase.STOOD_DOWN: "muted"}


def _row(incident: Any) -> RegisterRow:
    ended = incident.freeze.ended_at
    return RegisterRow(
        incident=incident,
        commander=incident.commander or "",
        kind=_KINDS.get(Phase(incident.phase), "frozen"),
        frozen_for=ended - incident.freeze.since if ended else None,
    )


def _commander() -> Any:
    leads = Membership.objects.filter(incident=OuterRef("pk"), role=Role.COMMANDER, ended_at=None)
    return Subquery(leads.values("user__name")[:1])
