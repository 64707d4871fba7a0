"""What the address of a list or log may ask for. What cannot be understood is left out, never an error."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from incidents import clock
from incidents.board import GROUPS
from incidents.forms.fields import OneLine
from incidents.models import Incident, Product

_LARGEST = 2**53
_SHOWN = 40  # characters of what nobody could read as a time
_TIMED = re.compile(r"[0-9 +.-]*[T:][0-9T:Z +.-]*")  # a day alone is no moment


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


class Spoken(forms.Field):
    """A moment as people write it: `14:30`, `2026-11-24 14:30`, or ISO 8601. It is UTC where no offset is given."""

    widget = forms.TextInput(attrs={"placeholder": "14:30", "autocomplete": "off", "size": 20})

    def to_python(self, value: Any) -> datetime | time | None:
        said = str(value or "").strip()
        if not said:
            return None
        iso = re.sub(r"^(\d):", r"0\1:", re.sub(r"\s*UTC$", "Z", said.upper()))
        for read in (datetime.fromisoformat, time.fromisoformat):
            try:
                if _TIMED.fullmatch(iso):
                    return _in_utc(read(iso))
            except (ValueError, OverflowError):
                continue
        shown = said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
        raise ValidationError(f"“{shown}” is no time: write 14:30 or 2026-11-24 14:30, in UTC.")


def _in_utc(found: datetime | time) -> datetime | time:
    if found.tzinfo is None:
        return found.replace(tzinfo=UTC)
    return found.astimezone(UTC) if isinstance(found, datetime) else found


class EvidenceFilter(LogFilter):
    """The log of one incident, now or as it was known at a moment."""

    known = Spoken(required=False, label="As known at")

    def __init__(self, *args: Any, incident: Incident, **options: Any) -> None:
        super().__init__(*args, **options)
        self.incident = incident

    def clean_known(self) -> datetime | None:
        said = self.cleaned_data["known"]
        moment: datetime | None = self._on_its_day(said) if isinstance(said, time) else said
        if moment and moment > clock.now():
            raise ValidationError(f"{clock.utc_text(moment)} is still to come.")
        return moment

    def _on_its_day(self, said: time) -> datetime:
        """A time of day of the incident: the last one that has passed before it ended, or today."""
        end = (self.incident.ended_at or clock.now()).astimezone(UTC)
        moment = datetime.combine(end.date(), said).astimezone(UTC)
        before = moment - timedelta(days=1)
        return before if moment > end and before >= self.incident.declared_at else moment
