"""Versions of the runbook: read, compared, and edited as the next version, never in place."""

from __future__ import annotations

import difflib
from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

from incidents.admin.base import PageAct, ReadOnlyAdmin
from incidents.admin.connector import lost_wirings
from incidents.models import RunbookVersion
from incidents.runbook import BadRunbook, versions
from incidents.runbook.content import digest


class EditForm(forms.Form):
    """The whole text, what changed and why, and the version that was current when the edit began."""

    source = forms.CharField(
        label="Runbook text (TOML)",
        strip=False,
        max_length=200_000,
        widget=forms.Textarea(attrs={"rows": 40, "cols": 120, "class": "mono", "spellcheck": "false"}),
    )
    note = forms.CharField(
        label="What changed and why", max_length=200, widget=forms.TextInput(attrs={"class": "vTextField"})
    )
    current = forms.IntegerField(widget=forms.HiddenInput)

    def clean_source(self) -> str:
        source = str(self.cleaned_data["source"]).replace("\r\n", "\n")
        now = versions.current()
        if digest(source) == now.sha256:
            raise forms.ValidationError(f"This is the text of version {now.number}: nothing changed.")
        return source


@admin.register(RunbookVersion)
class RunbookVersionAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "note", "created_by", "created_at", "incidents", "sha256")
    list_select_related = ("created_by",)
    search_fields = ("note", "sha256", "source")
    fields = ("number", "note", "created_by", "created_at", "sha256", "changes", "text")
    readonly_fields = ("changes", "text")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RunbookVersion]:
        versions_: QuerySet[RunbookVersion] = super().get_queryset(request)
        return versions_.annotate(incident_count=Count("incidents"))

    def own_views(self) -> dict[str, Any]:
        return {"edit": self.edit}

    def acts_of(self, request: HttpRequest, row: Any) -> list[PageAct]:
        return [PageAct("Edit as new version", self.url_of("edit", row))]

    def edit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Publish a changed text as the next version; incidents keep the version they were declared under."""
        row = self.found(request, object_id)
        start = {"source": row.source, "current": versions.current().number}
        form = EditForm(request.POST or None, initial=start)
        if form.is_valid():
            try:
                return redirect(self.url_of("change", self._publish(request, **form.cleaned_data)))
            except BadRunbook as error:
                form.add_error("source", str(error))
        return self.page(request, "edit_runbook", row, f"Edit {row} as a new version", form=form)

    def _publish(self, request: HttpRequest, *, source: str, note: str, current: int) -> RunbookVersion:
        with transaction.atomic():
            version = versions.publish(source, note=note, by=request.user, after=current)
            self.log_addition(request, version, f"Published {version}: {note}")
        self.message_user(request, f"Runbook {version} is published. New declarations follow it.")
        if lost := lost_wirings(version.content):
            self.message_user(
                request, f"The new version has no {', '.join(lost)}: their wirings do nothing.", "WARNING"
            )
        return version

    @admin.display(description="Incidents")
    def incidents(self, row: Any) -> int:
        return int(row.incident_count)

    @admin.display(description="Changes")
    def changes(self, row: RunbookVersion) -> SafeString | str:
        before = RunbookVersion.objects.filter(number=row.number - 1).first()
        if before is None:
            return "The first version."
        lines = difflib.unified_diff(
            before.source.splitlines(), row.source.splitlines(), str(before), str(row), lineterm=""
        )
        return format_html("<pre>{}</pre>", "\n".join(lines))

    @admin.display(description="Text")
    def text(self, row: RunbookVersion) -> SafeString:
        return format_html("<pre>{}</pre>", row.source)
