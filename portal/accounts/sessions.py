"""Where one is signed in: every session of one's own, to be ended one by one or all but this."""

from __future__ import annotations

import structlog
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

log = structlog.get_logger()
BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrom": "Chrome", "Safari": "Safari"}
SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS": "Mac",
    "Linux": "Linux",
}


class Adapter(DefaultUserSessionsAdapter):
    def end_sessions(self, sessions: list[UserSession]) -> None:
        """End them, and say so in the log."""
        super().end_sessions(sessions)
        for ended in sessions:
            log.info("session_ended", person=str(ended.user.public_id), address=ended.ip)


def device(user_agent: str) -> str:
    """A browser's name of itself in two words: `Firefox on Windows`."""
    browser = next((name for mark, name in BROWSERS.items() if mark in user_agent), "Unknown browser")
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), "an unknown system")
    return f"{browser} on {system}"


def open_sessions(request: HttpRequest) -> list[UserSession]:
    """One's sessions that still hold, the newest first."""
    found = UserSession.objects.purge_and_list(request.user)
    return sorted(found, key=lambda session: session.created_at, reverse=True)


@require_safe
def sessions(request: HttpRequest) -> HttpResponse:
    rows = [
        {"session": found, "device": device(found.user_agent), "is_this": found.is_current()}
        for found in open_sessions(request)
    ]
    return render(request, "usersessions/sessions.html", {"rows": rows, "others": sum(not r["is_this"] for r in rows)})


@require_POST
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """End one session of one's own; ending this one is a sign-out."""
    session = get_object_or_404(UserSession, pk=pk, user=request.user)
    end_sessions(request, [session])
    if request.user.is_authenticated:
        messages.success(request, f"{device(session.user_agent)} is signed out.")
    return redirect("account_sessions" if request.user.is_authenticated else "account_login")


@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    """End every session of one's own but this."""
    others = [found for found in open_sessions(request) if not found.is_current()]
    end_sessions(request, others)
    messages.success(request, "You are signed out everywhere but here.")
    return redirect("account_sessions")
