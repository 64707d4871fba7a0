"""Incidents: declare one, list those one may see, read one whole."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import BaseModel, Field

from incidents.api.detail import Detail, detail_of
from incidents.api.found import ApiRequest, Misnamed, commander_of, incident_of, product_of, visible
from incidents.api.problem import problem
from incidents.api.shapes import api_url, level_name, page_url
from incidents.api.strict import Flag, Given, Text, length
from incidents.api.suggestions import waiting_for
from incidents.models import Incident, Product
from incidents.steps import declare
from incidents.steps.base import AlreadyFrozen
from incidents.terms import Level, Phase

MOST_ROWS = 100
router = Router(tags=["declare"])


class Declaration(Given):
    product: Text = Field(max_length=length(Product, "slug"))
    trigger: Text = Field(max_length=length(Incident, "trigger"), description="A trigger key of the runbook.")
    summary: Text = Field(min_length=1, max_length=length(Incident, "summary"))
    scope_level: Level
    drill: Flag = False
    suggestion: int | None = Field(None, ge=1, strict=True, description="The suggestion that it answers.")
    need_to_know: Flag = Field(False, description="Only its own people and auditors may know of it.")
    commander: Text | None = Field(None, max_length=254, description="E-mail address; the caller where none is given.")


class Summary(BaseModel):
    """An incident in a few words."""

    reference: str
    url: str = Field(description="The war room, for people.")
    api_url: str
    product: str
    phase: Phase
    scope_level: Level
    scope_level_name: str
    trigger: str
    summary: str
    drill: bool
    need_to_know: bool
    declared_at: datetime
    ended_at: datetime | None


class Page(BaseModel):
    incidents: list[Summary]
    next: str | None = Field(description="Give it as `before` for the next page; null on the last.")


class Filters(Given):
    product: Text | None = None
    phase: Phase | None = None
    before: str | None = Field(None, pattern=r"^RB-\d{4}-\d{4,9}$", description="Only incidents declared before this.")
    limit: int = Field(50, ge=1, le=MOST_ROWS)


@router.post("", response={201: Summary}, summary="Declare rollback mode")
def declare_rollback_mode(request: ApiRequest, body: Declaration) -> Summary | HttpResponse:
    """From this answer on the product is frozen. 409 with `reference` where an incident already holds the freeze."""
    product = product_of(request, body.product)
    suggestion = waiting_for(request, body.suggestion) if body.suggestion else None
    if body.suggestion and suggestion is None:
        raise Misnamed("suggestion", "No such suggestion waits for you.")
    try:
        incident = declare.rollback_mode(
            product=product,
            trigger=body.trigger,
            summary=body.summary,
            scope_level=body.scope_level,
            by=request.auth.user,
            commander=commander_of(product, body.commander) if body.commander else None,
            drill=body.drill,
            suggestion=suggestion,
            need_to_know=body.need_to_know,
        )
    except AlreadyFrozen as error:
        return already_frozen(request, error)
    return summary(incident)


def already_frozen(request: HttpRequest, error: AlreadyFrozen) -> HttpResponse:
    return problem(
        request,
        409,
        str(error),
        kind="already-frozen",
        blockers=error.sentences,
        reference=error.reference,
    )


@router.get("", response=Page, summary="List incidents", tags=["incidents"])
def list_incidents(request: ApiRequest, filters: Query[Filters]) -> Page:
    """Those the caller may see, the youngest first, by pages of at most 100."""
    _check_names(request)
    rows = visible(request).select_related("product", "runbook").order_by("-pk")
    if filters.product is not None:
        rows = rows.filter(product__slug=filters.product)
    if filters.phase is not None:
        rows = rows.filter(phase=filters.phase)
    if filters.before is not None:
        rows = rows.filter(pk__lt=visible(request).filter(reference=filters.before).values("pk"))
    found = list(rows[: filters.limit + 1])
    shown = found[: filters.limit]
    return Page(
        incidents=[summary(incident) for incident in shown],
        next=shown[-1].reference if len(found) > len(shown) else None,
    )


def _check_names(request: HttpRequest) -> None:
    """A misspelt filter would show more than was asked for."""
    for name, values in request.GET.lists():
        if name not in Filters.model_fields or len(values) > 1:
            raise Misnamed(name[:60], f"Each filter once: {', '.join(Filters.model_fields)}.")


@router.get("/{ref}", response=Detail, summary="Read one incident", tags=["incidents"], by_alias=True)
def read_incident(request: ApiRequest, ref: str) -> Detail:
    """The state of everything: freeze, target, actions, cleanup, gates, preconditions, roles, and what blocks."""
    return detail_of(incident_of(request, ref), request.auth.user)


def summary(incident: Incident) -> Summary:
    return Summary(
        reference=incident.reference,
        url=page_url(incident),
        api_url=api_url(incident),
        product=incident.product.slug,
        phase=Phase(incident.phase),
        scope_level=Level(incident.scope_level),
        scope_level_name=level_name(incident),
        trigger=incident.trigger,
        summary=incident.summary,
        drill=incident.drill,
        need_to_know=incident.need_to_know,
        declared_at=incident.declared_at,
        ended_at=incident.ended_at,
    )
