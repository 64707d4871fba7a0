"""Single sign-on by OpenID Connect: whom the provider vouches for comes in as the person of that address here."""

from __future__ import annotations

from typing import Any

import requests
import structlog
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.providers.openid_connect import views as oidc
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from incidents import configuration
from portal.accounts.models import User

log = structlog.get_logger()
TRUE = (True, "true")  # some providers send it as text


@login_not_required
@require_POST
def begin(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Lead to the provider, by a page of ours: the content security policy lets no form end at another site.

    Nothing but where to go then is taken from the request: allauth would let it change what the provider is asked.
    """
    asked = QueryDict(mutable=True)
    asked["next"] = request.POST.get("next", "")
    request.GET, request.POST = QueryDict(), asked  # type: ignore[assignment]
    try:
        answer = oidc.login(request, provider_id)
    except requests.RequestException:
        messages.error(request, f"{settings.OIDC_NAME} does not answer. Try again, or sign in another way.")
        return redirect("account_login")
    if isinstance(answer, HttpResponseRedirect):
        return render(request, "socialaccount/going_on.html", {"url": answer.url})
    return HttpResponse(answer.content, status=answer.status_code)


class Adapter(DefaultSocialAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        """The provider of the settings alone: a row that somebody put into the table vouches for nobody."""
        return [app for app in super().list_apps(request, provider, client_id) if app.pk is None]

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        """Leave why in the log: the page tells a stranger nothing of it."""
        reasons = [type(one).__name__ for one in (exception, getattr(exception, "__cause__", None)) if one]
        log.warning("single_sign_on_failed", error=str(error), reasons=reasons)

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Let in whom we know by this account or by a verified address; make the person only where settings say so.

        Raises:
            ImmediateHttpResponse: nobody of that address is known, or it is not verified.
        """
        # Addresses of ours are changed in the back office alone: none is kept beside a person's own.
        sociallogin.email_addresses = []
        if sociallogin.state.get("process") != "login":
            raise ImmediateHttpResponse(redirect("account_login"))
        if sociallogin.is_existing:
            return
        with transaction.atomic():
            person = _known_or_new(_claims(sociallogin))
            if person:
                sociallogin.connect(request, person)
        if not person:
            name = settings.OIDC_NAME
            messages.error(request, f"Nobody here has the verified address that {name} names. Ask an administrator.")
            raise ImmediateHttpResponse(redirect("account_login"))


def _claims(sociallogin: Any) -> dict[str, Any]:
    found = sociallogin.account.extra_data
    return dict(found.get("userinfo") or found.get("id_token") or {})


def _known_or_new(claims: dict[str, Any]) -> User | None:
    email = str(claims.get("email") or "").strip().lower()
    if not email or not (settings.OIDC_TRUST_EMAILS or claims.get("email_verified") in TRUE):
        return None
    known = User.objects.filter(email=email).first()
    return known or (_new(email, str(claims.get("name") or "")) if settings.OIDC_CREATE else None)


def _new(email: str, name: str) -> User:
    person = User.objects.create_user(email, None, name=(name or email.partition("@")[0])[:120])
    configuration.record_row(person, by=None)
    return person
