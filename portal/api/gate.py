"""The freeze gate in the OpenAPI document. The middleware `portal.gate` answers before these are reached."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import BaseModel, Field

from incidents.freeze_check import Operation
from incidents.terms import Level, Measure
from portal.gate import answer

router = Router(tags=["freeze gate"])


class Check(BaseModel):
    """Whether one operation may go ahead now."""

    decision: Literal["allow", "deny"]
    operation: Operation
    product: str
    incident: str | None
    reason: str
    scope_level: Level | None
    since: datetime | None = Field(description="Since when the measure is in force; null where it is not.")
    exception: int | None = Field(description="The exception that lets the subject through.")
    checked_at: datetime


class MeasureNow(BaseModel):
    measure: Measure
    in_force: bool
    since: datetime | None


class PromotionNow(BaseModel):
    source: str | None = Field(serialization_alias="from")
    to: str
    in_force: bool
    since: datetime | None


class DeployNow(BaseModel):
    environment: str
    in_force: bool
    since: datetime | None


class FreezeNow(BaseModel):
    """What the freeze of a product stops now."""

    product: str
    frozen: bool
    incident: str | None
    drill: bool
    scope_level: Level | None
    scope_level_name: str | None
    commander: str | None
    since: datetime | None
    measures: list[MeasureNow]
    promotions: list[PromotionNow]
    deploys: list[DeployNow]
    exceptions: int = Field(description="How many exceptions live now.")
    checked_at: datetime


class Asked(BaseModel):
    operation: Operation
    subject: str = Field("", max_length=200, description="The pull request, commit, bead or deployment.")
    labels: str = Field("", max_length=2000, description="Of the bead, separated by commas.")
    actor: str = Field("", max_length=254, description="E-mail address of whoever deploys.")
    environment: str = Field("", max_length=100, description="`staging`, or `dev->staging`.")
    enforce: Literal["", "0", "1"] = Field("", description="With 1 a deny is answered with 423, so that curl -f fails.")


_BEARER: dict[str, Any] = {"security": [{"Bearer": []}]}
_CHECK: dict[Any, Any] = {200: Check, 423: Check, 503: Check}


@router.get("/{product}", auth=None, response=FreezeNow, summary="What is frozen", openapi_extra=_BEARER, by_alias=True)
def freeze_state(request: HttpRequest, product: str) -> HttpResponse:
    """The state of a product's freeze. Needs the scope `check`."""
    return answer(request)


@router.get("/{product}/check", auth=None, response=_CHECK, summary="May this go ahead?", openapi_extra=_BEARER)
def freeze_check(request: HttpRequest, product: str, asked: Query[Asked]) -> HttpResponse:
    """Allow or deny, from committed state. 200 either way unless `enforce=1`; 503 counts as deny."""
    return answer(request)
