"""The cleanup checklist and the evidence people brought."""

from __future__ import annotations

from django.contrib import admin

from incidents.admin.base import ReadOnlyAdmin
from incidents.models import Attachment, CleanupItem, Exhibit


@admin.register(CleanupItem)
class CleanupItemAdmin(ReadOnlyAdmin):
    list_display = ("incident", "area", "name", "owner", "state", "by", "settled_at")
    list_filter = ("state", "area", "owner")
    list_select_related = ("incident", "by")
    search_fields = ("incident__reference", "name", "note")


@admin.register(Exhibit)
class ExhibitAdmin(ReadOnlyAdmin):
    list_display = ("incident", "subject", "__str__", "by", "added_at")
    list_select_related = ("incident", "attachment", "by")
    search_fields = ("incident__reference", "subject", "text", "link")


@admin.register(Attachment)
class AttachmentAdmin(ReadOnlyAdmin):
    list_display = ("incident", "name", "size", "sha256", "uploaded_by", "uploaded_at")
    list_select_related = ("incident", "uploaded_by")
    search_fields = ("incident__reference", "name", "sha256")
