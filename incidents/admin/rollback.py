"""Actions, who agreed to them, and each try at running one."""

from __future__ import annotations

from django.contrib import admin

from incidents.admin.base import ReadOnlyAdmin
from incidents.models import Action, Approval, Attempt


@admin.register(Action)
class ActionAdmin(ReadOnlyAdmin):
    list_display = ("incident", "key", "name", "owner", "stage", "state", "connector", "finished_at")
    list_filter = ("state", "track", "owner", "destructive")
    list_select_related = ("incident", "connector")
    search_fields = ("incident__reference", "key", "name", "result")


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    list_display = ("action", "by", "approved_at", "expires_at")
    list_select_related = ("action", "by")
    search_fields = ("action__incident__reference", "action__key", "digest")


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ("action", "number", "state", "by_hand", "requested_by", "queued_at", "started_at", "finished_at")
    list_filter = ("state", "by_hand")
    list_select_related = ("action", "requested_by")
    search_fields = ("action__incident__reference", "action__key", "sentence", "remote_ref")
