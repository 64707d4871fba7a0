"""What is asked to end a false alarm."""

from __future__ import annotations

from django import forms

from incidents.forms.fields import Words


class StandDownForm(forms.Form):
    reason = Words(
        max_length=500,
        label="Why this was a false alarm",
        help_text="The second person reads it, the log keeps it, and stakeholders are told.",
    )
