"""The runbook as the document it is, in each stored version."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from incidents.models import RunbookVersion
from incidents.runbook import versions


def runbook(request: Any) -> HttpResponse:
    return _show(request, versions.current())


def runbook_version(request: Any, number: int) -> HttpResponse:
    return _show(request, get_object_or_404(RunbookVersion, number=number))


def _show(request: Any, version: RunbookVersion) -> HttpResponse:
    context = {
        "version": version,
        "book": version.content,
        "versions": RunbookVersion.objects.defer("source").select_related("created_by"),
    }
    return render(request, "incidents/runbook.html", context)
