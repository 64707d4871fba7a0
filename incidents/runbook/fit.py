"""Whether every value of a runbook is of its kind and fits where an incident keeps it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
LONGEST = {"name": 200}
LARGEST_STAGE = 1000


def faults(node: Any, where: str = "runbook") -> Iterator[str]:
    """Sentences about the values of one part of the runbook and of all parts below it."""
    where = f"{where} {getattr(node, 'key', '')}".strip()
    for field in fields(node):
        value = getattr(node, field.name)
        if fault := _fault(field.name, str(field.type), value):
            yield f"In {where}: {field.name} {fault}."
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
        for part in parts:
            if is_dataclass(part):
                yield from faults(part, field.name)
            elif fault := _fault(field.name, "str", part):
                yield f"In {where}: {field.name} {fault}."


def _fault(name: str, kind: str, value: Any) -> str:
    if kind == "bool":
        return "" if isinstance(value, bool) else "is neither true nor false"
    if kind == "int":
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return "" if is_number and 1 <= value <= LARGEST_STAGE else f"is no number from 1 to {LARGEST_STAGE}"
    if kind != "str":
        return ""
    if not isinstance(value, str):
        return "is not text"
    if any((ord(char) < 32 and char not in "\n\t") or char == "\x7f" for char in value):
        return "has control characters"
    if name == "key" and not KEY.fullmatch(value):
        return "is not of up to 40 letters, digits, dashes and underscores"
    longest = LONGEST.get(name, 20_000)
    return f"is longer than {longest} characters" if len(value) > longest else ""
