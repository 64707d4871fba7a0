"""What holds for every request: an id in its answer and its log lines, and a word on a form that is too large."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.utils.http import url_has_allowed_host_and_scheme


class RequestLog:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = uuid.uuid4().hex  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=request.request_id):  # type: ignore[attr-defined]
            response = self.get_response(request)
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        if "Cache-Control" not in response and not request.path.startswith("/static/"):
            response["Cache-Control"] = "no-store"
        return response


class FormLimit:
    """Leads a person whose form is too large to read back to it, with a sentence.

    Django reads a form first where it looks for the form's token, before any view, and its answer there is a bare 400.
    So this stands above that, and asks only for what that would read: the API's bodies have no token.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *_: Any) -> HttpResponse | None:
        has_token = request.method == "POST" and not getattr(view, "csrf_exempt", False)
        if not has_token or not request.user.is_authenticated or not _is_too_large(request):
            return None
        _read_to_the_end(request)
        most = filesizeformat(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        messages.error(
            request,
            f"What you sent is larger than {most}, so it was not read and nothing was changed."
            " Shorten the text, or attach it as a file where the form takes one.",
        )
        return redirect(_page_of_form(request))


def _is_too_large(request: HttpRequest) -> bool:
    try:
        request.POST  # noqa: B018
    except RequestDataTooBig:
        return True
    except UnreadablePostError:  # the connection broke; the check of the token says so
        return False
    return False


def _read_to_the_end(request: HttpRequest) -> None:
    """Let it pass unkept: where a server closes on what is still being sent, a browser shows no answer but an error."""
    with suppress(UnreadablePostError):
        while request.read(64 * 1024):
            pass


def _page_of_form(request: HttpRequest) -> str:
    """Where the form stood, if that is a page of ours; else its own address, which shows it or leads to it."""
    page = request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    return page if ours else request.path
