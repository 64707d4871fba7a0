"""The evidence log: looked at and verified here, never touched."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from incidents import clock
from incidents.admin.base import PageAct, ReadOnlyAdmin
from incidents.evidence import log
from incidents.models import Checkpoint, EvidenceChain, EvidenceEntry
from incidents.terms import Role


@admin.register(EvidenceChain)
class EvidenceChainAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "seq", "at", "hash", "verify_link")
    list_select_related = ("incident", "custody_of")
    search_fields = ("incident__reference", "hash")
    ordering = ("-at",)

    @admin.display(description="Verify")
    def verify_link(self, row: EvidenceChain) -> SafeString:
        return format_html('<a href="{}">Verify</a>', self.url_of("verify", row))

    def own_views(self) -> dict[str, Any]:
        return {"verify": self.verify}

    def acts_of(self, request: HttpRequest, row: Any) -> list[PageAct]:
        entries = f"{reverse('admin:incidents_evidenceentry_changelist')}?chain__id__exact={row.pk}"
        return [PageAct("Verify", self.url_of("verify", row)), PageAct("Entries", entries)]

    def verify(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Check the whole chain now and say what was found."""
        row = self.found(request, object_id)
        return self.page(request, "verify", row, f"Verify {row}", verdict=log.verify(row), at=clock.now())


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    list_display = ("chain", "size", "signed_at", "reason", "root")
    list_select_related = ("chain__incident", "chain__custody_of")
    search_fields = ("chain__incident__reference", "root", "head")
    ordering = ("-signed_at",)
    exclude = ("frontier",)


class EntryList(ChangeList):
    """A page of entries whose actors' names came with one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        ids = {entry.actor.get("id") for entry in self.result_list} - {None}
        people = get_user_model()._default_manager.filter(public_id__in=ids)
        names = {str(person.public_id): str(person) for person in people}
        for entry in self.result_list:
            entry.actor_name = names.get(entry.actor.get("id", ""), entry.actor.get("name", "unknown"))


@admin.register(EvidenceEntry)
class EvidenceEntryAdmin(ReadOnlyAdmin):
    list_display = ("seq", "of", "at", "kind", "who", "sentence")
    list_display_links = ("seq", "sentence")
    list_select_related = ("chain__incident",)
    search_fields = ("chain__incident__reference", "kind", "body__sentence", "hash")
    search_help_text = "Reference, words of the sentence, kind such as freeze.lifted, or a hash."
    ordering = ("-id",)
    fields = ("chain", "seq", "at", "kind", "actor", "shown_body", "hashed_bytes", "prev", "hash")
    readonly_fields = ("shown_body", "hashed_bytes")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EvidenceEntry]:
        return super().get_queryset(request).defer("canonical")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return EntryList

    def acts_of(self, request: HttpRequest, row: Any) -> list[PageAct]:
        return [PageAct("Verify its chain", reverse("admin:incidents_evidencechain_verify", args=[row.chain_id]))]

    @admin.display(description="Log of", ordering="chain__incident__reference")
    def of(self, row: EvidenceEntry) -> str:
        return str(row.chain.incident or "everything")

    @admin.display(description="Actor")
    def who(self, row: Any) -> str:
        role = row.actor.get("role")
        return f"{row.actor_name} · {Role(role).label}" if role in Role.values else str(row.actor_name)

    @admin.display(description="Body")
    def shown_body(self, row: EvidenceEntry) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(row.body, indent=2, ensure_ascii=False))

    @admin.display(description="Hashed bytes")
    def hashed_bytes(self, row: EvidenceEntry) -> SafeString:
        return format_html("<pre>{}</pre>", row.canonical)
