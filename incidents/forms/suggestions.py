"""What is asked of whoever dismisses a suggestion."""

from __future__ import annotations

from django import forms

from incidents.forms.fields import OneLine


class DismissForm(forms.Form):
    reason = OneLine(max_length=500, label="Why nothing is declared for it", error_messages={"required": "Say why."})
