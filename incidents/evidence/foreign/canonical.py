"""JSON text as JavaScript writes it: the bytes that a foreign log was hashed over.

RFC 8785 with numbers as IEEE 754 doubles, and the two orders of keys that JavaScript programs leave behind where they
do not follow it. `rfc8785` writes the numbers; it cannot write the rest, for it refuses lone surrogates, which
`JSON.stringify` writes as `\\udxxx`, and knows one order only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import rfc8785

Items = Iterable[tuple[str, Any]]
Order = Callable[[dict[str, Any]], Items]

EXACT = 2**53
_quoted = json.JSONEncoder(ensure_ascii=False).encode
_LONE = re.compile("[\ud800-\udfff]")
# An array index of ECMAScript: JavaScript keeps such keys first and by number, whoever sorted them.
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_LAST_INDEX = 2**32 - 2


class NotHashable(ValueError):
    """The value holds a number that JSON cannot write: it has no canonical form."""


def number(text: str) -> int | float:
    """A JSON number as JavaScript reads it, a double; a whole one that a double holds exactly stays an `int`."""
    found = float(text)
    return int(found) if found.is_integer() and abs(found) <= EXACT else found


def by_utf16(value: dict[str, Any]) -> Items:
    """The order of RFC 8785: keys by their UTF-16 code units."""
    if all(map(str.isascii, value)):
        return sorted(value.items(), key=_key)
    return sorted(value.items(), key=_units)


def by_utf16_in_an_object(value: dict[str, Any]) -> Items:
    """The same, put into a JavaScript object first: keys that look like an index come out before all others."""
    return _indices_first(by_utf16(value))


def as_inserted(value: dict[str, Any]) -> Items:
    """The order in which a JavaScript object was filled, indices first."""
    return _indices_first(value.items())


def has_indices(value: Any) -> bool:
    """Whether the two sorted orders may differ for this value."""
    if isinstance(value, dict):
        return any(map(_is_index, value)) or any(map(has_indices, value.values()))
    return isinstance(value, list) and any(map(has_indices, value))


def write(value: Any, order: Order = by_utf16) -> bytes:
    """The value's JSON text without whitespace, as UTF-8.

    Raises:
        NotHashable: for NaN and the infinities.
    """
    parts: list[str] = []
    _write(value, order, parts.append)
    return "".join(parts).encode()


def _write(value: Any, order: Order, put: Callable[[str], None]) -> None:
    if isinstance(value, str):
        put(_text(value))
    elif isinstance(value, dict):
        before = "{"
        for key, inner in order(value):
            put(f"{before}{_text(key)}:")
            _write(inner, order, put)
            before = ","
        put("}" if before == "," else "{}")
    elif isinstance(value, list):
        before = "["
        for inner in value:
            put(before)
            _write(inner, order, put)
            before = ","
        put("]" if before == "," else "[]")
    else:
        put(_plain(value))


def _text(value: str) -> str:
    written = _quoted(value)
    return written if value.isascii() else _LONE.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


@lru_cache(4096, typed=True)
def _plain(value: Any) -> str:
    """A number, a truth value or null. A whole number beyond the exact ones is the double next to it."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > EXACT - 1:
        value = float(value)
    try:
        return rfc8785.dumps(value).decode()
    except rfc8785.FloatDomainError as error:
        raise NotHashable(f"{value} is no number that JSON can write.") from error


def _key(item: tuple[str, Any]) -> str:
    return item[0]


def _units(item: tuple[str, Any]) -> bytes:
    return item[0].encode("utf-16-be", "surrogatepass")


def _is_index(key: str) -> bool:
    return bool(_INDEX.fullmatch(key)) and int(key) <= _LAST_INDEX


def _indices_first(items: Items) -> Items:
    found = list(items)
    indices = [item for item in found if _is_index(item[0])]
    if not indices:
        return found
    rest = [item for item in found if not _is_index(item[0])]
    return [*sorted(indices, key=lambda item: int(item[0])), *rest]
