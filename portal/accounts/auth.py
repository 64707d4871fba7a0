"""Who a bearer token speaks for. The header is the only place a token may come in; cookies count for nothing here."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, transaction
from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from incidents.api.strict import bound_body
from portal.accounts import token as form
from portal.accounts.models import ApiToken, Scope
from portal.accounts.token import digest_of

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
NOTED_EVERY = 300.0
_noted: dict[str, float] = {}


class Unauthenticated(Exception):
    """No usable token came with the request."""


class OutOfScope(Exception):
    """The token is good, but not for this."""


class Bearer(HttpBearer):
    """django-ninja's gate: reading needs the scope `read`, every other method the scope `act`, or the one named."""

    def __init__(self, scope: Scope | None = None, longest: int | None = None) -> None:
        """The gate.

        Args:
            longest: how many bytes a body may have, where that is less than everywhere.
        """
        super().__init__()
        self.scope = scope
        self.longest = longest

    def __call__(self, request: HttpRequest) -> ApiToken:
        return self.authenticate(request)

    def authenticate(self, request: HttpRequest, token: str = "") -> ApiToken:
        """The live token of the request's header; `token`, as django-ninja reads it, is not relied on."""
        found = token_of(request)
        request.user = found.user
        if self.longest is not None:
            bound_body(request, self.longest)
        needed = self.scope or (Scope.READ if request.method in SAFE_METHODS else Scope.ACT)
        if needed not in found.scopes:
            raise OutOfScope(f"This token lacks the scope “{needed.value}” ({needed.label.lower()}).")
        return found


def token_of(request: HttpRequest) -> ApiToken:
    """The live token in the request's header.

    Raises:
        Unauthenticated: none, more than one way of giving it, unknown, expired, revoked, or of an inactive person.
    """
    digest = presented_digest(request)
    token = ApiToken.objects.select_related("user", "product").filter(digest=digest).first()
    if token is None or not token.is_live():
        raise Unauthenticated("This token is unknown, expired or revoked.")
    note_use(digest)
    return token


def note_use(digest: str) -> None:
    """Let the token's page say when it was last used. Nothing waits for this, and nothing fails with it."""
    now = time.monotonic()
    if now - _noted.get(digest, -NOTED_EVERY) < NOTED_EVERY:
        return
    _noted[digest] = now
    with suppress(DatabaseError):
        (_note_beside if connection.vendor == "sqlite" else _note_unless_locked)(digest, timezone.now())


def _note_unless_locked(digest: str, at: datetime) -> None:
    with transaction.atomic():
        free = ApiToken.objects.filter(digest=digest).select_for_update(skip_locked=True)
        ApiToken.objects.filter(pk__in=free.values("pk")).update(last_used_at=at)


def _note_beside(digest: str, at: datetime) -> None:
    """Over a connection of its own, which does not wait while somebody else writes to SQLite."""
    beside: Any = connections[DEFAULT_DB_ALIAS].copy()
    beside.settings_dict["OPTIONS"]["timeout"] = 0
    moment = beside.ops.adapt_datetimefield_value(at)
    try:
        with beside.cursor() as cursor:
            cursor.execute("UPDATE accounts_apitoken SET last_used_at = %s WHERE digest = %s", [moment, digest])
    finally:
        beside.close()


def presented_digest(request: HttpRequest) -> str:
    """The digest of the token in the Authorization header.

    A token in the address or in a cookie is refused whatever the header says. One that is mistyped or cut off is
    refused by its check, before the database is asked.

    Raises:
        Unauthenticated: the header is missing or holds no token of ours.
    """
    if form.PREFIX in unquote(request.META.get("QUERY_STRING", "")):
        raise Unauthenticated("A token never belongs in the address, where logs keep it: revoke this one.")
    if form.is_in(unquote(request.META.get("HTTP_COOKIE", ""))):
        raise Unauthenticated("A token never belongs in a cookie, which a browser sends by itself: revoke this one.")
    scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.startswith(form.PREFIX):
        raise Unauthenticated("Send the header Authorization: Bearer lgd_… with a token of yours.")
    if not form.is_whole(secret):
        raise Unauthenticated("This token is mistyped or cut off.")
    return digest_of(secret)
