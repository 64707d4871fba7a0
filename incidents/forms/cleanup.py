"""Evidence as a file, a link or a text, and the one form that an area's owner fills in."""

from __future__ import annotations

from typing import Any

from django import forms

from incidents.forms.fields import LONG, ExhibitFile, OneLine, WebLink, Words
from incidents.terms import CleanupState

PARTS = ("text", "link", "file")


def evidence_fields(wanted: str = "") -> dict[str, forms.Field]:
    """The three ways to bring one piece of evidence."""
    text = Words(label="In words, or pasted output", max_length=LONG, required=False, rows=3)
    text.widget.attrs["class"] = "mono"
    fields: dict[str, forms.Field] = {
        "text": text,
        "link": WebLink(label="Or a link to it", required=False),
        "file": ExhibitFile(label="Or a file"),
    }
    for part, field in fields.items():
        if wanted:
            field.widget.attrs["aria-label"] = f"{wanted}: {part}"
    return fields


class Evidence(forms.Form):
    """A form that brings one piece of evidence along, if there is any."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= evidence_fields()
        self.order_fields(self.field_order)

    @property
    def brought(self) -> dict[str, Any]:
        return {part: value for part in PARTS if (value := self.cleaned_data.get(part))}


class Slot:
    """One piece of evidence that an area asks for, with its three fields."""

    def __init__(self, form: CleanupForm, key: str, name: str, exhibits: list[Any]) -> None:
        self.key, self.name, self.exhibits = key, name, exhibits
        self.text, self.link, self.file = (form[f"{key}-{part}"] for part in PARTS)


class CleanupForm(forms.Form):
    """Tick what is done and bring what shows it, for one area at once."""

    items = forms.MultipleChoiceField(label="Done", required=False, widget=forms.CheckboxSelectMultiple)
    note = Words(label="Note on what you tick", max_length=500, required=False, rows=2)

    def __init__(self, *args: Any, area: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.area = area
        every = [(item.key, item.name) for item in area.items]
        still_open = [(item.key, item.name) for item in area.items if item.state == CleanupState.OPEN]
        self.fields["items"].choices = every  # type: ignore[attr-defined]
        self.fields["items"].widget.choices = still_open
        for key, name, _ in area.evidence:
            self.fields |= {f"{key}-{part}": field for part, field in evidence_fields(name).items()}

    @property
    def slots(self) -> list[Slot]:
        return [Slot(self, *wanted) for wanted in self.area.evidence]

    @property
    def ticked(self) -> list[Any]:
        return [item for item in self.area.items if item.key in self.cleaned_data["items"]]

    @property
    def brought(self) -> dict[str, dict[str, Any]]:
        """What was given, for each piece of evidence that something was given for."""
        given = {
            key: {part: value for part in PARTS if (value := self.cleaned_data.get(f"{key}-{part}"))}
            for key, _, _ in self.area.evidence
        }
        return {key: parts for key, parts in given.items() if parts}

    def clean(self) -> dict[str, Any]:
        if not self.errors and not self.ticked and not self.brought:
            raise forms.ValidationError("Tick at least one item, or bring a file, a link or a text.")
        return self.cleaned_data


class WaiveForm(forms.Form):
    item = forms.CharField(max_length=40, widget=forms.HiddenInput)
    reason = OneLine(label="Why it does not apply", max_length=500)
