"""What is asked for an update: subject, text, the next promise where it makes one; and where a copy goes again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils.dateparse import parse_datetime

from comms import resend
from comms.clean import SUBJECT_LENGTH
from comms.drafts import PROMISING, Words
from comms.models import Delivery
from incidents.forms.fields import Moment, OneLine
from incidents.forms.fields import Words as Lines
from incidents.runbook.template import MAX_RENDERED
from incidents.terms import NoticeKind


class AgainForm(forms.Form):
    """Where a failed copy goes to now: as it failed, or as the address was corrected."""

    address = OneLine(max_length=254)

    refusal: Exception | None = None

    def __init__(self, copy: Delivery, data: Any = None) -> None:
        super().__init__(data, auto_id=f"id_{copy.pk.hex}_%s", initial={"address": resend.suggested(copy)})
        self.fields["address"].label = f"Address of {copy.name}"
        self.copy = copy


class NoticeForm(forms.Form):
    """The draft of one update. `seen` says which saved draft the person began from."""

    subject = OneLine(max_length=SUBJECT_LENGTH)
    body = Lines(label="Text", max_length=MAX_RENDERED, rows=14, strip=False)
    next_update_at = Moment(label="Next update", help_text="Stakeholders are promised this time.")
    seen = forms.CharField(required=False, widget=forms.HiddenInput, max_length=40)

    refusal: Exception | None = None

    def __init__(self, kind: NoticeKind, data: Any = None, **options: Any) -> None:
        super().__init__(data, auto_id=f"id_{kind.value}_%s", **options)
        if kind not in PROMISING:
            del self.fields["next_update_at"]

    @classmethod
    def of(cls, kind: NoticeKind, words: Words, seen: datetime | None) -> NoticeForm:
        """The form with a draft in it."""
        initial = {
            "subject": words.subject,
            "body": words.body,
            "next_update_at": words.next_update_at,
            "seen": seen.isoformat() if seen else "",
        }
        return cls(kind, initial=initial)

    @property
    def words(self) -> Words:
        """What was written, once the form is valid."""
        found = self.cleaned_data
        return Words(found["subject"], found["body"], found.get("next_update_at"))

    def begin_from(self, seen: datetime) -> None:
        """Another try begins from the draft as it is stored now."""
        self.data = self.data.copy()  # type: ignore[attr-defined]
        self.data["seen"] = seen.isoformat()  # type: ignore[index]

    @property
    def began_from(self) -> datetime | None:
        try:
            return parse_datetime(self.cleaned_data["seen"])
        except ValueError:
            return None
