"""What an address or a field names. What a caller may not see does not exist for them."""

from __future__ import annotations

import re
from typing import Any, Protocol

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from incidents import authority, policy
from incidents.models import Environment, Incident, Product
from incidents.steps import roles
from incidents.steps.base import Denied
from incidents.terms import Act, Role

_REFERENCE = re.compile(r"RB-\d{4}-\d{4,9}")
_KEY = re.compile(r"[A-Za-z0-9._-]{1,120}")


class Caller(Protocol):
    """Whose token came with the request, and the product and incident it is bound to."""

    user: Any
    name: str
    product_id: int | None
    incident_id: int | None


class ApiRequest(HttpRequest):
    """A request whose bearer token was accepted."""

    auth: Caller


class Misnamed(Exception):
    """A field names something that is not there; answered with 422 and the field's name."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def visible(request: ApiRequest) -> QuerySet[Incident]:
    """The incidents that the token's person may know of, within what the token is bound to."""
    rows = authority.visible_incidents(request.auth.user)
    if request.auth.incident_id:
        rows = rows.filter(pk=request.auth.incident_id)
    return rows.filter(product=request.auth.product_id) if request.auth.product_id else rows


def incident_of(request: ApiRequest, ref: str) -> Incident:
    rows = visible(request).select_related("product", "runbook", "chain", "declared_by")
    found = rows.filter(reference=ref).first() if _REFERENCE.fullmatch(ref) else None
    if found is None:
        raise Http404("There is no such incident, or you have no part in it.")
    return found


def authorise(request: ApiRequest, act: Act, incident: Incident, owner: Role | None = None) -> None:
    """Ask what the step will ask again, where something has to be settled before the step begins.

    Raises:
        Denied: the caller holds no role that carries the act.
    """
    if authority.can(request.auth.user, act, incident, owner) is None:
        raise Denied(f"{act.label} is for the {policy.who_may(act, owner)} of this incident.")


def row_of(rows: Any, what: str, **key: Any) -> Any:
    """One row of an incident.

    Args:
        rows: the incident's own rows, so that another incident's never answer.
        what: how a person calls it.
        key: the lookup; a text that cannot be a key is not looked up.
    """
    sane = all(not isinstance(value, str) or _KEY.fullmatch(value) for value in key.values())
    found = rows.filter(**key).first() if sane else None
    if found is None:
        raise Http404(f"This incident has no such {what}.")
    return found


def member(incident: Incident, role: Role, email: str, field: str = "person") -> Any:
    """The person of this address among those who can be given a role of the incident."""
    found = roles.candidates(incident, role).filter(email__iexact=email).first()
    if found is None:
        raise Misnamed(field, "Nobody of this address stands ready for the product or is part of the incident.")
    return found


def commander_of(product: Product, email: str) -> Any:
    ready = get_user_model().objects.filter(roster__product=product, roster__role=Role.COMMANDER, is_active=True)
    found = ready.filter(email__iexact=email).first()
    if found is None:
        raise Misnamed("commander", "Nobody of this address stands ready as Incident Commander of the product.")
    return found


def product_of(request: ApiRequest, slug: str) -> Product:
    if request.auth.incident_id:
        raise Misnamed("product", "This token is for one incident alone.")
    rows = Product.objects.filter(slug=slug)
    if request.auth.product_id:
        rows = rows.filter(pk=request.auth.product_id)
    found = rows.first()
    if found is None:
        raise Misnamed("product", "There is no such product.")
    return found


def environment_of(incident: Incident, name: str | None) -> Environment | None:
    if name is None:
        return None
    found = incident.product.environments.filter(name=name).first()
    if found is None:
        raise Misnamed("environment", "The product has no such environment.")
    return found


def named(rows: Any, field: str, keys: list[str]) -> list[Any]:
    """The rows that a field lists by their key, in the order given."""
    found = {row.key: row for row in rows}
    if missing := [name for name in keys if name not in found]:
        raise Misnamed(field, f"This incident has no “{missing[0][:60]}”.")
    return [found[name] for name in keys]
