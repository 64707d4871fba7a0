"""What is frozen, what is open, and what is under review: every product at a glance, from three statements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef

from incidents import authority, lifecycle
from incidents.board.board import Board
from incidents.board.build import boards
from incidents.models import Incident, Product, RosterEntry
from incidents.terms import Phase, Role

SHOWN = 3


@dataclass(frozen=True)
class Standing:
    """One open incident: whole for who may see it, else only the facts that bind everybody."""

    incident: Incident
    board: Board | None

    @property
    def more(self) -> int:
        """How many blockers there are beyond those that the front page shows."""
        return max(0, len(self.board.blockers) - SHOWN) if self.board else 0


@dataclass(frozen=True)
class Overview:
    frozen: list[Standing]
    under_review: list[Standing]
    free: list[Product]
    may_declare: bool

    @property
    def products(self) -> int:
        return len(self.frozen) + len(self.free)

    @property
    def headline(self) -> str:
        """What is frozen, in one line."""
        names = [f"{one.incident.product}" for one in self.frozen if not one.incident.drill]
        if not names:
            return "Nothing is frozen" if not self.frozen else "Nothing is frozen but for practice"
        words = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        return f"{words} {'is' if len(names) == 1 else 'are'} frozen"


def overview(user: Any) -> Overview:
    """The front page for one person; drills stand after what is real."""
    incidents = list(_open_incidents(user))
    seen = boards([incident for incident in incidents if incident.is_visible])
    known = {board.incident.pk: board for board in seen}
    standing = [Standing(incident, known.get(incident.pk)) for incident in incidents]
    products = list(_products(user))
    held = {incident.product_id for incident in incidents if incident.phase in lifecycle.FROZEN}
    return Overview(
        frozen=[one for one in standing if one.incident.phase in lifecycle.FROZEN],
        under_review=[one for one in standing if one.incident.phase == Phase.REVIEW and one.board],
        free=[product for product in products if product.pk not in held],
        may_declare=any(product.is_mine for product in products),
    )


def _open_incidents(user: Any) -> Any:
    visible = authority.visible_incidents(user).filter(pk=OuterRef("pk"))
    rows = Incident.objects.filter(phase__in=lifecycle.OPEN).annotate(is_visible=Exists(visible))
    return rows.select_related("product", "runbook", "freeze").order_by("drill", "-pk")


def _products(user: Any) -> Any:
    mine = RosterEntry.objects.filter(product=OuterRef("pk"), user=user, role=Role.COMMANDER)
    return Product.objects.annotate(is_mine=Exists(mine)).prefetch_related("environments")
