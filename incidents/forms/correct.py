"""What is asked to put a line of the log right."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms

from incidents.forms.fields import Moment, OneLine, Words
from incidents.steps.correct import Line


class CorrectForm(forms.Form):
    """Begins with the words and the time as they stand; what was changed of them is the correction."""

    text = Words(max_length=4000, label="What it should say")
    happened_at = Moment(
        required=False, label="When it happened", help_text="Empty means: when it was recorded. It cannot be later."
    )
    reason = OneLine(max_length=500, label="Why", error_messages={"required": "Say why the entry is corrected."})

    def __init__(self, *args: Any, line: Line, **options: Any) -> None:
        options["initial"] = {"text": line.words, "happened_at": _event_time(line)}
        super().__init__(*args, **options)
        self.line = line
        if line.words is None:
            del self.fields["text"]

    def asked(self) -> dict[str, Any]:
        """What was changed; an emptied time is the moment of recording."""
        changed = {name: self.cleaned_data[name] for name in self.changed_data}
        if "happened_at" in changed:
            changed["happened_at"] = changed["happened_at"] or self.line.entry.at
        return changed | {"reason": self.cleaned_data["reason"]}


def _event_time(line: Line) -> datetime | None:
    """The time that the field shows, to the minute as it shows it; none where it is the moment of recording."""
    moment = line.reading.happened_at
    return None if moment == line.entry.at else moment.replace(second=0, microsecond=0)
