"""The forms that take what a passkey answered. What is none of that in form is a passkey that nobody knows."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from cryptography.exceptions import InvalidSignature
from django import forms

# What the libraries below raise at an answer that no browser gives; allauth lets it through.
MALFORMED = (
    AttributeError,
    IndexError,
    InvalidSignature,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
UNKNOWN = "This passkey is not known here, or its answer came too late. Try again."


@contextmanager
def unknown_if_malformed() -> Iterator[None]:
    try:
        yield
    except (forms.ValidationError, *MALFORMED) as error:
        raise forms.ValidationError(UNKNOWN) from error


class CredentialField(forms.JSONField):
    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        with unknown_if_malformed():
            return super().to_python(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """An answer is good once: the page never shows it again."""
        return initial


class SignInForm(LoginWebAuthnForm):
    credential = CredentialField()

    def clean_credential(self) -> Any:
        with unknown_if_malformed():
            return super().clean_credential()


class SecondStepForm(AuthenticateWebAuthnForm):
    credential = CredentialField()

    def clean_credential(self) -> Any:
        with unknown_if_malformed():
            return super().clean_credential()


class ProofForm(ReauthenticateWebAuthnForm):
    credential = CredentialField()

    def clean_credential(self) -> Any:
        with unknown_if_malformed():
            return super().clean_credential()


class AddForm(AddWebAuthnForm):
    credential = CredentialField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name, alone = self.fields["name"], self.fields["passwordless"]
        name.label, name.help_text = "Name", "So that you tell your keys apart, as “Work laptop”."
        name.widget.attrs["maxlength"] = 80
        alone.label, alone.initial = "Sign in with it alone", True
        alone.help_text = "Without the password: the device then asks for your finger, your face or its PIN."

    def clean_name(self) -> str:
        return str(super().clean_name())[:80]

    def clean(self) -> dict[str, Any]:
        with unknown_if_malformed():
            return dict(super().clean())


class RenameForm(EditWebAuthnForm):
    name = forms.CharField(label="Name", max_length=80)
