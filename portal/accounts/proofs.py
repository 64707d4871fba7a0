"""How a person proves that it is they: by password, or by their second factor once they have one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allauth.account.forms import ReauthenticateForm
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from django import forms
from django.http import HttpRequest

from portal.accounts.forms import without_placeholders

# No form of ours has a field whose name begins so.
PREFIX = "step-up"


@dataclass
class Proof:
    """One way to prove oneself: its form, and what to do once that is valid."""

    kind: str
    form: forms.Form
    accept: Callable[[HttpRequest], Any]


class PasswordProof(ReauthenticateForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        without_placeholders(self)
        self.fields["password"].help_text = ""
        self.fields["password"].widget.attrs["autofocus"] = True


def has_factor(person: Any) -> bool:
    """Whether the person has set up a second factor."""
    return False


def offered(request: HttpRequest) -> list[Proof]:
    """The ways that are open to the person; their forms are bound where the request has a try at them."""
    if not request.user.has_usable_password():  # type: ignore[union-attr]
        return []
    return [Proof("password", _form(PasswordProof, request, "password"), reauthenticate_by_password)]


def _form(kind: type[forms.Form], request: HttpRequest, field: str) -> forms.Form:
    tried = f"{PREFIX}-{field}" in request.POST
    return kind(request.POST if tried else None, user=request.user, prefix=PREFIX)  # type: ignore[call-arg]
