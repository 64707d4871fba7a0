"""What is asked for the three deliverables."""

from __future__ import annotations

from typing import Any

from django import forms

from incidents.forms.fields import LONG, Day, OneLine, WebLink, Words
from incidents.models import Review
from incidents.terms import Priority


class SummaryForm(forms.Form):
    what_happened = Words(label="What happened", max_length=LONG, rows=5)
    root_cause = Words(label="Root cause", max_length=LONG, rows=4)
    impact = Words(label="Impact", max_length=LONG, rows=3, required=False, help_text="Who noticed what, for how long.")
    owner: Any = forms.ModelChoiceField(
        None, label="Owner of the review", required=False, empty_label="Whoever writes it"
    )
    no_follow_ups_reason = OneLine(
        label="Why no follow-up is needed", max_length=500, required=False, help_text="Only if none is listed."
    )
    no_gaps_reason = OneLine(
        label="Why no safeguard changes", max_length=500, required=False, help_text="Only if no control gap was found."
    )

    def __init__(self, *args: Any, people: Any, review: Review | None = None, **kwargs: Any) -> None:
        if review:
            kwargs.setdefault("initial", {name: getattr(review, name) for name in self.base_fields})
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = people  # type: ignore[attr-defined]


class FollowUpForm(forms.Form):
    title = OneLine(max_length=200)
    owner = OneLine(max_length=120, help_text="A person or a role.")
    priority = forms.TypedChoiceField(choices=Priority.choices, coerce=Priority, initial=Priority.P1)
    due_on = Day(label="Due")
    acceptance = Words(label="Acceptance criteria", max_length=4000, help_text="How one will know that it is done.")
    bead_id = OneLine(label="Bead", max_length=128, required=False, help_text="Its id, if the bead exists already.")


class SafeguardForm(forms.Form):
    gap = OneLine(label="Control gap found", max_length=500)
    change = OneLine(label="What was changed", max_length=500, help_text="A safeguard, a check, or the runbook.")
    link = WebLink(label="Link to the change", required=False)
