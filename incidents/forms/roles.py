"""What is asked to give a role, hand it over or take it over."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model

from incidents.forms.fields import OneLine
from incidents.terms import Role

ACTS = {"accept": "Accept", "assign": "Assign", "hand_over": "Hand over", "take_over": "Take over"}


class RoleForm(forms.Form):
    """Which of the four acts, on which role; the acts below ask for more."""

    act = forms.ChoiceField(choices=list(ACTS.items()), widget=forms.HiddenInput)
    role = forms.TypedChoiceField(choices=Role.choices, coerce=Role, widget=forms.HiddenInput)

    def __init__(self, *args: Any, people: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "person" in self.fields:
            self.fields["person"].queryset = people  # type: ignore[attr-defined]

    @property
    def about(self) -> tuple[str, str]:
        """The act and the role that were sent, whether they exist or not."""
        return str(self["act"].value() or ""), str(self["role"].value() or "")


class AcceptForm(RoleForm):
    pass


class AssignForm(RoleForm):
    person = forms.ModelChoiceField(get_user_model().objects.none(), label="To whom", empty_label="Choose a person")
    reason = OneLine(label="Why", max_length=500, required=False)


class HandOverForm(RoleForm):
    person = forms.ModelChoiceField(get_user_model().objects.none(), label="To whom", empty_label="Choose a person")
    reason = OneLine(label="Why", max_length=500, help_text="On record with the time, beside both names.")


class TakeOverForm(RoleForm):
    reason = OneLine(
        label="Why you step in", max_length=500, help_text="On record with the time; the role is yours at once."
    )


FORMS: dict[str, type[RoleForm]] = {
    "accept": AcceptForm,
    "assign": AssignForm,
    "hand_over": HandOverForm,
    "take_over": TakeOverForm,
}
