"""Suggested declarations: what Alertmanager and CI send, and what a commander does with it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import structlog
from django.http import Http404
from ninja import Router
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from incidents import authority
from incidents.api import inbound
from incidents.api.found import ApiRequest
from incidents.api.strict import Given, Text, Why
from incidents.models import Product, Suggestion
from incidents.steps import suggest
from incidents.steps.suggest import Told
from incidents.terms import Source, SuggestionState

LONGEST_BODY = 256 * 1024
MOST_ROWS = 100

# What outside systems send; `portal.api` lets in tokens of the scope `suggest` alone.
inbox = Router(tags=["suggestions"])
router = Router(tags=["suggestions"])
log = structlog.get_logger()


class Alert(BaseModel):
    """One alert of the group; whatever else it holds is passed over."""

    status: Any = None
    labels: Any = None
    annotations: Any = None
    startsAt: Any = None  # noqa: N815 - as Alertmanager calls it
    generatorURL: Any = None  # noqa: N815 - as Alertmanager calls it
    fingerprint: Any = None


class Notification(BaseModel):
    """Alertmanager's webhook message, version 4. Fields of later versions are passed over."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    alerts: list[Alert] = Field(min_length=1)
    groupKey: Any = None  # noqa: N815 - as Alertmanager calls it
    commonLabels: Any = None  # noqa: N815 - as Alertmanager calls it
    commonAnnotations: Any = None  # noqa: N815 - as Alertmanager calls it
    externalURL: Any = None  # noqa: N815 - as Alertmanager calls it


def _web_link(value: str) -> str:
    if value and not inbound.link(value):
        raise ValueError("Give a whole http or https address.")
    return value


# A CI server may well have a name without a dot.
WebLink = Annotated[Text, AfterValidator(_web_link)]


class Pipeline(Given):
    """A CI job that failed, or passes again."""

    pipeline: Text = Field(min_length=1, max_length=200, description="Its name: the same one counts as the same.")
    state: Literal["failed", "passed"] = "failed"
    run: Text = Field("", max_length=200, description="What people find the run by.")
    url: WebLink = Field("", max_length=500, description="Of the run; http or https.")
    commit: Text = Field("", max_length=200)
    step: Text = Field("", max_length=200, description="Which step failed.")
    branch: Text = Field("", max_length=200, description="The same pipeline on another branch counts apart.")
    summary: Text = Field("", max_length=1000)


class Received(BaseModel):
    """What became of the message."""

    suggestion: int | None = Field(description="None where something ended that nobody had told of.")
    state: SuggestionState | None
    count: int = Field(description="How often the same was told.")


class Waiting(BaseModel):
    """A suggestion that waits."""

    id: int
    product: str
    source: Source
    title: str
    text: str
    link: str
    facts: list[list[str]]
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None


@inbox.post("/{product}/alertmanager", response={202: Received}, summary="Take an alert in")
def from_alertmanager(request: ApiRequest, product: str, body: Notification) -> Received:
    """The receiver of Alertmanager's `webhook_configs`. It suggests a declaration; it freezes nothing."""
    return _received(request, product, inbound.of_alertmanager(body.model_dump()))


@inbox.post("/{product}/ci", response={202: Received}, summary="Take a failing CI job in")
def from_pipeline(request: ApiRequest, product: str, body: Pipeline) -> Received:
    """A failing job suggests a declaration, its next success ends that; neither freezes anything."""
    return _received(request, product, inbound.of_pipeline(**body.model_dump()))


@router.get("", response=list[Waiting], summary="List suggestions")
def list_suggestions(request: ApiRequest) -> list[Waiting]:
    """Those that wait for the caller, who stands ready as Incident Commander of their product, the latest first."""
    rows = _visible(request).filter(state=SuggestionState.WAITING).select_related("product")
    return [_waiting(row) for row in rows[:MOST_ROWS]]


@router.post("/{int:suggestion_id}/dismiss", response=Waiting)
def dismiss(request: ApiRequest, suggestion_id: int, body: Why) -> Waiting:
    """Say that nothing is declared for it, and why."""
    suggestion = _visible(request).select_related("product", "sent_by").filter(pk=suggestion_id).first()
    if suggestion is None:
        raise Http404("There is no such suggestion, or it is not yours to see.")
    suggest.dismiss(suggestion, by=request.auth.user, reason=body.reason)
    return _waiting(suggestion)


def _received(request: ApiRequest, slug: str, told: Told) -> Received:
    product = _product(request, slug)
    found = suggest.receive(told, product, by=request.auth.user, token=request.auth.name)
    log.info("suggestion.received", product=slug, source=told.source.value, suggestion=found.pk if found else None)
    if found is None:
        return Received(suggestion=None, state=None, count=0)
    return Received(suggestion=found.pk, state=SuggestionState(found.state), count=found.count)


def _product(request: ApiRequest, slug: str) -> Product:
    """The product of the address, if the token is for it; one that is for a single incident suggests nothing."""
    bound = {"pk": request.auth.product_id} if request.auth.product_id else {}
    found = None if request.auth.incident_id else Product.objects.filter(slug=slug, **bound).first()
    if found is None:
        raise Http404("There is no such product, or this token is for another one.")
    return found


def _visible(request: ApiRequest) -> Any:
    rows = authority.visible_suggestions(request.auth.user)
    if request.auth.incident_id:
        return rows.none()
    return rows.filter(product=request.auth.product_id) if request.auth.product_id else rows


def waiting_for(request: ApiRequest, suggestion_id: int) -> Suggestion | None:
    """A suggestion that waits for the caller."""
    rows = _visible(request).filter(pk=suggestion_id, state=SuggestionState.WAITING)
    found: Suggestion | None = rows.select_related("product", "sent_by").first()
    return found


def _waiting(row: Suggestion) -> Waiting:
    names = [name for name in Waiting.model_fields if name != "product"]
    return Waiting(product=row.product.slug, **{name: getattr(row, name) for name in names})
