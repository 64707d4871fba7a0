"""The front page: what is frozen, and what is open."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from incidents.board.overview import overview


def board(request: Any) -> HttpResponse:
    return render(request, "incidents/board.html", {"overview": overview(request.user)})
