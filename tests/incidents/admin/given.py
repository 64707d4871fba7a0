"""What tests of the back office share: whoever works in it, its addresses, and what it left in the log."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.test import Client
from django.urls import reverse

from incidents.evidence import log
from incidents.models import EvidenceEntry
from incidents.terms import Kind
from tests.factories import UserFactory


def clerk(**fields: Any) -> tuple[Any, Client]:
    """Someone who may open the admin, signed in."""
    user = UserFactory(is_staff=True, **fields)
    client = Client()
    client.force_login(user)
    return user, client


def address(row_or_model: Any, page: str) -> str:
    """`address(incident, "change")`, `address(Incident, "changelist")`, `address(connector, "self-test")`."""
    meta = row_or_model._meta
    is_row = not isinstance(row_or_model, type)
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=[row_or_model.pk] if is_row else [])


def model_pages(app: str) -> list[type]:
    return [model for model in admin.site._registry if model._meta.app_label == app]


def configured() -> list[EvidenceEntry]:
    """What the log says was configured since the runbook that Lastgood is shipped with, oldest first."""
    entries = log.global_chain().entries.filter(kind=Kind.CONFIGURED).exclude(body__object="runbook", body__id="1")
    return list(entries.order_by("seq"))


def filled(client: Client, url: str, **changes: Any) -> dict[str, Any]:
    """What a browser would send: every field of the page's form as it stands, with some changed."""
    context = client.get(url).context
    forms = [context["adminform"].form]
    for formset in context["inline_admin_formsets"]:
        forms += [formset.formset.management_form, *formset.formset.forms]
    sent = dict(part for form in forms for bound in form for part in _parts(bound, bound.value()))
    ticked_or_typed = {name: value for name, value in sent.items() if value is not None and value is not False}
    return {**ticked_or_typed, **changes}


def _parts(bound: Any, value: Any) -> list[tuple[str, Any]]:
    widget = bound.field.widget
    if hasattr(widget, "decompress"):
        split = value if isinstance(value, list) else widget.decompress(value)
        return [(f"{bound.html_name}_{i}", str(part or "")) for i, part in enumerate(split)]
    return [(bound.html_name, value)]
