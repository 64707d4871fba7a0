"""What is asked for a note, and for the no of a second person."""

from __future__ import annotations

from django import forms

from incidents.forms.fields import OneLine, Words


class NoteForm(forms.Form):
    text = Words(max_length=4000, rows=2, label="Note")


class DeclineForm(forms.Form):
    note = OneLine(max_length=500, label="Your note", error_messages={"required": "Say why you decline."})
