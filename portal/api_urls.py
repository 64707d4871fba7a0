"""Routes below /api/v1/. Whatever is not one of them, or not asked by a method it knows, is a problem document."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from incidents.api.problem import problem
from portal.api import api

_FORM_SLACK = 64 * 1024
View = Callable[..., HttpResponseBase]


def _answered(view: View) -> View:
    """A view of the API: no session, no cookie, no form token; a body that is too large is not read."""

    @wraps(view, assigned=("__doc__",))
    def answered(request: HttpRequest, *args: Any, **route: Any) -> HttpResponseBase:
        if _declared_length(request) > settings.UPLOAD_MAX_BYTES + _FORM_SLACK:
            return problem(request, 413, "The body is larger than any that is taken here.")
        try:
            response = view(request, *args, **route)
        except Http404:  # the root, where django-ninja has nothing to show
            return _nothing_here(request)
        if response.status_code == 405:
            return problem(request, 405, "This address does not know the method.", headers={"Allow": response["Allow"]})
        return response

    return csrf_exempt(login_not_required(answered))


def _declared_length(request: HttpRequest) -> int:
    declared = request.META.get("CONTENT_LENGTH") or ""
    return int(declared[:20]) if declared.isdecimal() else 0


def _nothing_here(request: HttpRequest, **_: Any) -> HttpResponse:
    return problem(request, 404, "There is no such address.")


def _wrapped(pattern: Any) -> Any:
    pattern.callback = _answered(pattern.callback)
    return pattern


_patterns, _app, _namespace = api.urls
urlpatterns = [
    path("", ([_wrapped(pattern) for pattern in _patterns], _app, _namespace)),
    re_path(r"^.*$", _answered(_nothing_here)),
]
