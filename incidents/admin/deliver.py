"""The deliverables: summary, follow-ups and safeguards."""

from __future__ import annotations

from django.contrib import admin

from incidents.admin.base import ReadOnlyAdmin
from incidents.admin.correction import CorrectableAdmin
from incidents.models import FollowUp, Review, Safeguard


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin):
    list_display = ("incident", "owner", "written_at")
    list_select_related = ("incident", "owner")
    search_fields = ("incident__reference", "root_cause", "what_happened")


@admin.register(FollowUp)
class FollowUpAdmin(CorrectableAdmin):
    list_display = ("incident", "number", "title", "owner", "priority", "due_on", "bead_id")
    list_filter = ("priority",)
    list_select_related = ("incident",)
    search_fields = ("incident__reference", "title", "owner", "bead_id")


@admin.register(Safeguard)
class SafeguardAdmin(CorrectableAdmin):
    list_display = ("incident", "gap", "change", "by", "added_at")
    list_select_related = ("incident", "by")
    search_fields = ("incident__reference", "gap", "change")
