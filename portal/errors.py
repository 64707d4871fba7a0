"""The pages of a no and of an error nobody foresaw. Who typed something finds it there again."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseForbidden, HttpResponseServerError
from django.template import loader


def server_error(request: HttpRequest) -> HttpResponseServerError:
    context = {"request_id": getattr(request, "request_id", "")}
    return HttpResponseServerError(loader.render_to_string("500.html", context))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseForbidden:
    context = {"exception": str(exception), "typed": _typed(request)}
    return HttpResponseForbidden(loader.render_to_string("403.html", context, request))


def _typed(request: HttpRequest) -> list[tuple[str, str]]:
    """What a person wrote into the form that was not taken, to be copied from the page."""
    sent = request.POST.items() if request.method == "POST" else ()
    return [
        (name.replace("_", " "), str(value))
        for name, value in sent
        if str(value).strip() and name != "csrfmiddlewaretoken" and "password" not in name
    ]
