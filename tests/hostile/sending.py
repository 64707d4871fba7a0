"""Sends a body to a route within this process and looks at what came of it; whatever it changed is taken back."""

from __future__ import annotations

import hashlib
import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.core.handlers.base import BaseHandler
from django.core.signals import got_request_exception, request_finished
from django.db import close_old_connections, connection, transaction
from django.forms import BaseForm
from django.test import RequestFactory

from tests.hostile.bodies import Body

OURS = ("incidents", "comms", "accounts", "mfa", "socialaccount", "admin")
# What a request leaves by being made: when a token was last used, and the tries of a sign-in.
TRACES = {"apitoken": {"last_used_at"}, "user": {"last_login"}}
COUNTERS = {"try"}
_READS = ("SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK", "PRAGMA", "SET", "WITH RECURSIVE", "EXPLAIN")
_SESSIONS = ("django_session", "usersessions_usersession")


@dataclass
class Answer:
    """What came of one request."""

    status: int
    seconds: float
    error: str = ""
    wrote: bool = False
    changed: bool = False
    text: bytes = b""
    gaps: set[str] = field(default_factory=set)

    @property
    def is_success(self) -> bool:
        return self.status in (200, 201, 202, 204, 302, 303)


class Sender:
    """The whole portal, from its outermost middleware in, without a socket."""

    def __init__(self) -> None:
        self.handler = BaseHandler()
        self.handler.load_middleware()
        self.factory = RequestFactory()
        self.error = ""
        got_request_exception.connect(self._heard)
        logging.disable(logging.ERROR)

    def close(self) -> None:
        got_request_exception.disconnect(self._heard)
        logging.disable(logging.NOTSET)

    def request(self, route: Any, body: Body) -> Any:
        extra = {"CONTENT_TYPE": body.media, **route.headers}
        request = self.factory.generic(route.method, route.address, body.content, body.media, **extra)
        request._dont_enforce_csrf_checks = True
        request.COOKIES = dict(route.cookies)
        return request

    def send(self, route: Any, body: Body, look: Any = None) -> Answer:
        """One answer. `look` is called on what it left, if it changed something, before that is taken back."""
        self.error, wrote = "", Writes()
        with transaction.atomic():
            before = time.perf_counter()
            with connection.execute_wrapper(wrote):
                response = self.handler.get_response(self.request(route, body))
                kept = getattr(response, "streaming_content", None)
                text = b"".join(kept) if kept else response.content
            seconds = time.perf_counter() - before
            answer = Answer(response.status_code, seconds, self.error, wrote.seen, text=text)
            _close(response)
            if look and answer.wrote:
                look(answer)
            transaction.set_rollback(True)
        return answer

    def _heard(self, **_: Any) -> None:
        self.error = traceback.format_exc()[-3_000:]


def _close(response: Any) -> None:
    """As Django's test client does: the end of a request would close the connection that holds the transaction."""
    request_finished.disconnect(close_old_connections)
    response.close()
    request_finished.connect(close_old_connections)


class Writes:
    """Notices whether a statement wrote to a table other than the sessions'."""

    def __init__(self) -> None:
        self.seen = False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.lstrip("( \n").upper().startswith(_READS) and not any(table in sql for table in _SESSIONS):
            self.seen = True
        return execute(sql, params, many, context)


def state() -> dict[str, str]:
    """A digest of every table of ours."""
    found = {}
    for model in (model for app in OURS for model in apps.get_app_config(app).get_models()):
        if model._meta.model_name in COUNTERS:
            continue
        without = TRACES.get(model._meta.model_name or "", set())
        columns = [column.attname for column in model._meta.concrete_fields if column.name not in without]
        rows = sorted(map(repr, model._base_manager.values_list(*columns)))
        found[model._meta.label] = hashlib.sha256("\n".join(rows).encode("utf-8", "replace")).hexdigest()
    return found


@contextmanager
def bound_forms() -> Iterator[list[BaseForm]]:
    """The forms that are given something to judge while this lasts."""
    found: list[BaseForm] = []
    judge = BaseForm.full_clean

    def noted(form: BaseForm) -> None:
        if form.is_bound and form not in found:
            found.append(form)
        judge(form)

    BaseForm.full_clean = noted  # type: ignore[method-assign]
    try:
        yield found
    finally:
        BaseForm.full_clean = judge  # type: ignore[method-assign]


def judge(form: BaseForm, data: Any, files: Any) -> bool:
    """The form's own judgement of other data: whether it takes them."""
    form.data, form.files, form._errors = data, files, None  # type: ignore[assignment]
    form._bound_fields_cache.clear()
    return form.is_valid()
