"""The forms of sign-in and of one's own account, in our words."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ChangePasswordForm, LoginForm
from django import forms


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
