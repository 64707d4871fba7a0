"""The back office of comms: who is told is edited here; what was said and sent is looked at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest

from comms.clean import NotAMailbox, mailbox, one_line
from comms.models import Delivery, Notice, Recipient, Report
from incidents.admin.base import ReadOnlyAdmin
from incidents.configuration import RecordedAdmin


class RecipientForm(ModelForm):
    """A stakeholder with exactly one mailbox."""

    class Meta:
        model = Recipient
        fields = ("product", "name", "email", "active")

    def clean_name(self) -> str:
        return one_line(self.cleaned_data["name"])

    def clean_email(self) -> str:
        try:
            return mailbox(self.cleaned_data["email"])
        except NotAMailbox as problem:
            raise ValidationError(str(problem)) from problem


@admin.register(Recipient)
class RecipientAdmin(RecordedAdmin):
    form = RecipientForm
    list_display = ("name", "email", "product", "active")
    list_filter = ("product", "active")
    list_select_related = ("product",)
    search_fields = ("name", "email")
    withheld = frozenset({"name", "email"})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("product",) if obj else ()


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ("incident", "kind", "state", "subject", "written_by", "issued_at", "sent_at")
    list_filter = ("kind", "state")
    list_select_related = ("incident", "written_by")
    search_fields = ("incident__reference", "subject", "body")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("notice", "name", "email", "state", "tries", "sent_at", "answer")
    list_filter = ("state",)
    list_select_related = ("notice",)
    search_fields = ("email", "name", "message_id", "notice__incident__reference")
    fields = (
        "notice",
        "name",
        "email",
        "state",
        "message_id",
        "sha256",
        "tries",
        "not_before",
        "lease_until",
        "answer",
        "sent_at",
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("content")


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    list_display = ("incident", "evidence_seq", "state", "pages", "size", "asked_at", "finished_at", "problem")
    list_filter = ("state",)
    list_select_related = ("incident",)
    search_fields = ("incident__reference", "sha256")
