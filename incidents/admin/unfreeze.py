"""Who owns the next cycle's work."""

from __future__ import annotations

from django.contrib import admin

from incidents.admin.base import ReadOnlyAdmin
from incidents.models import CycleOwner


@admin.register(CycleOwner)
class CycleOwnerAdmin(ReadOnlyAdmin):
    list_display = ("incident", "area", "user", "named_by", "named_at", "accepted_at", "replaced_at")
    list_filter = ("area",)
    list_select_related = ("incident", "user", "named_by")
    search_fields = ("incident__reference", "user__name")
