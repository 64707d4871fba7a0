"""Fields that several steps share. Shape only: whether an act is possible is the step's to say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

LONG = 20_000


class OneLine(forms.CharField):
    """Text of one line; a line break that came in with a paste becomes a space."""

    def to_python(self, value: Any) -> str:
        return " ".join(str(super().to_python(value) or "").split())


class Words(forms.CharField):
    """Text of several lines."""

    def __init__(self, *, rows: int = 3, **options: Any) -> None:
        options.setdefault("widget", forms.Textarea(attrs={"rows": rows}))
        super().__init__(**options)

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").replace("\r\n", "\n")


class Moment(forms.DateTimeField):
    """A date and time in UTC, to the minute."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(widget=widget, **options)

    def to_python(self, value: Any) -> datetime | None:
        """In UTC, whatever offset it was written with.

        Raises:
            ValidationError: it is none, or in UTC it is before the first year or after the last.
        """
        moment: datetime | None = super().to_python(value)
        try:
            return moment.astimezone(UTC) if moment else None
        except OverflowError as error:
            raise ValidationError("This time is out of range.") from error


class Day(forms.DateField):
    def __init__(self, **options: Any) -> None:
        super().__init__(widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **options)


class WebLink(forms.URLField):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=1000, assume_scheme="https", **options)

    def clean(self, value: Any) -> str:
        link = str(super().clean(value) or "")
        if link and not link.startswith(("https://", "http://")):
            raise ValidationError("Give a web address that begins with https:// or http://.")
        return link


class ExhibitFile(forms.FileField):
    """A file as evidence; whether it is kept is for `evidence.attachments` to say."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=200, required=False, **options)
        if settings.UPLOAD_TYPES:
            self.widget.attrs["accept"] = ",".join(settings.UPLOAD_TYPES)


def data_of(request: Any) -> tuple[Any, Any]:
    """What a form reads: the fields and files of a POST, nothing otherwise."""
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)
