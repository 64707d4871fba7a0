"""Every no of the API as a problem document; what nobody anticipated is logged and says so without details."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import structlog
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from incidents.api.found import Misnamed
from incidents.api.incidents import already_frozen
from incidents.api.problem import problem
from incidents.api.strict import BadBody
from incidents.evidence.attachments import Damaged, NotStored, TooLarge
from incidents.evidence.keys import NoKey
from incidents.prepared import GONE
from incidents.steps.base import AlreadyFrozen, Denied, Refused
from portal.accounts.auth import OutOfScope, Unauthenticated

log = structlog.get_logger()
Handler = Callable[[HttpRequest, Any], HttpResponse]


def _plain(status: int, kind: str = "", detail: str = "") -> Handler:
    """A handler whose detail is the exception's sentence, or the one given."""
    return lambda request, error: problem(request, status, detail or str(error), kind=kind)


def _refused(request: HttpRequest, error: Refused) -> HttpResponse:
    return problem(request, 409, str(error), kind="refused", blockers=error.sentences)


def _misnamed(request: HttpRequest, error: Misnamed) -> HttpResponse:
    return _invalid(request, [(error.field, str(error))])


def _not_stored(request: HttpRequest, error: NotStored) -> HttpResponse:
    return _invalid(request, [("file", str(error))])


def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """django-ninja wraps what the parser said; the sentence and the status are the parser's."""
    cause = error.__cause__
    if isinstance(cause, BadBody):
        return problem(request, cause.status, str(cause))
    return problem(request, error.status_code, str(error))


def _validation(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Wrong fields are 422; a word of the address that is none of ours is simply not found."""
    sources = {found["loc"][0] for found in error.errors}
    if "path" in sources:
        return problem(request, 404, "There is no such address.")
    if "file" in sources and request.content_type != "multipart/form-data":
        return problem(request, 415, "Send the file as multipart/form-data.")
    return _invalid(request, [(_field(found["loc"]), str(found["msg"])) for found in error.errors[:50]])


def _field(loc: tuple[Any, ...]) -> str:
    """`body.items.0`: the place without django-ninja's name for the whole body."""
    return ".".join([str(loc[0]), *(str(part)[:60] for part in loc[2 if loc[0] == "body" else 1 :])])


def _invalid(request: HttpRequest, found: Iterable[tuple[str, str]]) -> HttpResponse:
    errors = [
        {"field": _clean(field), "message": _clean(message).removeprefix("Value error, ")} for field, message in found
    ]
    return problem(
        request, 422, "; ".join(f"{e['field']}: {e['message']}" for e in errors)[:1000], kind="invalid", errors=errors
    )


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()[:300]


def _gone(request: HttpRequest, error: Exception) -> HttpResponse:
    log.error("api.database_gone", error=type(error).__name__)
    detail = "The database does not answer: nothing was changed that was not answered with success."
    return problem(request, 503, detail, headers={"Retry-After": "2"})


def _bug(request: HttpRequest, error: Exception) -> HttpResponse:
    log.error("api.failed", path=request.path, exc_info=error)
    got_request_exception.send(sender=None, request=request)
    return problem(request, 500, "Something went wrong here. The request id finds it in the log.")


HANDLERS: dict[type[Exception], Handler] = {
    Unauthenticated: _plain(401),
    OutOfScope: _plain(403, "scope"),
    Denied: _plain(403, "denied"),
    Http404: _plain(404),
    Misnamed: _misnamed,
    AlreadyFrozen: already_frozen,
    Refused: _refused,
    Damaged: _plain(409, "damaged"),
    NoKey: _plain(503, "no-key"),
    TooLarge: _plain(413),
    NotStored: _not_stored,
    BadBody: lambda request, error: problem(request, error.status, str(error)),
    HttpError: _http_error,
    ValidationError: _validation,
    RequestDataTooBig: _plain(413, detail="A body may hold at most 2.5 MB."),
    BadRequest: _plain(400, detail="The request is not well-formed."),
    SuspiciousOperation: _plain(400, detail="The request is not well-formed."),
    MultiPartParserError: _plain(400, detail="The multipart body is not well-formed."),
    UnreadablePostError: _plain(400, detail="The body ended early."),
    **dict.fromkeys(GONE, _gone),
    Exception: _bug,
}


def handle(api: NinjaAPI) -> None:
    for kind, handler in HANDLERS.items():
        api.add_exception_handler(kind, handler)
