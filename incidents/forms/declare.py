"""What a declaration asks: product, trigger in the runbook's words, a sentence, level, who leads, drill or real."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model

from incidents.forms.fields import OneLine
from incidents.models import Product, Suggestion
from incidents.runbook import Runbook
from incidents.templatetags.look import code_spans
from incidents.terms import Level, Role

UNNAMED_TRIGGER = "regression"
MODES = {"real": "Real", "drill": "Drill"}


class DeclareForm(forms.Form):
    product = forms.ModelChoiceField(
        Product.objects.all(), to_field_name="slug", widget=forms.RadioSelect, label="What is frozen", empty_label=None
    )
    trigger = forms.ChoiceField(widget=forms.RadioSelect, label="Why: which condition is met")
    summary = OneLine(
        label="What is failing, in a sentence",
        max_length=500,
        help_text="Stakeholders read it in update A within minutes: what broke, since when.",
    )
    scope_level = forms.TypedChoiceField(
        choices=Level.choices, coerce=Level, widget=forms.RadioSelect, label="How far back: the scope level"
    )
    commander = forms.ModelChoiceField(
        get_user_model().objects.none(),
        label="Incident Commander",
        empty_label=None,
        help_text="Leads from this moment on. The other five roles are asked for by the roster.",
    )
    suggestion = forms.CharField(required=False, widget=forms.HiddenInput)
    drill = forms.TypedChoiceField(
        choices=list(MODES.items()),
        coerce=lambda value: value == "drill",
        widget=forms.RadioSelect,
        initial="real",
        label="Real or drill",
    )

    need_to_know = forms.BooleanField(
        required=False,
        label="Need to know",
        help_text="Only its own people and auditors find it. The freeze holds and is told as ever.",
    )

    def __init__(
        self, *args: Any, book: Runbook, products: dict[str, str], suggestion: Suggestion | None, **kwargs: Any
    ) -> None:
        """Offer what the current runbook and the products' rosters hold.

        Args:
            products: a sentence about each product, by slug.
            suggestion: what it answers, if that still waits.
        """
        super().__init__(*args, **kwargs)
        self.book = book
        self.answers = suggestion
        fields: dict[str, Any] = self.fields
        fields["trigger"].choices = [(trigger.key, trigger.name) for trigger in book.triggers]
        fields["trigger"].help_text = book.trigger_rule.removesuffix(":") + "."
        fields["trigger"].descriptions = {trigger.key: code_spans(trigger.text) for trigger in book.triggers}
        fields["scope_level"].descriptions = {
            level.value: f"{text.scope}. Typical use: {_lowered(text.typical_use)}."
            for level, text in book.levels.items()
        }
        fields["product"].descriptions = products
        fields["commander"].queryset = commanders()
        fields["drill"].descriptions = {
            "real": "Counts, and everybody is told.",
            "drill": "The same path, the same freeze; marked as practice everywhere and left out of the metrics.",
        }

    def clean_suggestion(self) -> Suggestion | None:
        if self.cleaned_data["suggestion"] and self.answers is None:
            raise forms.ValidationError("The suggestion waits no more: send again to declare without it.")
        return self.answers


def prefilled(suggestion: Suggestion, book: Runbook) -> dict[str, Any]:
    """What a suggestion knows of a declaration."""
    named = suggestion.trigger in {trigger.key for trigger in book.triggers}
    return {
        "product": suggestion.product.slug,
        "trigger": suggestion.trigger if named else UNNAMED_TRIGGER,
        "summary": suggestion.title,
    }


def commanders() -> Any:
    ready = get_user_model().objects.filter(roster__role=Role.COMMANDER, is_active=True)
    return ready.distinct().order_by("name")


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
