"""Targets and their confirmations; a replaced target stays on record."""

from __future__ import annotations

from django.contrib import admin

from incidents.admin.base import ReadOnlyAdmin
from incidents.admin.correction import CorrectableAdmin
from incidents.models import Confirmation, Target


@admin.register(Target)
class TargetAdmin(CorrectableAdmin):
    list_display = ("incident", "kind", "identifier", "chosen_by", "chosen_at", "replaced_at")
    list_filter = ("kind",)
    list_select_related = ("incident", "chosen_by")
    search_fields = ("incident__reference", "identifier", "reason")


@admin.register(Confirmation)
class ConfirmationAdmin(ReadOnlyAdmin):
    list_display = ("target", "aspect", "by", "role", "confirmed_at")
    list_filter = ("aspect",)
    list_select_related = ("target", "by")
    search_fields = ("target__incident__reference", "target__identifier", "note")
