"""The second factor: who must have one, how its secret is kept, and that a code of the app counts once."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from allauth.core import context
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.accounts import throttle

REAL = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def has(person: Any) -> bool:
    """Whether the person has an app or a passkey; recovery codes alone are no second factor."""
    return bool(Authenticator.objects.filter(user_id=person.pk, type__in=REAL).exists())


def is_required_of(person: Any) -> bool:
    return bool(settings.REQUIRE_MFA == "all" or (settings.REQUIRE_MFA == "staff" and person.is_staff))


class Adapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": "You must have a second factor: add another one before you remove this one.",
        "incorrect_code": "This code is wrong, or was used before. Wait for the next one.",
    }

    def encrypt(self, text: str) -> str:
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _box().decrypt(encrypted_text.encode()).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        others = Authenticator.objects.filter(user_id=authenticator.user_id, type__in=REAL).exclude(pk=authenticator.pk)
        return not is_required_of(authenticator.user) or others.exists()

    def generate_authenticator_name(self, user: Any, type: Any) -> str:  # noqa: A002 - allauth's name
        return f"Passkey {Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1}"

    def _get_site_name(self) -> str:
        return "Lastgood"


def _box() -> MultiFernet:
    """The first key encrypts, each of them decrypts."""
    return MultiFernet([Fernet(_derived(key)) for key in settings.FACTOR_KEYS])


def _derived(key: str) -> bytes:
    derived = HKDF(SHA256(), 32, salt=None, info=b"lastgood second factor").derive(key.encode())
    return base64.urlsafe_b64encode(derived)


def spend(authenticator: Authenticator, code: str) -> bool:
    """Take a code of the app, whoever else takes it at the same moment: False if it or a later one was taken before.

    The row is the truth. allauth keeps used codes in the cache, which each web process has for itself.
    """
    with transaction.atomic():
        row = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
        secret = Adapter().decrypt(row.data["secret"])
        matching = [
            counter
            for counter in yield_hotp_counters_from_time()
            if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, counter)))
        ]
        if not matching or max(matching) <= row.data.get("spent", 0):
            return False
        row.data["spent"] = max(matching)
        row.save(update_fields=["data"])
    return True


class SingleUse:
    """A form's code counts once; a secret that no key opens any more is a wrong code."""

    user: Any
    authenticator: Authenticator

    def clean_code(self) -> str:
        with throttle.one_try(context.request, self.user.email) as was_right:
            try:
                code = str(super().clean_code())  # type: ignore[misc]
                is_good = self.authenticator.type != Authenticator.Type.TOTP or spend(self.authenticator, code)
            except InvalidToken:
                is_good = False
            if not is_good:
                raise Adapter().validation_error("incorrect_code")
            was_right()
            return code


class Required:
    """Leads whoever must have a second factor to set it up, before anything else works for them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *_: Any) -> HttpResponse | None:
        person = request.user
        is_open = not getattr(view, "login_required", True) or is_of_the_account(request)
        if is_open or not person.is_authenticated or not is_required_of(person) or has(person):
            return None
        return redirect("mfa_index")


def is_of_the_account(request: HttpRequest) -> bool:
    """Whether this is a page of one's own account, or the way out."""
    name = str(request.resolver_match and request.resolver_match.view_name)
    return name.startswith(("account_", "mfa_"))
