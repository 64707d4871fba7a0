"""What may be typed into a connector and a wiring, judged by the connector's own check."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from incidents.admin.connector_examples import help_text
from incidents.connectors import credentials
from incidents.evidence.chain import NotCanonical, canonical
from incidents.models import Connector, Wiring
from incidents.models.connector import validate_secret_reference
from incidents.runbook import versions
from incidents.self_test import problems_of
from incidents.terms import ConnectorKind

LONGEST_JSON = 20_000
LONGEST_DEADLINE_SECONDS = 3600
MOST_AT_ONCE = 100
FOR_GATES = {ConnectorKind.PROBE, ConnectorKind.COMMAND, ConnectorKind.MANUAL}
FOR_ACTIONS = set(ConnectorKind) - {ConnectorKind.PROBE}


class ObjectField(forms.JSONField):
    """A JSON object that the log can hold, with errors that name the place."""

    widget = forms.Textarea(attrs={"rows": 8, "cols": 80, "class": "mono", "spellcheck": "false"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, initial=dict, **kwargs)

    def to_python(self, value: Any) -> Any:
        text = (value or "{}") if not isinstance(value, dict) else json.dumps(value)
        if len(text) > LONGEST_JSON:
            raise ValidationError(f"This is longer than {LONGEST_JSON} characters.")
        try:
            found = json.loads(text)
            canonical({"value": found})
        except json.JSONDecodeError as error:
            raise ValidationError(f"Line {error.lineno}, column {error.colno}: {error.msg}.") from error
        except NotCanonical as error:
            raise ValidationError(str(error)) from error
        except (ValueError, RecursionError) as error:
            raise ValidationError("This cannot be read as JSON.") from error
        if not isinstance(found, dict):
            raise ValidationError('Write a JSON object, such as {"url": "https://…"}.')
        return found

    def bound_data(self, data: Any, initial: Any) -> Any:
        return initial if self.disabled else data

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) else value


class Masking(forms.ModelForm):
    """A form whose JSON objects are shown without the credentials that older ones hold, and take no new ones."""

    masked: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.masked:
            self.initial[name] = credentials.masked(self.initial.get(name) or {})

    def taken(self, asked: dict[str, Any], name: str, kind: str) -> list[str]:
        """Put what is stored in the place of its masked likeness, which came back as it was shown.

        Returns:
            A sentence for each credential in what was typed anew.
        """
        stored = getattr(self.instance, name)
        if asked[name] in (stored, credentials.masked(stored)):
            asked[name] = stored
            return []
        return credentials.found_in(asked[name], kind)


class ConnectorForm(Masking):
    """A connector. Its secret is a reference, typed and never shown."""

    masked = ("config",)
    config = ObjectField(help_text=help_text())
    secret = forms.CharField(
        required=False,
        validators=[validate_secret_reference],
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="env:NAME, the environment variable that holds it. Leave empty to keep what is set.",
    )
    forget_secret = forms.BooleanField(required=False, label="Forget the secret")
    deadline_seconds = forms.IntegerField(
        min_value=1,
        max_value=LONGEST_DEADLINE_SECONDS,
        initial=120,
        help_text="How long one action may take, from its start to its end in the outside system.",
    )
    max_parallel = forms.IntegerField(
        min_value=1,
        max_value=MOST_AT_ONCE,
        initial=4,
        label="At once",
        help_text="How many actions it may run side by side, over all incidents.",
    )

    class Meta:
        model = Connector
        fields = ("name", "kind", "config", "secret", "deadline_seconds", "max_parallel", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.warnings: list[str] = []
        self.kept_credentials: list[str] = []
        self.kept = self.instance.secret
        self.initial.pop("secret", None)
        if self.kept:
            self.fields["secret"].help_text = f"Set: {self.kept[:8]}••••. Leave empty to keep it."

    def clean_secret(self) -> str:
        return str(self.cleaned_data["secret"] or self.kept)

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or {}
        if asked.get("forget_secret"):
            asked["secret"] = ""
        if {"kind", "config", "secret"} <= set(asked):
            typed = self.taken(asked, "config", asked["kind"])
            self.kept_credentials = credentials.found_in(asked["config"], asked["kind"])
            found = problems_of(asked["kind"], asked["config"], asked["secret"])
            for sentence in typed + found if asked.get("enabled") else typed:
                self.add_error("config", sentence)
            self.warnings = found
        return asked


class WiringForm(Masking):
    """Which connector does an action or checks a gate of the current runbook."""

    masked = ("arguments",)
    key = forms.ChoiceField(label="Action or gate")
    arguments = ObjectField(help_text="Texts by name, handed to the connector.")

    class Meta:
        model = Wiring
        fields = ("product", "key", "connector", "arguments", "target_key")
        help_texts = {
            "connector": "An incident takes its wiring when its plan is made; a later change does not reach it."
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        book = versions.current().content
        self.gates = [(row.key, f"{row.key} · {row.name}") for row in book.gates]
        actions = [(row.key, f"{row.key} · {row.name}") for row in book.actions]
        choices: list[Any] = [("Actions", actions), ("Gates", self.gates)]
        if self.instance.key and self.instance.key not in dict(actions + self.gates):
            choices.append(("No longer in the runbook", [(self.instance.key, self.instance.key)]))
        self.fields["key"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or {}
        if {"key", "connector", "arguments"} <= set(asked):
            for sentence in self.taken(asked, "arguments", asked["connector"].kind):
                self.add_error("arguments", sentence)
        if {"key", "connector", "arguments"} <= set(asked):
            self._check(asked["key"], asked["connector"], asked["arguments"])
        return asked

    def _check(self, key: str, connector: Connector, arguments: dict[str, Any]) -> None:
        is_gate = key in dict(self.gates)
        if connector.kind not in (FOR_GATES if is_gate else FOR_ACTIONS):
            what = "A gate is checked by a probe or a command" if is_gate else "An action is not done by a probe"
            self.add_error("connector", f"{what}; “{connector}” is a {connector.get_kind_display().lower()}.")
        elif not all(isinstance(value, str) for value in arguments.values()):
            self.add_error("arguments", "Every argument is a text.")
        elif clashes := _clashes(connector.config.get("values", {}), arguments):
            for sentence in clashes:
                self.add_error("arguments", sentence)
        elif "command" in connector.config:
            fixed = connector.config.get("arguments", {})
            found = _clashes(fixed, arguments)
            found += problems_of(connector.kind, connector.config | {"arguments": arguments | fixed}, connector.secret)
            for sentence in found:
                self.add_error("arguments", sentence)


def _clashes(fixed: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
    clashes = [name for name, value in arguments.items() if fixed.get(name, value) != value]
    return [f"The argument “{name}” is fixed by the connector." for name in clashes]
