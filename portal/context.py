"""What the frame around every page shows: freezes in force, what waits for the person, whether a worker answers."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from comms.models import Delivery, DeliveryState, Notice
from incidents import board
from incidents.board.frame import WAITED, Frame
from incidents.board.frame import frame as read_frame
from incidents.evidence import witness
from incidents.steps import kill_switch

KEPT_SECONDS = 20
_STUCK = (
    "No worker has been heard of for a minute, while actions, checks or updates wait for one. "
    "Nothing is lost: they go on when a worker is back."
)


def frame(request: HttpRequest) -> dict[str, Any]:
    """Read nothing for a visitor, and for a person only what the page then shows: one statement as a rule."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"single_sign_on": settings.OIDC_NAME if settings.OIDC_SERVER else ""}
    around: Any = SimpleLazyObject(lambda: _read(user))
    return {
        "banner_freezes": SimpleLazyObject(lambda: around.freezes),
        "banner_missed": SimpleLazyObject(lambda: _missed(around.beside)),
        "banner_warnings": SimpleLazyObject(
            lambda: [*_stopped(around), *([_STUCK] if around.is_work_stuck else []), *witness.alarms().values()]
        ),
        "suggestion_count": lambda: around.suggested,
        "work_count": SimpleLazyObject(lambda: _work_count(user, around, getattr(request, "incident", None))),
    }


def _stopped(around: Frame) -> list[str]:
    sentence = kill_switch.sentence(around.stopped)
    return [f"{sentence} No action starts; what people do by hand goes on."] if sentence else []


def _read(user: Any) -> Frame:
    letters = Delivery.objects.filter(state=DeliveryState.QUEUED, not_before__lt=Now() - WAITED)
    missed = Notice.objects.missed_by(user)
    return read_frame(user, letters, beside=(missed, ["kind", "pk", "incident__reference"]))


def _missed(reads: list[list[Any]]) -> list[dict[str, str]]:
    """Updates that did not reach everyone, for those who can send a copy again."""
    return [
        {
            "name": Notice(kind=kind).name,
            "reference": reference,
            "url": reverse("comms:notice", args=[reference, UUID(str(key))]),
        }
        for kind, key, reference in sorted(reads, key=lambda read: read[2])
    ]


def _work_count(user: Any, around: Frame, read: Any) -> int:
    """Counted again when a log of the person's incidents has grown, or when what lapses by itself may have lapsed."""
    if not around.heads:
        return 0
    key = hashlib.sha256(f"{user.pk} {around.heads}".encode()).hexdigest()
    return int(cache.get_or_set(f"work-{key}", lambda: board.work_count(user, read), KEPT_SECONDS) or 0)
