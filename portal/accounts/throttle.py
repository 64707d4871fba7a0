"""How often a password or a code may be tried: bounded per address and per account, and no way to lock the owner out.

A device that somebody signed in with before is known by a signed cookie, and its tries at their account are counted
apart: whoever floods the account or shares the address cannot use those up. A passkey is not guessed, so not counted.
Tries stand in the database, which each web process sees, and which is there when Redis is not.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import structlog
from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from portal.accounts.models import Try

WINDOW = timedelta(minutes=15)
MOST = {"address": 30, "account": 10, "device": 10}
COOKIE = "__Host-device" if settings.HTTPS else "device"
COOKIE_SECONDS = 180 * 86_400
ACCOUNTS_A_DEVICE = 10
SALT = "portal.accounts.throttle"

log = structlog.get_logger()


@contextmanager
def one_try(request: HttpRequest, email: str) -> Iterator[Any]:
    """Count a try before it is made; call what this gives where it was right, and it is not counted.

    Raises:
        ValidationError: too many wrong tries.
    """
    tries = [Try.objects.create(bucket=_digest(kind, word)) for kind, word in _buckets(request, email)]
    if full := _full(request, email):
        Try.objects.filter(pk__in=[row.pk for row in tries]).delete()
        log.warning("sign_in_throttled", by=full, address=address_of(request))
        raise get_adapter(request).validation_error("too_many_login_attempts")
    yield lambda: Try.objects.filter(pk__in=[row.pk for row in tries]).delete()


def _full(request: HttpRequest, email: str) -> list[str]:
    """Which of the buckets this try overfilled. What is older than the window is gone first."""
    Try.objects.filter(at__lte=timezone.now() - WINDOW).delete()
    return [
        kind
        for kind, word in _buckets(request, email)
        if Try.objects.filter(bucket=_digest(kind, word)).count() > MOST[kind]
    ]


def _buckets(request: HttpRequest, email: str) -> list[tuple[str, str]]:
    if _account(email) in _device(request)["accounts"]:
        return [("device", f"{_device(request)['id']} {_account(email)}")]
    return [("address", address_of(request)), ("account", _account(email))]


def address_of(request: HttpRequest) -> str:
    """Where the request comes from; of IPv6 the network, in which one household or attacker has them all."""
    address = str(get_adapter(request).get_client_ip(request))
    found = ipaddress.ip_address(address)
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address


def _digest(kind: str, word: str) -> str:
    return salted_hmac(f"{SALT}.{kind}", word, algorithm="sha256").hexdigest()


def _account(email: str) -> str:
    return _digest("account", email.strip().lower())


# The known device -----------------------------------------------------------------------------------------------------


def _device(request: HttpRequest) -> dict[str, Any]:
    """Which device this is and whose accounts it was let into, as we signed it."""
    try:
        found = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=COOKIE_SECONDS)
    except signing.BadSignature:
        found = {"id": secrets.token_urlsafe(12), "accounts": []}
    return dict(found)


def remember(request: HttpRequest, response: HttpResponse, email: str) -> None:
    """Know this device from now on: its person got in with it."""
    device = _device(request)
    others = [account for account in device["accounts"] if account != _account(email)]
    device["accounts"] = [*others, _account(email)][-ACCOUNTS_A_DEVICE:]
    response.set_cookie(
        COOKIE,
        signing.dumps(device, salt=SALT),
        max_age=COOKIE_SECONDS,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )
