"""Who stands ready to declare rollback mode, and for which product it is possible now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Prefetch, Subquery

from incidents.models import Freeze, Product, RosterEntry
from incidents.terms import Role


@dataclass(frozen=True)
class Ready:
    """One product: who may declare for it, and the incident that holds its freeze already."""

    product: Product
    commanders: list[Any]
    held_by: str
    is_mine: bool

    @property
    def sentence(self) -> str:
        if self.held_by:
            return f"Frozen already, by {self.held_by}."
        if self.is_mine:
            return "Open. You stand ready as its Incident Commander."
        names = " or ".join(str(person) for person in self.commanders)
        return f"Open. Declared by {names}." if names else "Open. Nobody stands ready as its Incident Commander."


def ready(user: Any) -> list[Ready]:
    """Every product with those who may declare for it, in two statements."""
    held = Freeze.objects.filter(product=OuterRef("pk"), active=True).values("incident__reference")
    leads = RosterEntry.objects.filter(role=Role.COMMANDER, user__is_active=True).select_related("user")
    rows = Product.objects.annotate(held_by=Subquery(held)).prefetch_related(
        Prefetch("roster", leads.order_by("rank"), to_attr="leads")
    )
    return [_ready(product, user) for product in rows]


def _ready(product: Any, user: Any) -> Ready:
    people = [entry.user for entry in product.leads]
    return Ready(product, people, product.held_by or "", user in people)
