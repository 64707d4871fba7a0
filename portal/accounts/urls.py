"""Signing in and out, and one's own account. Every route is listed: what allauth has beside these is not reached."""

from __future__ import annotations

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount.providers.openid_connect import views as oidc
from allauth.socialaccount.views import login_cancelled
from django.contrib.auth.decorators import login_not_required
from django.db.transaction import atomic
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_POST

from portal.accounts import password, sessions, single_sign_on

OIDC = {"provider_id": "oidc"}

entrance = [
    path("", account.login, name="account_login"),
    path("second-factor/", mfa.authenticate, name="mfa_authenticate"),
    path("passkey/", webauthn.login_webauthn, name="mfa_login_webauthn"),
    path("oidc/", single_sign_on.begin, OIDC, name="openid_connect_login"),
    path("oidc/callback/", oidc.callback, OIDC, name="openid_connect_callback"),
    path("oidc/cancelled/", login_cancelled, name="socialaccount_login_cancelled"),
]
# What changes how somebody gets in, and the entry that says so, are one transaction.
two_steps = [
    path("", mfa.index, name="mfa_index"),
    path("app/", totp.activate_totp, name="mfa_activate_totp"),
    path("app/remove/", atomic(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("passkeys/", webauthn.list_webauthn, name="mfa_list_webauthn"),
    path("passkeys/add/", atomic(webauthn.add_webauthn), name="mfa_add_webauthn"),
    path("passkeys/<int:pk>/rename/", webauthn.edit_webauthn, name="mfa_edit_webauthn"),
    path("passkeys/<int:pk>/remove/", atomic(webauthn.remove_webauthn), name="mfa_remove_webauthn"),
    path("recovery-codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("recovery-codes/new/", atomic(recovery_codes.generate_recovery_codes), name="mfa_generate_recovery_codes"),
    path("recovery-codes/download/", recovery_codes.download_recovery_codes, name="mfa_download_recovery_codes"),
]
own: list[URLPattern | URLResolver] = [
    path("password/", password.change, name="account_change_password"),
    path("two-step/", include(two_steps)),
    path("sessions/", sessions.sessions, name="account_sessions"),
    path("sessions/end-others/", sessions.end_others, name="account_end_other_sessions"),
    path("sessions/<int:pk>/end/", sessions.end, name="account_end_session"),
]
urlpatterns = [
    path("sign-in/", include(entrance)),
    # Also the way back for whoever has given a password and not yet the code.
    path("sign-out/", login_not_required(require_POST(account.logout)), name="account_logout"),
    path("account/", include(own)),
]
