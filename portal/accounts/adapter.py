"""How allauth behaves here: nobody signs up, nobody is told which accounts exist, no link leads to another site."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from portal.accounts import throttle

UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104 - who listens on a socket file names no peer, and a proxy may send nonsense


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "Email and password do not belong together, or the account may not sign in.",
        "enter_current_password": "This is not your current password.",
        "incorrect_password": "This is not your password.",
        "too_many_login_attempts": "Too many wrong tries. Wait a quarter of an hour, or sign in with a passkey.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """Only pages of the host that was asked: other names of ours may be another installation tomorrow."""
        return url_has_allowed_host_and_scheme(url, {self.request.get_host()}, require_https=self.request.is_secure())

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Never by allauth: `portal.accounts.step_up` is the one table of what asks for it."""
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """The person of these credentials, if they may sign in; one who may not gets the answer of a wrong password."""
        with throttle.one_try(request, credentials.get("email", "")) as was_right:
            person = super().authenticate(request, **credentials)
            if not person or not person.is_active:
                return None
            was_right()
            return person

    def post_login(self, request: HttpRequest, user: Any, **facts: Any) -> HttpResponse:
        """Lead on, and know this device from now on."""
        response: HttpResponse = super().post_login(request, user, **facts)
        throttle.remember(request, response, user.email)
        return response

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        messages.error(request, "This account may not sign in. An administrator can open it again.")
        return redirect("account_login")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("account_sessions")

    def get_client_ip(self, request: HttpRequest) -> str:
        try:
            return str(super().get_client_ip(request))
        except PermissionDenied:
            return UNKNOWN_ADDRESS
