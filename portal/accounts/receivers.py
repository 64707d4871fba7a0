"""A sign-in, a proof, a changed factor: each is a line in the log, and what lasts is an entry of the evidence."""

from __future__ import annotations

from typing import Any

import structlog
from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.account.signals import authentication_step_completed, password_changed, user_logged_in
from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed, authenticator_added
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.signals import user_logged_out, user_login_failed
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest

from incidents import configuration
from portal.accounts import second_factor
from portal.accounts.models import User

log = structlog.get_logger()
FACTORS = {
    Authenticator.Type.TOTP: "authenticator app",
    Authenticator.Type.WEBAUTHN: "passkey",
    Authenticator.Type.RECOVERY_CODES: "recovery codes",
}


# The log: who, how and whence, never a word that somebody typed ------------------------------------------------------


def _note(event: str, person: Any, **facts: Any) -> None:
    address = get_adapter().get_client_ip(context.request) if context.request else ""
    log.info(event, person=str(person.public_id) if person else None, address=address, **facts)


@receiver(user_logged_in)
def _signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    _note("signed_in", user, by=[_way(record) for record in get_authentication_records(request, user)])


def _way(record: dict[str, Any]) -> str:
    return str(record.get("type") or record["method"])


@receiver(user_logged_out)
def _signed_out(user: User | None, **_: Any) -> None:
    _note("signed_out", user)


@receiver(user_login_failed)
def _refused(**_: Any) -> None:
    _note("sign_in_failed", None)


@receiver(authentication_failed)
def _code_refused(user: User, **_: Any) -> None:
    _note("second_factor_failed", user)


@receiver(authentication_step_completed)
def _proved(user: User, method: str, reauthenticated: bool = False, **facts: Any) -> None:
    if reauthenticated:
        _note("stepped_up", user, by=str(facts.get("type") or method))


# The evidence: what changes how somebody gets in ---------------------------------------------------------------------


@receiver(post_save, sender=Authenticator)
def _factor_added(instance: Authenticator, created: bool, **_: Any) -> None:
    if created:
        _record(instance, "added", old={}, new={"factor": instance.type})


@receiver(post_delete, sender=Authenticator)
def _factor_removed(instance: Authenticator, **_: Any) -> None:
    _record(instance, "removed", old={"factor": instance.type}, new={})


def _record(factor: Authenticator, verb: str, *, old: dict[str, str], new: dict[str, str]) -> None:
    person = str(factor.user.public_id)
    sentence = f"Second factor of user {person} {verb}: {FACTORS[factor.type]}"
    configuration.record(sentence, by=_actor(), thing="second factor", identity=person, old=old, new=new)
    _note(f"second_factor_{verb}", factor.user, factor=str(factor.type))


@receiver(post_save, sender=SocialAccount)
def _account_connected(instance: SocialAccount, created: bool, **_: Any) -> None:
    if created:
        _record_account(instance, "connected to", old={}, new={"account": instance.provider})


@receiver(post_delete, sender=SocialAccount)
def _account_disconnected(instance: SocialAccount, **_: Any) -> None:
    _record_account(instance, "disconnected from", old={"account": instance.provider}, new={})


def _record_account(account: SocialAccount, verb: str, *, old: dict[str, str], new: dict[str, str]) -> None:
    person = str(account.user.public_id)
    sentence = f"Account of the identity provider {verb} user {person}"
    configuration.record(sentence, by=_actor(), thing="connected account", identity=person, old=old, new=new)
    _note(f"account_{verb.split()[0]}", account.user)


def _actor() -> User | None:
    """Whoever is signed in; None for a command."""
    user = getattr(context.request, "user", None)
    return user if user is not None and user.is_authenticated else None


@receiver(password_changed)
def _password_changed(user: User, **_: Any) -> None:
    page = configuration.page_of(User)
    page.record_change(user, {"password": "set"}, {"password": "changed"}, by=user)
    _note("password_changed", user)


@receiver(authenticator_added)
def _setting_it_up_proves_it(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    """Whoever has just set up a factor has shown that they have it; the code that they typed for that is spent."""
    if authenticator.type == Authenticator.Type.TOTP:
        second_factor.spend(authenticator, request.POST.get("code", ""))
    if authenticator.type in second_factor.REAL:
        record_authentication(request, user, "mfa", id=authenticator.pk, type=str(authenticator.type))
