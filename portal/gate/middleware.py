"""The freeze gate: the outermost layer answers /api/v1/freeze/… itself, from committed rows and nothing else.

No ORM, session, cookie or broker takes part. Whatever it cannot read it answers with a no.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from django.db import Error as DatabaseGone
from django.http import HttpRequest, HttpResponse

from incidents import clock, freeze_check
from incidents.api.problem import problem
from incidents.freeze_check import Decision, Facts, Question
from portal.accounts.auth import Unauthenticated, note_use, presented_digest
from portal.accounts.models import Scope
from portal.gate import state as freeze_state
from portal.gate.question import PARAMETERS, Misasked, parameters, question_of

PREFIX = "/api/v1/freeze/"
_PATH = re.compile(r"(?P<product>[-a-zA-Z0-9_]{1,60})(?P<check>/check)?")
_HEADERS = {"Cache-Control": "no-store", "Vary": "Authorization", "X-Content-Type-Options": "nosniff"}


class FreezeGate:
    """Middleware: the first in the list."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        return answer(request)


def answer(request: HttpRequest) -> HttpResponse:
    """The answer to any request below the prefix."""
    request.request_id = uuid.uuid4().hex  # type: ignore[attr-defined]
    response = _answer(request)
    for name, value in _HEADERS.items():
        response[name] = value
    response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
    return response


def _answer(request: HttpRequest) -> HttpResponse:
    found = _PATH.fullmatch(request.path_info[len(PREFIX) :])
    if found is None:
        return problem(request, 404, "There is no such address.")
    if request.method not in ("GET", "HEAD"):
        return problem(request, 405, "Ask with GET.", headers={"Allow": "GET, HEAD"})
    try:
        digest = presented_digest(request)
        response = (_check if found["check"] else _state)(request, digest, found["product"])
    except Unauthenticated as error:
        return problem(request, 401, str(error))
    except Misasked as error:
        errors = [{"field": error.name, "message": str(error)}]
        return problem(request, 422, f"{error.name}: {error}", errors=errors)
    if response.status_code not in (401, 503):
        note_use(digest)
    return response


# The check ----------------------------------------------------------------------------------------------------------


def _check(request: HttpRequest, digest: str, product: str) -> HttpResponse:
    asked = parameters(request, frozenset(PARAMETERS))
    question, at = question_of(asked), clock.now()
    try:
        reading = freeze_check.read(digest, product, question)
    except DatabaseGone:
        gone = Decision(False, "The database does not answer: take this for a freeze.")
        return _decision(503, product, question, None, gone, at)
    if refusal := _refusal(request, reading, at):
        return refusal
    assert reading  # noqa: S101 - _refusal() settled it
    if not reading.environment_known:
        raise Misasked("environment", "The product has no such environment.")
    decided = freeze_check.decide(question, reading.facts, at)
    status = 423 if asked.get("enforce") == "1" and not decided.allowed else 200
    return _decision(status, product, question, reading.facts, decided, at)


def _decision(
    status: int, product: str, question: Question, facts: Facts | None, decided: Decision, at: datetime
) -> HttpResponse:
    body = {
        "decision": "allow" if decided.allowed else "deny",
        "operation": question.operation.value,
        "product": product,
        "incident": facts.incident if facts else None,
        "reason": decided.reason,
        "scope_level": facts.level.value if facts else None,
        "since": decided.since,
        "exception": decided.exception,
        "checked_at": at,
    }
    return _json(status, body)


def _refusal(request: HttpRequest, reading: Any, at: datetime) -> HttpResponse | None:
    """What token and product have against an answer."""
    if reading is None or not reading.token.is_live(at):
        return problem(request, 401, "This token is unknown, expired or revoked.")
    if Scope.CHECK not in reading.token.scopes:
        return problem(request, 403, "This token lacks the scope “check” (ask the freeze gate).", kind="scope")
    if not reading.product_known:
        return problem(request, 404, "There is no such product, or this token is for another one.")
    return None


# The state ----------------------------------------------------------------------------------------------------------


def _state(request: HttpRequest, digest: str, product: str) -> HttpResponse:
    parameters(request, frozenset())
    at = clock.now()
    try:
        state = freeze_check.read_state(digest, product, at)
    except DatabaseGone:
        return _json(503, {"product": product, "frozen": None, "fail": "closed", "checked_at": at})
    if refusal := _refusal(request, state, at):
        return refusal
    assert state  # noqa: S101 - _refusal() settled it
    return _json(200, freeze_state.told(product, state, at))


def _json(status: int, body: dict[str, Any]) -> HttpResponse:
    headers = {"Retry-After": "2"} if status == 503 else None
    content = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    return HttpResponse(content, status=status, content_type="application/json", headers=headers)
