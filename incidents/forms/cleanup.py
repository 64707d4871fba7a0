"""Evidence as a file, a link or a text, and the one form that an area's owner fills in."""

from __future__ import annotations

from typing import Any

from django import forms

from incidents.forms.fields import LONG, ExhibitFile, Moment, OneLine, WebLink, Words
from incidents.terms import CleanupState

PARTS = ("text", "link", "file")
# What is said of the parts, where there are any.
ORIGIN = ("source", "collected_at")
MARKS = ("personal", *ORIGIN)


def evidence_fields(wanted: str = "") -> dict[str, forms.Field]:
    """The three ways to bring one piece of evidence."""
    text = Words(label="In words, or pasted output", max_length=LONG, required=False, rows=3)
    text.widget.attrs["class"] = "mono"
    fields: dict[str, forms.Field] = {
        "text": text,
        "link": WebLink(label="Or a link to it", required=False),
        "file": ExhibitFile(label="Or a file"),
        "source": OneLine(label="Where it was taken from", max_length=200, required=False),
        "collected_at": Moment(label="When it was taken, in UTC", required=False),
        "personal": forms.BooleanField(
            label="It speaks of a person: keep it apart, so it can be erased", required=False
        ),
    }
    for part, field in fields.items():
        if wanted:
            field.widget.attrs["aria-label"] = f"{wanted}: {part}"
    return fields


def given(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The parts that were given, and what was said of them; nothing where no part was."""
    parts = {part: value for part in PARTS if (value := data.get(f"{prefix}{part}"))}
    marks = {mark: value for mark in MARKS if (value := data.get(f"{prefix}{mark}"))}
    return parts | marks if parts else {}


def lacking(data: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """The fields of an origin that was given for nothing, each with the sentence that says so."""
    if any(data.get(f"{prefix}{part}") for part in PARTS):
        return {}
    sentence = "Bring the file, link or text that this is about."
    return {f"{prefix}{name}": sentence for name in ORIGIN if data.get(f"{prefix}{name}")}


class Evidence(forms.Form):
    """A form that brings one piece of evidence along, if there is any."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= evidence_fields()
        self.order_fields(self.field_order)

    @property
    def brought(self) -> dict[str, Any]:
        return given(self.cleaned_data)

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or {}
        for name, sentence in lacking(asked).items():
            self.add_error(name, sentence)
        return asked


class Slot:
    """One piece of evidence that an area asks for, with its three fields."""

    def __init__(self, form: CleanupForm, key: str, name: str, exhibits: list[Any]) -> None:
        self.key, self.name, self.exhibits = key, name, exhibits
        self.text, self.link, self.file = (form[f"{key}-{part}"] for part in PARTS)
        self.personal, self.source, self.collected_at = (form[f"{key}-{mark}"] for mark in MARKS)


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
        found = {key: given(self.cleaned_data, f"{key}-") for key, _, _ in self.area.evidence}
        return {key: parts for key, parts in found.items() if parts}

    def clean(self) -> dict[str, Any]:
        for key, _, _ in self.area.evidence:
            for name, sentence in lacking(self.cleaned_data, f"{key}-").items():
                self.add_error(name, sentence)
        if not self.errors and not self.ticked and not self.brought:
            raise forms.ValidationError("Tick at least one item, or bring a file, a link or a text.")
        return self.cleaned_data


class WaiveForm(forms.Form):
    item = forms.CharField(max_length=40, widget=forms.HiddenInput)
    reason = OneLine(label="Why it does not apply", max_length=500)
