"""The pages of a no and of an error nobody foresaw. Who typed something finds it there again."""

from __future__ import annotations

import sys

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.template import loader

from incidents.prepared import GONE

_BROKE = {
    "code": 500,
    "what": "Something broke on our side.",
    "why": "The act you tried was not half done: it either happened whole and is in the log, or it did not happen. "
    "A freeze that was in force is still in force. Look at the log before you try again.",
}
_DATABASE = {
    "code": 503,
    "what": "The database does not answer.",
    "why": "It is away, or somebody else holds what you wanted to change. Nothing is half done, and a freeze that was "
    "in force is still in force. Wait a moment, look at the log, and try again.",
}
_SECRET = ("password", "secret", "token", "code")


def server_error(request: HttpRequest) -> HttpResponse:
    """Called by Django while the error is being handled. Asks the database nothing: it may be what is missing."""
    is_database = isinstance(sys.exc_info()[1], GONE)
    words = _DATABASE if is_database else _BROKE
    context = words | {"request_id": getattr(request, "request_id", ""), "typed": _typed(request)}
    response = HttpResponse(loader.render_to_string("500.html", context), status=context["code"])
    if is_database:
        response["Retry-After"] = "2"
    return response


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseForbidden:
    context = {"exception": str(exception), "typed": _typed(request)}
    return HttpResponseForbidden(loader.render_to_string("403.html", context, request))


def _typed(request: HttpRequest) -> list[tuple[str, str]]:
    """What a person wrote into the form that was not taken, to be copied from the page."""
    try:
        sent = list(request.POST.items()) if request.method == "POST" else []
    except (BadRequest, MultiPartParserError, SuspiciousOperation, UnreadablePostError):
        return []
    return [
        (name.replace("_", " "), str(value))
        for name, value in sent
        if str(value).strip() and name != "csrfmiddlewaretoken" and not any(word in name for word in _SECRET)
    ]
