"""The runbook as the document it is, in each stored version."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from incidents.models import RunbookVersion
from incidents.runbook import versions

CONTENTS = [
    ("objective", "Objective"),
    ("ownership", "Ownership"),
    ("freeze-scope", "Freeze scope"),
    ("levels", "Rollback scope levels"),
    ("procedure", "Procedure"),
    ("checklist", "Cleanup checklist"),
    ("templates", "Communication templates"),
    ("deliverables", "Post-rollback deliverables"),
]


@require_safe
def runbook(request: Any) -> HttpResponse:
    return _show(request, versions.current(), is_current=True)


@require_safe
def runbook_version(request: Any, number: int) -> HttpResponse:
    version = get_object_or_404(RunbookVersion, number=number)
    return _show(request, version, is_current=version == versions.current())


def _show(request: Any, version: RunbookVersion, *, is_current: bool) -> HttpResponse:
    context = {
        "version": version,
        "is_current": is_current,
        "book": version.content,
        "contents": CONTENTS,
        "versions": RunbookVersion.objects.defer("source").select_related("created_by"),
    }
    return render(request, "incidents/runbook.html", context)
