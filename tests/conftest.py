"""Fixtures for every test. The servers behind them are real; each fixture's docstring says what it offers.

`engine` · `smtp_sink` · `worker`, `start_worker` · `served`, `process_env` · `browser_page`, `open_page`, `console`
"""

from __future__ import annotations

import time
from typing import Any

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver

pytest_plugins = ["tests.servers.rules", "tests.servers.smtp", "tests.servers.portal", "tests.servers.browser"]


@receiver(user_logged_in)
def a_login_made_by_a_test_is_fresh(request: Any, user: Any, **_: Any) -> None:
    """`Client.force_login` proves nothing. It counts as a sign-in of this moment, so that acts are taken."""
    if not hasattr(request, "allauth"):
        request.session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "mfa", "at": time.time()}]
        request.session["account_authentication_methods_user"] = str(user.pk)
