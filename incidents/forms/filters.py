"""What the address of a list or log may ask for. What cannot be understood is left out, never an error."""

from __future__ import annotations

from typing import Any

from django import forms

from incidents.board import GROUPS
from incidents.forms.fields import OneLine
from incidents.models import Product

_LARGEST = 2**53


class Filter(forms.Form):
    def asked(self) -> dict[str, Any]:
        """What was understood; the rest has its empty value."""
        self.is_valid()
        return {name: self.cleaned_data.get(name) or None for name in self.fields}


class ListFilter(Filter):
    state = forms.ChoiceField(choices=[("open", "Open"), ("ended", "Ended")], required=False)
    drills = forms.ChoiceField(choices=[("only", "Drills"), ("none", "Real")], required=False)
    product = forms.ModelChoiceField(
        Product.objects.all(), to_field_name="slug", required=False, empty_label="Any product"
    )
    q = OneLine(max_length=100, required=False, label="Text")
    before = forms.IntegerField(min_value=1, max_value=_LARGEST, required=False)


class LogFilter(Filter):
    show = forms.ChoiceField(choices=[(key, name) for key, (name, _) in GROUPS.items()], required=False)
    before = forms.IntegerField(min_value=1, max_value=_LARGEST, required=False)
    after = forms.IntegerField(min_value=0, max_value=_LARGEST, required=False)
    verify = forms.BooleanField(required=False)
