"""What may be typed about people and tokens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.contrib.auth.forms import BaseUserCreationForm, UserChangeForm
from django.db import connection
from django.utils import timezone

from incidents import lifecycle
from incidents.models import Incident
from portal.accounts.models import LONGEST_DAYS, TOKEN_DAYS, ApiToken, Scope, User


class NewPersonForm(BaseUserCreationForm):
    """A new person with a first password."""

    class Meta:
        model = User
        fields = ("name", "email", "is_staff")

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()


class PersonForm(UserChangeForm):
    """A person's name, address and access. Nobody takes their own access away."""

    editor: Any = None

    class Meta:
        model = User
        fields = ("name", "email", "is_active", "is_staff")

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or {}
        taken = [name for name in ("is_active", "is_staff") if not asked.get(name)]
        if self.editor and self.instance.pk == self.editor.pk:
            for name in taken:
                self.add_error(name, "You cannot take this from yourself: ask another administrator.")
        elif self.editor and taken and not self._editor_still_may():
            self.add_error(None, "You are no administrator any more: somebody took that from you just now.")
        return asked

    def _editor_still_may(self) -> bool:
        """Two who take it from each other at once leave one: whoever is second has lost it. Locked until the commit."""
        pair = User.objects.filter(pk__in=[self.editor.pk, self.instance.pk]).order_by("pk")
        rows = {row.pk: row for row in pair.select_for_update()} if connection.in_atomic_block else {}
        editor = rows.get(self.editor.pk)
        return editor is None or (editor.is_active and editor.is_staff)


class IssueForm(forms.ModelForm):
    """A token for one person, for an incident, a product or all. It is never edited, only revoked."""

    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=forms.CheckboxSelectMultiple)
    expires_at = forms.SplitDateTimeField(
        widget=AdminSplitDateTime, initial=lambda: timezone.now() + timedelta(days=TOKEN_DAYS)
    )

    class Meta:
        model = ApiToken
        fields = ("name", "user", "product", "incident", "scopes", "expires_at")
        help_texts = {
            "name": "The machine or pipeline that uses it. The evidence log keeps this name.",
            "product": "Empty: every product.",
            "incident": "Empty: every incident of the product.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "user" in self.fields:
            fields: dict[str, Any] = self.fields
            fields["user"].queryset = User.objects.filter(is_active=True)
            fields["incident"].queryset = Incident.objects.filter(phase__in=lifecycle.OPEN)

    def clean_expires_at(self) -> datetime:
        expires_at: datetime = self.cleaned_data["expires_at"]
        now = timezone.now()
        if not now < expires_at <= now + timedelta(days=LONGEST_DAYS):
            raise forms.ValidationError(f"A token expires in the future, at most {LONGEST_DAYS} days from now.")
        return expires_at

    def clean(self) -> dict[str, Any]:
        """An incident is one of the product. A page that is sent twice must not issue twice."""
        asked: dict[str, Any] = super().clean() or {}
        incident, product = asked.get("incident"), asked.get("product")
        if incident and product and incident.product != product:
            self.add_error("incident", f"{incident} is an incident of {incident.product}.")
        same = ApiToken.objects.filter(user=asked.get("user"), name=asked.get("name"), revoked_at=None)
        if asked.get("user") and same.filter(expires_at__gt=timezone.now()).exists():
            self.add_error("name", "This person has a live token of this name: revoke it, or choose another name.")
        return asked
