"""What the frame around every page shows: freezes in force, what waits for the person, whether a worker answers."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from comms.models import Delivery, DeliveryState
from incidents import board
from incidents.board.frame import WAITED, Frame
from incidents.board.frame import frame as read_frame

_STUCK = (
    "No worker has been heard of for a minute, while actions, checks or updates wait for one. "
    "Nothing is lost: they go on when a worker is back."
)


def frame(request: HttpRequest) -> dict[str, Any]:
    """Read nothing for a visitor, and for a person only what the page then shows."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    around = SimpleLazyObject(lambda: _read(user))
    return {
        "banner_freezes": SimpleLazyObject(lambda: around.freezes),
        "banner_warnings": SimpleLazyObject(lambda: [_STUCK] if around.is_work_stuck else []),
        "work_count": SimpleLazyObject(lambda: board.work_count(user, getattr(request, "incident", None))),
    }


def _read(user: Any) -> Frame:
    letters = Delivery.objects.filter(state=DeliveryState.QUEUED, not_before__lt=Now() - WAITED)
    return read_frame(user, letters)
