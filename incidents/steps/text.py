"""Whether what was given can be kept, as sentences: one place for every page, endpoint, command and admin class.

SQLite stores a text of any length, PostgreSQL stops with an error; neither keeps a NUL in JSON, nor half a character.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field, Model
from django.utils.text import capfirst

REASON = 500
NOTE = 4_000
RESULT = 1_000
LONGEST = 20_000
_UNKEPT = "holds a character that cannot be kept: a NUL, or half of a surrogate pair"


def row_faults(row: Model, names: Collection[str] = ()) -> list[str]:
    """Why a row cannot be stored; empty when it can.

    Args:
        names: the fields to look at; all of them where none is named.
    """
    fields = [field for field in row._meta.concrete_fields if not field.is_relation and not field.primary_key]
    return [
        f"{capfirst(str(field.verbose_name))} {fault}."
        for field in fields
        if not names or field.name in names
        if (fault := _column_fault(field, getattr(row, field.attname)))
    ]


def said_faults(said: str, *, longest: int = REASON) -> list[str]:
    """Why a text that no column holds cannot enter the log."""
    fault = _text_fault(said, longest)
    return [f"The text {fault}."] if fault else []


def body_faults(body: Any) -> list[str]:
    """The same for everything an entry says; no text in it is longer than the longest column."""
    return next(filter(None, (said_faults(text, longest=LONGEST) for text in _texts(body))), [])


def is_keepable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def kept(value: Any) -> Any:
    """What an outside system said, with what cannot be kept shown as the replacement character."""
    if isinstance(value, dict):
        return {key: kept(inner) for key, inner in value.items()}
    if not isinstance(value, str) or is_keepable(value):
        return value
    return "".join("\ufffd" if char == "\x00" or "\ud800" <= char <= "\udfff" else char for char in value)


def _column_fault(field: Field[Any, Any], value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        if fault := _text_fault(value, field.max_length or LONGEST):
            return fault
        if field.choices and value not in {key for key, _ in field.flatchoices}:
            return f"cannot be “{value}”"
    elif isinstance(value, dict | list) and not all(map(is_keepable, _texts(value))):
        return _UNKEPT
    try:
        field.run_validators(value)
    except ValidationError as error:
        return f"does not fit: {' '.join(error.messages).rstrip('.')}"
    return ""


def _text_fault(text: str, longest: int) -> str:
    if not is_keepable(text):
        return _UNKEPT
    return f"takes at most {longest:,} characters; this has {len(text):,}" if len(text) > longest else ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
