"""What is asked to hand on the work, and to freeze again."""

from __future__ import annotations

from typing import Any

from django import forms

from incidents.forms.fields import Words


class OwnerForm(forms.Form):
    """Who owns one lead's area in the next cycle."""

    person: Any = forms.ModelChoiceField(None, label="Owner of the next cycle's work", empty_label="Choose a person")

    def __init__(self, *args: Any, people: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["person"].queryset = people  # type: ignore[attr-defined]


class RefreezeForm(forms.Form):
    reason = Words(label="Why the freeze comes back", max_length=500, rows=2)
