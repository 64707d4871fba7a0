"""What is asked about the outcome of a gate."""

from __future__ import annotations

from django import forms

from incidents.forms.cleanup import Evidence
from incidents.forms.fields import Moment, OneLine, Words
from incidents.terms import BlockerKind, GateOutcome

_SEEN = [(outcome.value, outcome.label) for outcome in GateOutcome if outcome != GateOutcome.NOT_RUN]


class RecordForm(Evidence):
    """What a person saw when they ran the check by hand."""

    outcome = forms.TypedChoiceField(label="Outcome", choices=_SEEN, coerce=GateOutcome, widget=forms.RadioSelect)
    note = Words(label="What was run, and what it showed", max_length=1000)
    happened_at = Moment(label="When it was run, if not now", required=False)
    field_order = ("outcome", "note", "happened_at", "text", "link", "file")


class BaselineForm(forms.Form):
    """A failure that is proven older than the cycle."""

    failing_step = OneLine(label="Failing step", max_length=200)
    kind = forms.TypedChoiceField(label="Kind", choices=BlockerKind.choices, coerce=BlockerKind)
    proof = Words(
        label="Proof that it is older than this cycle",
        max_length=1000,
        help_text="A run or commit from before the cycle that fails in the same way.",
    )
    not_executed = Words(
        label="Later steps not executed",
        max_length=1000,
        rows=2,
        help_text="What the failure kept from running, and so is not verified. Write “none” if all of it ran.",
    )


class RiskForm(forms.Form):
    reason = Words(
        label="Which risk, and why it can be carried",
        max_length=500,
        help_text="The second person reads this. It goes into the report.",
    )
