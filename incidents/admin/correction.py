"""The one change that a row of an incident can take here: a correction, made by the step and kept in the log."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from incidents.admin.base import PageAct, ReadOnlyAdmin
from incidents.models import Incident
from incidents.steps import correct
from incidents.steps.base import Denied, Refused


class CorrectionForm(forms.Form):
    """Which field, what it should say, and why."""

    field = forms.ChoiceField()
    value = forms.CharField(label="New value", widget=forms.Textarea(attrs={"rows": 4, "cols": 80}), required=False)
    reason = forms.CharField(max_length=500, widget=AdminTextInputWidget)

    def __init__(self, *args: Any, row: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.current = [(name, _label(row, name), getattr(row, name)) for name in _open_fields(row)]
        self.fields["field"].choices = [(name, label) for name, label, _ in self.current]  # type: ignore[attr-defined]


def _open_fields(row: Any) -> list[str]:
    return [field.name for field in row._meta.concrete_fields if field.name in correct.CORRECTABLE[type(row)]]


def _label(row: Any, name: str) -> str:
    return str(row._meta.get_field(name).verbose_name).capitalize()


class CorrectableAdmin(ReadOnlyAdmin):
    """A read-only page with a way to a correction."""

    def own_views(self) -> dict[str, Any]:
        return {"correct": self.correct}

    def acts_of(self, request: HttpRequest, row: Any) -> list[PageAct]:
        return [PageAct("Correct a field", self.url_of("correct", row))]

    def correct(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the form; make the correction, or say why not."""
        row = self.found(request, object_id)
        form = CorrectionForm(request.POST or None, row=row)
        if form.is_valid() and self._is_corrected(request, row, form):
            return redirect(self.url_of("change", row))
        return self.page(request, "correct", row, f"Correct {self.opts.verbose_name}", form=form)

    def _is_corrected(self, request: HttpRequest, row: Any, form: CorrectionForm) -> bool:
        asked = form.cleaned_data
        name, incident = asked["field"], row if isinstance(row, Incident) else row.incident
        old = getattr(row, name)
        try:
            with transaction.atomic():
                correct.record(incident, row, name, asked["value"], by=request.user, reason=asked["reason"])
                row.refresh_from_db()
                said = (
                    f"Corrected {_label(row, name).lower()} from “{old}” to “{getattr(row, name)}”: {asked['reason']}"
                )
                self.log_change(request, row, said)
        except Refused as no:
            form.add_error(None, no.sentences)
        except Denied as no:
            form.add_error(None, str(no))
        else:
            self.message_user(request, said)
        return not form.errors
