"""What is asked to check a foreign evidence log, and to mark in it what an incident affected."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from incidents.evidence.foreign import DIALECTS, Mode
from incidents.forms.fields import LONG, ExhibitFile, OneLine, Words
from incidents.steps import foreign

HASH = re.compile(r"(sha256:)?[0-9a-fA-F]{64}")
_MODES = {
    Mode.WHOLE: ("A whole log", "From its first entry on. An entry that is missing is told."),
    Mode.SEGMENT: ("A part of one", "What a filter, a run or a page gives. What lies around it is not asked for."),
}
_MONO = {"class": "mono", "autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}


class HashField(OneLine):
    """A SHA-256 in hex, with or without the prefix that some logs write."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=80, widget=forms.TextInput(attrs=_MONO), **options)

    def clean(self, value: Any) -> str:
        found = super().clean(value)
        if found and not HASH.fullmatch(found):
            raise ValidationError("Give 64 hex digits, as the log writes them.")
        return str(found)


class CheckForm(forms.Form):
    """A file, or the address of a log; how to check it; and what it is evidence for."""

    file = ExhibitFile(label="The log as a file")
    address = OneLine(
        label="Address",
        max_length=2000,
        required=False,
        help_text="Every page is fetched. The host has to be one that the operator allows.",
        widget=forms.TextInput(attrs=_MONO | {"inputmode": "url"}),
    )
    token = forms.CharField(
        label="Bearer token",
        max_length=4000,
        required=False,
        help_text="Sent with these requests, and kept nowhere.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    mode = forms.TypedChoiceField(
        label="The file holds",
        choices=[(mode.value, words[0]) for mode, words in _MODES.items()],
        coerce=Mode,
        initial=Mode.WHOLE,
        widget=forms.RadioSelect,
    )
    anchor = HashField(
        label="A hash you know",
        required=False,
        help_text="From a mail, a report or an earlier check. It shows whether the log was cut off, or is another one.",
    )
    subject = forms.ChoiceField(label="Evidence for")

    def __init__(self, *args: Any, incident: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"subject": foreign.offered(incident, foreign.OUTPUT)} | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        self.fields["subject"].choices = foreign.subjects(incident)  # type: ignore[attr-defined]
        self.fields["mode"].descriptions = {mode.value: words[1] for mode, words in _MODES.items()}  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = [name for name in ("file", "address") if self.cleaned_data.get(name)]
        if not self.errors and len(given) != 1:
            raise ValidationError("Bring the log as a file, or name the address to fetch it from: one of the two.")
        return self.cleaned_data


class MarkForm(forms.Form):
    """What is affected, and in which log."""

    found_runs = forms.MultipleChoiceField(label="Runs of the log", required=False, widget=forms.CheckboxSelectMultiple)
    runs = Words(label="Run ids", max_length=LONG, required=False, rows=3, help_text="One a line.")
    evidence = Words(label="Evidence ids", max_length=LONG, required=False, rows=3, help_text="One a line.")
    workspace = OneLine(
        label="Workspace id", max_length=200, help_text="As the log writes it.", widget=forms.TextInput(attrs=_MONO)
    )
    correlation = OneLine(
        label="Correlation id",
        max_length=200,
        help_text="The incident's reference where there is none.",
        widget=forms.TextInput(attrs=_MONO),
    )
    dialect = forms.TypedChoiceField(
        label="How the log is written",
        choices=[(key, dialect.name) for key, dialect in DIALECTS.items()],
        coerce=lambda key: DIALECTS[key],
    )
    head = HashField(label="Hash of its last entry", help_text="The mark follows it. Ask for it right before.")
    subject = forms.ChoiceField(label="Evidence for")
    mono: ClassVar = ("runs", "evidence")

    def __init__(self, *args: Any, incident: Any, found_runs: list[str] | None = None, **kwargs: Any) -> None:
        usual = {"subject": foreign.offered(incident, foreign.LINKS), "correlation": incident.reference}
        kwargs["initial"] = usual | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        self.fields["subject"].choices = foreign.subjects(incident)  # type: ignore[attr-defined]
        self.fields["found_runs"].choices = [(run, run) for run in found_runs or ()]  # type: ignore[attr-defined]
        for name in self.mono:
            self.fields[name].widget.attrs |= _MONO

    @property
    def affected(self) -> dict[str, tuple[str, ...]]:
        """The runs and entries that were ticked or written down, none twice."""
        given = self.cleaned_data
        return {
            "runs": foreign.unique([*given["found_runs"], *given["runs"].splitlines()]),
            "evidence": foreign.unique(given["evidence"].splitlines()),
        }

    def clean(self) -> dict[str, Any]:
        if not self.errors and not any(self.affected.values()):
            raise ValidationError("Name at least one run or one entry that is affected.")
        return self.cleaned_data
