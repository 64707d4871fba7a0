"""Incidents as they were declared, what suggested them, and the roles people hold in them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from incidents.admin.base import PageAct, ReadOnlyAdmin
from incidents.admin.correction import CorrectableAdmin
from incidents.models import Incident, Membership, Proposal, Suggestion


@admin.register(Incident)
class IncidentAdmin(CorrectableAdmin):
    list_display = ("reference", "product", "phase", "scope_level", "drill", "summary", "declared_at", "ended_at")
    list_filter = ("phase", "scope_level", "drill", "product")
    list_select_related = ("product",)
    search_fields = ("reference", "summary", "product__slug")
    date_hierarchy = "declared_at"

    def acts_of(self, request: HttpRequest, row: Any) -> list[PageAct]:
        verify = reverse("admin:incidents_evidencechain_verify", args=[row.chain.pk])
        return [*super().acts_of(request, row), PageAct("Verify its evidence", verify)]


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ("incident", "role", "user", "assigned_at", "accepted_at", "ended_at")
    list_filter = ("role",)
    list_select_related = ("incident", "user")
    search_fields = ("incident__reference", "user__name", "user__email")


@admin.register(Proposal)
class ProposalAdmin(ReadOnlyAdmin):
    list_display = ("incident", "act", "sentence", "proposed_by", "proposed_at", "decided_by", "confirmed")
    list_filter = ("act", "confirmed")
    list_select_related = ("incident", "proposed_by", "decided_by")
    search_fields = ("incident__reference", "sentence")


@admin.register(Suggestion)
class SuggestionAdmin(ReadOnlyAdmin):
    list_display = ("title", "product", "source", "state", "count", "last_seen_at", "decided_by", "incident")
    list_filter = ("state", "source", "product")
    list_select_related = ("product", "decided_by", "incident")
    search_fields = ("title", "product__slug", "incident__reference")
