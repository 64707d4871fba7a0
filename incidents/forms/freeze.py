"""What is asked for an exception to the freeze, and for its end."""

from __future__ import annotations

from typing import Any

from django import forms

from incidents.forms.fields import Moment, OneLine, Words
from incidents.models import Environment, Incident
from incidents.terms import Measure


class ExceptionForm(forms.Form):
    measure = forms.ChoiceField(label="Through which freeze", choices=Measure.choices, widget=forms.RadioSelect)
    subject = OneLine(
        label="What exactly",
        max_length=200,
        help_text="One pull request, commit, bead or deployment, as the pipeline names it. No pattern.",
    )
    environment = forms.ModelChoiceField(
        Environment.objects.none(),
        required=False,
        to_field_name="name",
        empty_label="Any environment",
        help_text="For promotions and deployments: only into this one.",
    )
    expires_at = Moment(label="Until", help_text="It ends by itself at this time.")
    reason = Words(label="Why it cannot wait", max_length=500, help_text="The second person reads this.")

    def __init__(self, *args: Any, incident: Incident, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["environment"].queryset = incident.product.environments.all()  # type: ignore[attr-defined]

    @property
    def arguments(self) -> dict[str, Any]:
        """The exception as plain values, as the proposal keeps them."""
        given = self.cleaned_data
        environment = given["environment"]
        return {
            **{name: given[name] for name in ("measure", "subject", "reason")},
            "environment": environment.name if environment else None,
            "expires_at": given["expires_at"].isoformat(),
        }


class RevokeForm(forms.Form):
    reason = OneLine(label="Why it ends now", max_length=500)
