"""Signing in and out, and one's own account. Every route is listed: what allauth has beside these is not reached."""

from __future__ import annotations

from allauth.account import views as account
from django.urls import path
from django.views.decorators.http import require_POST

from portal.accounts import sessions

urlpatterns = [
    path("sign-in/", account.login, name="account_login"),
    path("sign-out/", require_POST(account.logout), name="account_logout"),
    path("account/password/", account.password_change, name="account_change_password"),
    path("account/sessions/", sessions.sessions, name="account_sessions"),
    path("account/sessions/end-others/", sessions.end_others, name="account_end_other_sessions"),
    path("account/sessions/<int:pk>/end/", sessions.end, name="account_end_session"),
]
