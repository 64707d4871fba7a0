"""Freezes, what they stop, and what was let through."""

from __future__ import annotations

from django.contrib import admin

from incidents.admin.base import ReadOnlyAdmin
from incidents.models import Freeze, FreezeException, FreezeMeasure


@admin.register(Freeze)
class FreezeAdmin(ReadOnlyAdmin):
    list_display = ("incident", "product", "active", "since", "ended_at")
    list_filter = ("active", "product")
    list_select_related = ("incident", "product")
    search_fields = ("incident__reference", "product__slug")


@admin.register(FreezeMeasure)
class FreezeMeasureAdmin(ReadOnlyAdmin):
    list_display = ("freeze", "measure", "environment", "in_force", "since", "lifted_at")
    list_filter = ("measure", "in_force")
    list_select_related = ("freeze__incident", "freeze__product", "environment")
    search_fields = ("freeze__incident__reference",)


@admin.register(FreezeException)
class FreezeExceptionAdmin(ReadOnlyAdmin):
    list_display = ("freeze", "measure", "subject", "environment", "asked_by", "second", "expires_at", "revoked_at")
    list_filter = ("measure",)
    list_select_related = ("freeze__incident", "freeze__product", "environment", "asked_by", "second")
    search_fields = ("freeze__incident__reference", "subject", "reason")
