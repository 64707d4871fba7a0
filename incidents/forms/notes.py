"""What is asked for a note, and for the no of a second person."""

from __future__ import annotations

from django import forms

from incidents.forms.fields import Moment, OneLine, Words


class NoteForm(forms.Form):
    text = Words(max_length=4000, rows=2, label="Note")
    personal = forms.BooleanField(
        required=False,
        label="It speaks of a person",
        help_text="Kept apart from the log, so that it can be erased later.",
    )
    happened_at = Moment(required=False, label="When it happened, if not now")


class DeclineForm(forms.Form):
    note = OneLine(max_length=500, label="Your note", error_messages={"required": "Say why you decline."})
