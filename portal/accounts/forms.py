"""The forms of sign-in and of one's own account, in our words."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ChangePasswordForm, LoginForm
from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from django import forms

from portal.accounts import throttle
from portal.accounts.second_factor import SingleUse


def without_placeholders(form: forms.Form) -> None:
    """A placeholder that repeats the label is gone as soon as one types, and is read twice aloud."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)


class SignInForm(LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        without_placeholders(self)
        self.fields["login"].widget.attrs |= {"autofocus": True, "autocomplete": "username"}
        self.fields["password"].help_text = ""


class PasswordForm(ChangePasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        without_placeholders(self)
        for name, label in (("oldpassword", "Current password"), ("password1", "New password")):
            self.fields[name].label = label
        self.fields["password2"].label = "New password once more"

    def clean_oldpassword(self) -> str:
        with throttle.one_try(context.request, self.user.email) as was_right:
            typed = str(super().clean_oldpassword())
            was_right()
            return typed


class CodeForm(SingleUse, AuthenticateForm):
    """The code of the app or a recovery code, on the way in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        of_code(self)


def of_code(form: forms.Form) -> None:
    without_placeholders(form)
    code = form.fields["code"]
    code.label, code.help_text = "Code", "Six digits of your app, or a recovery code."
    code.widget.attrs |= {"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}


class ActivateAppForm(ActivateTOTPForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        of_code(self)
        self.fields["code"].help_text = "Six digits that the app shows now."
