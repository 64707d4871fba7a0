"""What is asked to erase a personal value."""

from __future__ import annotations

from django import forms

from incidents.forms.fields import OneLine


class EraseForm(forms.Form):
    """The value is named by the button that was pressed; the reason is what a person gives."""

    entry = forms.IntegerField(min_value=1, max_value=2**53, widget=forms.HiddenInput)
    path = OneLine(max_length=40, widget=forms.HiddenInput)
    reason = OneLine(
        max_length=500, label="Why, and who asked for it", error_messages={"required": "Say why it is erased."}
    )
