"""What is asked to choose a target, and to confirm one aspect of it."""

from __future__ import annotations

from typing import Any

from django import forms

from incidents.forms.fields import OneLine, Words
from incidents.terms import TargetKind


class TargetForm(forms.Form):
    kind = forms.TypedChoiceField(
        label="Back to which", choices=TargetKind.choices, coerce=TargetKind, widget=forms.RadioSelect
    )
    identifier = OneLine(
        max_length=200,
        help_text="The commit hash, build number or deployment name, as your pipeline writes it.",
        widget=forms.TextInput(attrs={"class": "mono", "autocapitalize": "none", "spellcheck": "false"}),
    )
    reason = Words(
        label="Why this is the last known good",
        max_length=500,
        help_text="What shows that it was good: a green build, a release that ran, a check.",
    )


class ConfirmForm(forms.Form):
    note = Words(label="What you checked, and what it showed", max_length=500)

    def __init__(self, *args: Any, ask: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].help_text = ask
