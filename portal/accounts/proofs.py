"""How a person proves that it is they: by password, or by their second factor once they have one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allauth.account.forms import ReauthenticateForm
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.mfa.base.forms import ReauthenticateForm as ReauthenticateByCodeForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal.auth import begin_authentication
from django import forms
from django.http import HttpRequest

from portal.accounts import passkeys
from portal.accounts.forms import of_code, without_placeholders
from portal.accounts.second_factor import REAL, SingleUse

# No form of ours has a field whose name begins so.
PREFIX = "step-up"


@dataclass
class Proof:
    """One way to prove oneself: its form, and what to do once that is valid."""

    kind: str
    form: forms.Form
    accept: Callable[[HttpRequest], Any]
    options: Any = None


class PasswordProof(ReauthenticateForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        without_placeholders(self)
        self.fields["password"].help_text = ""
        self.fields["password"].widget.attrs["autofocus"] = True


class CodeProof(SingleUse, ReauthenticateByCodeForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        of_code(self)


def offered(request: HttpRequest) -> list[Proof]:
    """The ways that are open to the person; a form is bound where the request has a try at it."""
    kinds = set(Authenticator.objects.filter(user_id=request.user.pk).values_list("type", flat=True))
    if kinds & set(REAL):
        return [*_by_passkey(request, kinds), *_by_code(request, kinds)]
    if request.user.has_usable_password():  # type: ignore[union-attr]
        return [Proof("password", _form(PasswordProof, request, "password"), reauthenticate_by_password)]
    return []


def _by_code(request: HttpRequest, kinds: set[str]) -> list[Proof]:
    if kinds == {Authenticator.Type.WEBAUTHN}:
        return []
    form: Any = _form(CodeProof, request, "code")
    return [Proof("code", form, lambda _: form.save())]


def _by_passkey(request: HttpRequest, kinds: set[str]) -> list[Proof]:
    if Authenticator.Type.WEBAUTHN not in kinds:
        return []
    form: Any = _form(passkeys.ProofForm, request, "credential")
    return [Proof("passkey", form, lambda _: form.save())]


def challenge(proofs: list[Proof], person: Any) -> None:
    """Put what the browser asks the passkey for beside its form; the challenge is of this page alone."""
    for proof in proofs:
        if proof.kind == "passkey":
            proof.options = {"request_options": begin_authentication(person)}


def _form(kind: type[forms.Form], request: HttpRequest, field: str) -> forms.Form:
    tried = f"{PREFIX}-{field}" in request.POST
    return kind(data=request.POST if tried else None, user=request.user, prefix=PREFIX)  # type: ignore[call-arg]
