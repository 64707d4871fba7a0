"""Gates, their runs, and what was accepted instead of a pass."""

from __future__ import annotations

from django.contrib import admin

from incidents.admin.base import ReadOnlyAdmin, ShownMasked
from incidents.models import AcceptedRisk, BaselineBlocker, Gate, GateRun


@admin.register(Gate)
class GateAdmin(ShownMasked):
    masked = ("arguments",)
    list_display = ("incident", "key", "name", "owner", "connector")
    list_filter = ("owner",)
    list_select_related = ("incident", "connector")
    search_fields = ("incident__reference", "key", "name")


@admin.register(GateRun)
class GateRunAdmin(ReadOnlyAdmin):
    list_display = ("gate", "outcome", "state", "change_number", "by", "asked_at", "recorded_at")
    list_filter = ("outcome", "state")
    list_select_related = ("gate", "by")
    search_fields = ("gate__incident__reference", "gate__key", "sentence")


@admin.register(BaselineBlocker)
class BaselineBlockerAdmin(ReadOnlyAdmin):
    list_display = ("run", "kind", "failing_step", "accepted_by", "accepted_at")
    list_filter = ("kind",)
    list_select_related = ("run__gate", "accepted_by")
    search_fields = ("run__gate__incident__reference", "failing_step", "proof")


@admin.register(AcceptedRisk)
class AcceptedRiskAdmin(ReadOnlyAdmin):
    list_display = ("gate", "reason", "by", "second", "accepted_at")
    list_select_related = ("gate", "by", "second")
    search_fields = ("gate__incident__reference", "gate__key", "reason")
