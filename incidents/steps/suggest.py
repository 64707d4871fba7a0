"""Suggested declarations: what outside systems saw go wrong, for a commander to declare or to dismiss.

A suggestion freezes nothing. The same thing told again is counted on one row, which expires when nothing
more is heard of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Least

from incidents import authority, clock, lifecycle
from incidents.evidence import log
from incidents.models import Incident, Product, Suggestion
from incidents.steps import text
from incidents.steps.base import Denied, Refused
from incidents.terms import Kind, Phase, Source, SuggestionState

MOST_WAITING = 100
MOST_COUNTED = 1_000_000
LASTS = timedelta(hours=24)
LASTS_RESOLVED = timedelta(hours=2)
KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Told:
    """What an outside system says, in texts that fit their columns.

    Attributes:
        key: what it calls the same thing again by, hashed.
        trigger: the runbook's trigger that it means, where it says so.
        facts: pairs of name and value.
    """

    source: Source
    key: str
    title: str
    is_resolved: bool
    text: str = ""
    link: str = ""
    trigger: str = ""
    facts: list[list[str]] = field(default_factory=list)
    alerts: list[dict[str, str]] = field(default_factory=list)

    def content(self) -> dict[str, Any]:
        """What of it a waiting suggestion shows: always the latest."""
        return {name: getattr(self, name) for name in ("title", "text", "link", "trigger", "facts", "alerts")}


def receive(told: Told, product: Product, *, by: Any, token: str) -> Suggestion | None:
    """Take a message in: a new suggestion, or a known one that is counted; None for the end of an unknown one.

    Args:
        by: whose token brought it; `token` is the token's name.

    Raises:
        Refused: as many wait for this product as may.
    """
    at = clock.now()
    with transaction.atomic():
        if found := _known(told, product, at):
            return _counted(found, told, at)
        if told.is_resolved:
            return None
        if Suggestion.objects.filter(product=product, state=SuggestionState.WAITING).count() >= MOST_WAITING:
            raise Refused(f"{MOST_WAITING} suggestions wait for {product} already: decide some of them first.")
        try:
            with transaction.atomic():
                return Suggestion.objects.create(
                    product=product,
                    source=told.source,
                    key=told.key,
                    first_seen_at=at,
                    last_seen_at=at,
                    sent_by=by,
                    token=token,
                    **told.content(),
                )
        except IntegrityError:  # somebody brought the same at this moment
            found = _known(told, product, at)
            return _counted(found, told, at) if found else None


def _known(told: Told, product: Product, at: datetime) -> Suggestion | None:
    """The row that this message counts on: one that waits, or one that was decided while the same thing lasts."""
    rows = Suggestion.objects.select_for_update().filter(product=product, source=told.source, key=told.key)
    last = rows.order_by("-pk").first()
    if last is None or last.is_waiting:
        return last
    if last.resolved_at is not None:
        return None
    if last.state == SuggestionState.DISMISSED and last.decided_at and last.decided_at > at - LASTS:
        return last
    is_worked = last.incident is not None and Phase(last.incident.phase) in lifecycle.OPEN
    return last if is_worked else None


def _counted(found: Suggestion, told: Told, at: datetime) -> Suggestion:
    changed: dict[str, Any] = {"last_seen_at": at, "resolved_at": at if told.is_resolved else None}
    if found.is_waiting:
        changed |= told.content()
    Suggestion.objects.filter(pk=found.pk).update(count=Least(F("count") + 1, MOST_COUNTED), **changed)
    found.refresh_from_db()
    return found


def dismiss(suggestion: Suggestion, *, by: Any, reason: str) -> None:
    """Say that nothing is declared for it, and why; the global log keeps that."""
    reason = reason.strip()
    if not authority.may_declare(by, suggestion.product):
        raise Denied(
            f"A suggestion is dismissed by those who stand ready as Incident Commander of {suggestion.product}."
        )
    if found := text.said_faults(reason) if reason else ["Say why."]:
        raise Refused(*found)
    with transaction.atomic():
        _settle(suggestion, SuggestionState.DISMISSED, by=by, at=clock.now(), reason=reason)
        log.append_globally(
            Kind.SUGGESTION_DISMISSED,
            actor=log.person(by),
            sentence=f"Suggested declaration for {suggestion.product} dismissed: {reason}",
            product=suggestion.product.slug,
            reason=reason,
            suggestion=facts_of(suggestion),
        )


def take(suggestion: Suggestion, incident: Incident, *, by: Any, at: datetime) -> dict[str, Any]:
    """Let an incident that is being declared answer a suggestion; returns what its first entry says of it."""
    if suggestion.product_id != incident.product_id:
        raise Refused(f"The suggestion is about {suggestion.product}: declare for that, or without the suggestion.")
    _settle(suggestion, SuggestionState.DECLARED, by=by, at=at, incident=incident)
    return facts_of(suggestion)


def _settle(suggestion: Suggestion, state: SuggestionState, *, by: Any, at: datetime, **more: Any) -> None:
    """Decide a suggestion once; the second one who tries is told."""
    waiting = Suggestion.objects.filter(pk=suggestion.pk, state=SuggestionState.WAITING)
    if not waiting.update(state=state, decided_by=by, decided_at=at, **more):
        suggestion.refresh_from_db()
        raise Refused(f"This suggestion waits no more: it is {suggestion.get_state_display().lower()}.")
    suggestion.refresh_from_db()


def facts_of(suggestion: Suggestion) -> dict[str, Any]:
    """What the log says of a suggestion."""
    return {
        "id": suggestion.pk,
        "source": suggestion.source,
        "title": suggestion.title,
        "link": suggestion.link,
        "count": suggestion.count,
        "first_seen_at": clock.stamp(suggestion.first_seen_at),
        "last_seen_at": clock.stamp(suggestion.last_seen_at),
        "sent_by": str(suggestion.sent_by.public_id),
        "token": suggestion.token,
    }


def expire() -> None:
    """End what was heard of no more or has resolved itself, and forget what was decided long ago."""
    at = clock.now()
    gone = Q(last_seen_at__lt=at - LASTS) | Q(resolved_at__lt=at - LASTS_RESOLVED)
    waiting = Suggestion.objects.filter(gone, state=SuggestionState.WAITING)
    waiting.update(state=SuggestionState.EXPIRED, decided_at=at)
    past = (SuggestionState.EXPIRED, SuggestionState.DISMISSED)
    Suggestion.objects.filter(state__in=past, decided_at__lt=at - KEPT).delete()
