"""What is asked to raise or lower the scope level."""

from __future__ import annotations

from typing import Any

from django import forms

from incidents.forms.fields import Words
from incidents.models import Incident
from incidents.terms import Level


class LevelForm(forms.Form):
    level = forms.TypedChoiceField(coerce=Level, widget=forms.RadioSelect, label="New scope level")
    reason = Words(max_length=500, label="Why", help_text="On record; to lower the level, a second person reads it.")

    def __init__(self, *args: Any, incident: Incident, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["level"]
        field.choices = [(level.value, level.label) for level in Level if level != incident.level]
        field.descriptions = {
            level.value: f"{'Raise' if level.height > incident.level.height else 'Lower'}: {text.scope}."
            for level, text in incident.book.levels.items()
        }
