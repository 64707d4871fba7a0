"""Who a bearer token speaks for. The header is the only place a token may come in; cookies count for nothing here."""

from __future__ import annotations

import re

from django.http import HttpRequest
from ninja.security import HttpBearer

from portal.accounts.models import TOKEN_PREFIX, ApiToken, Scope, digest_of

_SECRET = re.compile(re.escape(TOKEN_PREFIX) + r"[A-Za-z0-9_-]{20,200}")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Unauthenticated(Exception):
    """No usable token came with the request."""


class OutOfScope(Exception):
    """The token is good, but not for this."""


class Bearer(HttpBearer):
    """django-ninja's gate: reading needs the scope `read`, every other method the scope `act`."""

    def __call__(self, request: HttpRequest) -> ApiToken:
        return self.authenticate(request)

    def authenticate(self, request: HttpRequest, token: str = "") -> ApiToken:
        """The live token of the request's header; `token`, as django-ninja reads it, is not relied on."""
        found = token_of(request)
        request.user = found.user
        needed = Scope.READ if request.method in SAFE_METHODS else Scope.ACT
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
    return token


def presented_digest(request: HttpRequest) -> str:
    """The digest of the token in the Authorization header; a token in the address is refused whatever the header says.

    Raises:
        Unauthenticated: the header is missing or holds no token of ours.
    """
    if TOKEN_PREFIX in request.META.get("QUERY_STRING", ""):
        raise Unauthenticated("A token never belongs in the address, where logs keep it: revoke this one.")
    scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not _SECRET.fullmatch(secret):
        raise Unauthenticated("Send the header Authorization: Bearer lgd_… with a token of yours.")
    return digest_of(secret)
