"""How actions and gates leave the portal: connectors, and which one a product uses for what."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from incidents.admin.base import PageAct, WithActs
from incidents.admin.connector_forms import ConnectorForm, WiringForm
from incidents.configuration import RecordedAdmin
from incidents.connectors import credentials, urls
from incidents.models import Connector, Wiring
from incidents.runbook import Runbook
from incidents.self_test import findings_of

LEVELS = {True: "SUCCESS", False: "ERROR", None: "INFO"}


@admin.register(Connector)
class ConnectorAdmin(RecordedAdmin, WithActs):
    form = ConnectorForm
    list_display = ("name", "kind", "enabled", "deadline_seconds", "has_secret")
    list_filter = ("kind", "enabled")
    search_fields = ("name",)
    fields = ("name", "kind", "config", "secret", "forget_secret", "deadline_seconds", "max_parallel", "enabled")
    withheld = frozenset({"secret"})

    def spoken(self, row: Connector) -> str:
        return f"“{row.name}”"

    def shown(self, name: str, value: Any) -> Any:
        """A URL stands with its host only: a path or query may carry a secret."""
        return credentials.masked(_without_paths(value) if name == "config" else super().shown(name, value))

    @admin.display(description="Secret", boolean=True)
    def has_secret(self, row: Connector) -> bool:
        return bool(row.secret)

    def own_views(self) -> dict[str, Any]:
        return {"self-test": self.self_test}

    def acts_of(self, request: HttpRequest, row: Any) -> list[PageAct]:
        return [PageAct("Test this connector", self.url_of("self-test", row), posts=True)]

    @method_decorator(require_POST)
    def self_test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say whether the connector would work: what is set is judged, and a CI system is asked. Nothing is started."""
        row = self.found(request, object_id)
        for finding in findings_of(row):
            self.message_user(request, finding.sentence, LEVELS[finding.is_good])
        return redirect(self.url_of("change", row))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        for sentence in form.warnings:
            self.message_user(request, f"Saved, but switched off: {sentence}", "WARNING")
        for sentence in form.kept_credentials:
            self.message_user(request, f"Saved as it was before: {sentence}", "WARNING")


def _without_paths(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _place(inner) if key == "url" else _without_paths(inner) for key, inner in value.items()}


def _place(url: Any) -> str:
    try:
        return f"{urls.parse(url).place}/…"
    except ValueError:
        return "set"


@admin.register(Wiring)
class WiringAdmin(RecordedAdmin):
    form = WiringForm
    list_display = ("product", "key", "connector", "target_key")
    list_filter = ("product",)
    list_select_related = ("product", "connector")
    search_fields = ("key", "connector__name", "product__slug")

    def shown(self, name: str, value: Any) -> Any:
        """Without the credentials that somebody typed before they were refused."""
        return credentials.masked(super().shown(name, value))


def lost_wirings(book: Runbook) -> list[str]:
    """Keys that are wired and that this runbook does not have."""
    known = {action.key for action in book.actions} | {gate.key for gate in book.gates}
    return sorted(set(Wiring.objects.exclude(key__in=known).values_list("key", flat=True)))
