"""The commands that the operator allows, and the shape of their arguments. Settings only: no database row adds one.

    LASTGOOD_COMMANDS = {
        "helm-rollback": {
            "argv": ["/usr/bin/helm", "rollback", "portarium", "{revision}", "--namespace={namespace}"],
            "arguments": {
                "revision": {"pattern": "[0-9]{1,6}", "max_length": 6},
                "namespace": {"choices": ["staging", "prod"]}
            },
            "dry_run": ["/usr/bin/helm", "rollback", "portarium", "{revision}", "--namespace={namespace}", "--dry-run"],
            "env": ["KUBECONFIG"],
            "cwd": "/srv/portarium",
            "timeout_seconds": 300,
            "rlimits": {"AS": 4294967296}
        }
    }

`dry_run` is what to execute to see what would happen, and changes nothing; without it there is no dry run.
`env` (names of variables to pass on), `cwd` ("/"), `timeout_seconds` (300) and `rlimits` may be left out. An argument
named `incident`, `product` or `target` is filled from the job unless one is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incidents.connectors import allowlist_shape as shape
from incidents.connectors.base import Limits

DEFAULT_TIMEOUT_SECONDS = 300.0
DEFAULT_MAX_LENGTH = 200
RLIMITS: dict[str, int] = {"CORE": 0, "NOFILE": 4096, "FSIZE": 64 << 30, "AS": 8 << 30}


@dataclass(frozen=True, slots=True)
class Argument:
    """What one argument may be: one of `choices`, or text of at most `max_length` that `pattern` matches as a whole."""

    pattern: re.Pattern[str] | None
    choices: tuple[str, ...]
    max_length: int

    def problem(self, value: object) -> str:
        """Return why this value is not allowed, as the end of a sentence, or an empty string."""
        if not isinstance(value, str):
            return "must be text"
        if self.choices:
            return "" if value in self.choices else f"must be one of {', '.join(self.choices)}"
        if len(value) > self.max_length:
            return f"must not be longer than {self.max_length} characters"
        if not shape.is_passable(value):
            return "must not contain NUL or broken characters"
        if value.startswith("-"):
            return "must not begin with a dash, which a program reads as an option"
        is_match = self.pattern is not None and self.pattern.fullmatch(value)
        return "" if is_match else "does not have the form that the settings ask for"


@dataclass(frozen=True, slots=True)
class Command:
    """One allowed command."""

    name: str
    argv: tuple[str, ...]
    dry_run: tuple[str, ...]
    arguments: Mapping[str, Argument]
    env: tuple[str, ...]
    cwd: str
    timeout_seconds: float
    rlimits: Mapping[str, int]

    def problems(self, values: Mapping[str, Any], *, is_complete: bool = True) -> list[str]:
        """Return sentences why these argument values cannot be used; all must be there if `is_complete`."""
        extra = [f"{self.name} has no argument {key!r}." for key in values if key not in self.arguments]
        absent = [key for key in self.arguments if key not in values] if is_complete else []
        missing = [f"{self.name} needs the argument {key!r}." for key in absent]
        wrong = [(key, self.arguments[key].problem(value)) for key, value in values.items() if key in self.arguments]
        return extra + missing + [f"The argument {key!r} {problem}." for key, problem in wrong if problem]

    def filled(self, values: Mapping[str, str], *, is_dry: bool = False) -> list[str]:
        """Return the argument list. Each value stays inside its own item, whatever characters it has."""
        argv = self.dry_run if is_dry else self.argv
        return [shape.PLACEHOLDER.sub(lambda found: values[found[1]], item) for item in argv]


def find(name: object, limits: Limits) -> Command:
    """Return the allowed command of that name. Raises `ValueError` with a sentence."""
    if not isinstance(name, str) or name not in limits.commands:
        raise ValueError(f"{name!r} is not in LASTGOOD_COMMANDS; the operator has to add it there.")
    raw = limits.commands[name]
    if problems := shape.problems(name, raw):
        raise ValueError(problems[0])
    return Command(
        name=name,
        argv=tuple(raw["argv"]),
        dry_run=tuple(raw.get("dry_run", ())),
        arguments={key: _argument(entry) for key, entry in raw.get("arguments", {}).items()},
        env=tuple(raw.get("env", ())),
        cwd=raw.get("cwd", "/"),
        timeout_seconds=float(raw.get("timeout_seconds", DEFAULT_TIMEOUT_SECONDS)),
        rlimits=RLIMITS | raw.get("rlimits", {}),
    )


def problems(limits: Limits) -> list[str]:
    """Return every reason why LASTGOOD_COMMANDS, as it is set, cannot be used; for the system check."""
    return [problem for name, raw in limits.commands.items() for problem in shape.problems(name, raw)]


def _argument(raw: Mapping[str, Any]) -> Argument:
    pattern = re.compile(raw["pattern"]) if "pattern" in raw else None
    return Argument(pattern, tuple(raw.get("choices", ())), int(raw.get("max_length", DEFAULT_MAX_LENGTH)))
