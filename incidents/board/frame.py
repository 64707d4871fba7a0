"""What stands around every page: freezes in force, and whether work waits for a worker that is gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now
from django.urls import reverse

from incidents import authority
from incidents.board import rows
from incidents.board.work import open_for
from incidents.models import Attempt, DispatchStop, EvidenceChain, FreezeMeasure, GateRun, WorkerBeat
from incidents.terms import AttemptState, Measure, SuggestionState

WAITED = timedelta(seconds=30)
SILENT = timedelta(seconds=60)
_SHORT = {
    Measure.MERGES: "merges",
    Measure.CLAIMS: "bead claims",
    Measure.PROMOTIONS: "promotions",
    Measure.DEPLOYS: "deploys",
}


@dataclass(frozen=True)
class FrozenProduct:
    """One freeze in force, in the words of a banner."""

    product: str
    since: datetime
    measures: str
    url: str
    reference: str
    drill: bool


@dataclass(frozen=True)
class Frame:
    """What a page's frame shows.

    Attributes:
        heads: the last hashes of the logs of the person's open incidents: what waits changes only with them.
        stopped: why nobody may start an action now, where somebody has thrown the kill switch.
        suggested: how many suggested declarations this person may decide.
        beside: the rows that another room asked for.
    """

    freezes: list[FrozenProduct]
    is_work_stuck: bool
    heads: tuple[str, ...]
    stopped: str | None
    suggested: int
    beside: list[list[Any]]


def frame(user: Any, *waiting: QuerySet[Any], beside: rows.Arm | None = None) -> Frame:
    """Read the frame in one statement.

    Args:
        waiting: rows of other rooms that wait for a worker.
        beside: rows of another room, and their columns, that the frame shows as well.
    """
    visible = authority.visible_incidents(user).filter(pk=OuterRef("freeze__incident"))
    held = FreezeMeasure.objects.filter(in_force=True, freeze__active=True).annotate(seen_=Exists(visible))
    silent = ~Exists(WorkerBeat.objects.filter(seen_at__gt=Now() - SILENT, seen_at__lt=Now() + SILENT))
    stuck = [Exists(found) for found in (*_stuck(), *waiting)]
    me = get_user_model().objects.filter(pk=user.pk)
    stop = Subquery(DispatchStop.objects.filter(lifted_at=None).order_by().values("reason")[:1])
    logs = EvidenceChain.objects.filter(incident__in=open_for(user))
    arms: list[rows.Arm] = [
        (held, _COLUMNS),
        (me, [stop, _suggested(user), silent, *stuck]),
        (logs, ["hash"]),
        *([beside] if beside else []),
    ]
    measures, [[stopped, suggested, *facts]], heads, *others = rows.gather(arms)
    return Frame(
        freezes=_freezes(measures),
        is_work_stuck=bool(facts[0]) and any(facts[1:]),
        heads=tuple(sorted(head for [head] in heads)),
        stopped=stopped,
        suggested=suggested or 0,
        beside=others[0] if others else [],
    )


def _suggested(user: Any) -> Subquery:
    waiting = authority.suggestions_to_decide(user).filter(state=SuggestionState.WAITING)
    return Subquery(waiting.order_by().annotate(number=Func("pk", function="COUNT")).values("number"))


def _stuck() -> list[QuerySet[Any]]:
    """Work that was asked for and that nobody has taken in a while."""
    queued = Q(state=AttemptState.QUEUED)
    return [
        Attempt.objects.filter(queued, queued_at__lt=Now() - WAITED),
        GateRun.objects.filter(queued, asked_at__lt=Now() - WAITED),
    ]


_COLUMNS = [
    "measure",
    F("freeze__product__name"),
    F("freeze__product__slug"),
    F("freeze__since"),
    F("freeze__incident__reference"),
    F("freeze__incident__drill"),
    "seen_",
]


def _freezes(found: list[list[Any]]) -> list[FrozenProduct]:
    held: dict[str, tuple[list[Any], set[str]]] = {}
    for measure, *facts in found:
        held.setdefault(facts[3], (facts, set()))[1].add(measure)
    frozen = [_frozen(*one) for one in held.values()]
    return sorted(frozen, key=lambda freeze: (freeze.drill, freeze.since))


def _frozen(facts: list[Any], measures: set[str]) -> FrozenProduct:
    product, slug, since, reference, drill, seen = facts
    words = [words for measure, words in _SHORT.items() if measure in measures]
    return FrozenProduct(
        product=product,
        since=rows.moment(since),
        measures=" and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words),
        url=reverse("incidents:war_room", args=[reference]) if seen else reverse("incidents:status", args=[slug]),
        reference=reference,
        drill=bool(drill),
    )
