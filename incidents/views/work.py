"""What waits for me, across incidents."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from incidents.board import open_for, work_of


def work(request: Any) -> HttpResponse:
    found = work_of(request.user, open_for(request.user))
    context = {"work": found, "work_count": sum(len(duties) for _, duties in found)}
    return render(request, "incidents/work.html", context)
