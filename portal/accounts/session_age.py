"""A session ends by itself: after a while without an act, and after a working day whatever happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

BEGAN, SEEN = "began_at", "seen_at"
WRITTEN_SECONDS = 60


@receiver(user_logged_in)
def _began(request: HttpRequest, **_: Any) -> None:
    request.session[BEGAN] = request.session[SEEN] = int(time.time())


class SessionAge:
    """Ends what is too old, and notes once a minute that the person is there. A page that asks by itself is no act."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSION_KEY in request.session:
            if sentence := ended(request.session, int(time.time())):
                logout(request)
                messages.info(request, sentence)
            elif "HX-Request" not in request.headers:
                _note_presence(request)
        return self.get_response(request)


def ended(session: Any, now: int) -> str:
    """Why the session is over; empty while it holds. One that does not say when it began is over."""
    if now - session.get(BEGAN, 0) >= settings.SESSION_COOKIE_AGE:
        return "You were signed out: a session lasts a working day. What you typed is kept on this device."
    if now - session.get(SEEN, 0) >= settings.SESSION_IDLE_SECONDS:
        return "You were signed out: nothing was done for a while. What you typed is kept on this device."
    return ""


def _note_presence(request: HttpRequest) -> None:
    now = int(time.time())
    if now - request.session[SEEN] >= WRITTEN_SECONDS:
        request.session[SEEN] = now
        UserSession.objects.filter(session_key=request.session.session_key).update(last_seen_at=timezone.now())
