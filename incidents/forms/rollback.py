"""What is asked about the actions of the rollback."""

from __future__ import annotations

from typing import Any

from django import forms

from incidents.forms.cleanup import Evidence
from incidents.forms.fields import Moment, OneLine, Words
from incidents.policy import LEADS
from incidents.terms import Role, Track

_OWNERS = [(role.value, role.label) for role in Role if role in LEADS]


class AddActionForm(forms.Form):
    name = OneLine(label="What is to be done", max_length=200)
    track = forms.TypedChoiceField(
        label="Part of", choices=[(t.value, f"{t.value} {t.label}") for t in Track], coerce=Track
    )
    owner = forms.TypedChoiceField(label="Owner", choices=_OWNERS, coerce=Role)
    stage = forms.IntegerField(
        min_value=1, max_value=99, help_text="Stages run in order; the actions of one stage side by side."
    )
    destructive = forms.BooleanField(
        label="It destroys or cannot be undone", required=False, help_text="A second person approves it first."
    )
    reason = Words(label="Why it is needed", max_length=500)


class CompleteForm(Evidence):
    """An action done by hand: what came of it, and what shows it."""

    succeeded = forms.TypedChoiceField(
        label="Outcome",
        choices=[("yes", "Done"), ("no", "Failed")],
        coerce=lambda word: word == "yes",
        widget=forms.RadioSelect,
    )
    result = Words(label="What was done, and what it showed", max_length=1000)
    happened_at = Moment(label="When it was done, if not now", required=False)
    field_order = ("succeeded", "result", "happened_at", "text", "link", "file")


class ReasonForm(forms.Form):
    """One reason, for the acts that need nothing else."""

    reason = Words(max_length=500, rows=2)

    def __init__(self, *args: Any, label: str = "Why", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = label


class ResolveForm(forms.Form):
    """What an attempt of unknown outcome did, after somebody looked at the outside system."""

    succeeded = forms.TypedChoiceField(
        label="What the outside system shows",
        choices=[("yes", "It was done"), ("no", "It was not done")],
        coerce=lambda word: word == "yes",
        widget=forms.RadioSelect,
    )
    reason = Words(
        label="What you saw there", max_length=500, help_text="The second person reads this and looks as well."
    )
