"""The front page: what is frozen, and what is open."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from incidents.board.overview import overview


@require_safe
def board(request: Any) -> HttpResponse:
    return render(request, "incidents/board.html", {"overview": overview(request.user)})
