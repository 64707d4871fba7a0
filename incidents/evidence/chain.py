"""The arithmetic of the evidence chain. Pure: no Django, no clock, no database (docs/evidence-format.md).

An entry's canonical bytes are RFC 8785 JSON. They hold no floats and only ASCII keys, so that every correct
implementation writes the same bytes. The entry digest says what happened; the link binds it to its place: its number,
its time and the hash before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

ZERO = "0" * 64
VERSION = 1
_ENTRY = b"lastgood-entry-v1\n"
_LINK = b"lastgood-link-v1\n"
_COMMIT = b"lastgood-commit-v1\n"
_LARGEST = 2**53 - 1
_DEEPEST = 20


class NotCanonical(ValueError):
    """A value that the log does not write: a float, a huge number, a NUL, a lone surrogate, a non-ASCII key."""


def canonical(entry: dict[str, Any]) -> bytes:
    """RFC 8785 bytes of an entry.

    Raises:
        NotCanonical: where another implementation might write other bytes.
    """
    _check(entry, _DEEPEST)
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        if "\x00" in value or not (value.isascii() or _is_text(value)):
            raise NotCanonical("Text in the log may hold no NUL and no lone surrogate.")
    elif isinstance(value, dict | list):
        if depth < 0:
            raise NotCanonical(f"An entry may nest at most {_DEEPEST} deep.")
        for item in _items(value):
            _check(item, depth - 1)
    elif value is not None:
        _check_number(value)


def _items(value: dict[Any, Any] | list[Any]) -> Iterable[Any]:
    if isinstance(value, list):
        return value
    for key in value:
        if not isinstance(key, str) or not key.isascii() or "\x00" in key:
            raise NotCanonical(f"The key {key!r} is not ASCII text.")
    return value.values()


def _check_number(value: Any) -> None:
    if not isinstance(value, int):
        raise NotCanonical(f"The log does not write a {type(value).__name__}.")
    if abs(value) > _LARGEST:
        raise NotCanonical(f"The number {value} is too large for the log.")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def digest(canonical_bytes: bytes) -> str:
    """SHA-256 of an entry's content, domain-separated, in hex."""
    return hashlib.sha256(_ENTRY + canonical_bytes).hexdigest()


def link(seq: int, at: str, prev: str, entry_digest: str) -> str:
    """The hash of an entry at its place: over its number, its time, the hash before it, and its digest."""
    return hashlib.sha256(_LINK + f"{seq}\n{at}\n{prev}\n{entry_digest}".encode()).hexdigest()


def commitment(chain: str, path: str, salt: bytes, value: str) -> str:
    """What an entry says of a personal value: SHA-256 over a random salt and the value, in hex.

    Without the salt nobody can guess the value back; with salt and value anybody can check it.

    Args:
        chain: the chain's UUID.
        salt: 32 random bytes.
    """
    return hashlib.sha256(_COMMIT + canonical_text([chain, path, salt.hex(), value])).hexdigest()


def canonical_text(values: list[str]) -> bytes:
    """RFC 8785 bytes of a list of texts."""
    _check(values, 1)
    return orjson.dumps(values)


@dataclass(frozen=True, slots=True)
class Line:
    """One stored line: number, time as it was hashed, the hash before, the hash, and the canonical bytes."""

    seq: int
    at: str
    prev: str
    hash: str
    canonical: bytes


@dataclass(frozen=True)
class Verdict:
    """What a verification found. `broken_at` is the first bad sequence number, None when all is well."""

    count: int
    head: str
    broken_at: int | None = None
    reason: str = ""

    @property
    def is_intact(self) -> bool:
        return self.broken_at is None


def verify(lines: Iterable[Line]) -> Verdict:
    """Walk a chain from its first line and stop at the first that does not hold. Memory is constant."""
    seq, prev = 0, ZERO
    for line in lines:
        if reason := fault(line, seq + 1, prev):
            return Verdict(seq, prev, line.seq, reason)
        seq, prev = line.seq, line.hash
    return Verdict(seq, prev)


def fault(line: Line, seq: int, prev: str) -> str:
    """Why a line is not entry `seq` that follows the hash `prev`; empty when it is."""
    if line.seq != seq:
        return f"Entry {seq} is missing: the next one found is {line.seq}."
    if line.prev != prev:
        return f"Entry {seq} does not follow the one before it."
    if link(line.seq, line.at, line.prev, digest(line.canonical)) != line.hash:
        return f"Entry {seq} was changed after it was written."
    return ""


def read_jsonl(rows: Iterable[bytes | str]) -> Iterator[Line]:
    """Lines of an exported log, each `{"at":…,"entry":…,"hash":…,"prev":…,"seq":…}`.

    Raises:
        ValueError: for a row that is not such a line.
    """
    for row in rows:
        try:
            found = orjson.loads(row)
            yield Line(found["seq"], found["at"], found["prev"], found["hash"], canonical(found["entry"]))
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError("A row of the log is not a JSON object with at, entry, hash, prev and seq.") from error
