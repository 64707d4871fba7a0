"""What waits for me, across incidents."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from incidents.board import works_of


@require_safe
def work(request: Any) -> HttpResponse:
    found = works_of(request.user)
    return render(request, "incidents/work.html", {"works": found, "work_count": sum(len(one.duties) for one in found)})
