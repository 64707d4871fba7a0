"""Suggested declarations as one person may see them: what waits, and what was decided lately."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from incidents import authority
from incidents.models import Freeze, Suggestion
from incidents.terms import SuggestionState

MOST_PAST = 20


def waiting(user: Any) -> QuerySet[Suggestion]:
    """Those that wait, the latest first; each with `may_decide`, and `held_by` where its product is frozen already."""
    held = Freeze.objects.filter(product=OuterRef("product"), active=True).values("incident__reference")
    rows = authority.visible_suggestions(user).filter(state=SuggestionState.WAITING).annotate(held_by=Subquery(held))
    return rows.select_related("product", "sent_by").order_by("resolved_at", "-last_seen_at")


def past(user: Any) -> QuerySet[Suggestion]:
    """Those that were decided or expired lately."""
    rows = authority.visible_suggestions(user).exclude(state=SuggestionState.WAITING)
    return rows.select_related("product", "incident", "decided_by").order_by("-decided_at", "-pk")[:MOST_PAST]
