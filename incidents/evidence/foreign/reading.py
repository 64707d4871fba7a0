"""Entries out of a file, one after the other: a page with its items, several pages, an array, JSON Lines.

The file is read in pieces and never decoded as a whole; what it holds beyond the limits is a sentence, not an error.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from json import JSONDecodeError
from typing import Any, Protocol

from incidents.evidence.foreign.canonical import number

Entry = dict[str, Any]

_PIECE = 256 * 1024
_HEAD = 64 * 1024
_BLANK = re.compile(r"[ \t\r\n]*")
# How a page begins: `{"items":[`, or with plain members before its items.
_PAGE = re.compile(
    r'\{\s*+(?:"(?:[^"\\]|\\.)*+"\s*+:\s*+(?:"(?:[^"\\]|\\.)*+"|[-+.0-9eE]++|true|false|null)\s*+,\s*+)*?'
    r'"(?:items|evidence|evidenceChain|entries)"\s*+:\s*+\['
)
_LISTS = ("items", "evidence", "evidenceChain", "entries")
_OPENING = ("{", "[")


class Unreadable(ValueError):
    """The file is no log that can be read; the message is a sentence for whoever brought it."""


class Source(Protocol):
    """A file that is open for reading in bytes."""

    def read(self, size: int, /) -> bytes: ...


class Shape(Enum):
    """How the file holds its entries."""

    PAGE = "page"
    ARRAY = "array"
    LINES = "lines"

    @property
    def words(self) -> str:
        return {"page": "pages of an answer", "array": "a JSON array", "lines": "JSON Lines"}[self.value]


@dataclass(frozen=True)
class Limits:
    """How much of a file is read; sizes in characters, which no JSON file has more of than bytes."""

    file_size: int = 256 * 1024**2
    entry_size: int = 1024**2
    entries: int = 200_000
    depth: int = 32


class Reader:
    """Iterates over the entries of a file, once.

    Attributes:
        shape: known from the first entry on.
        count: how many entries were given out.
        next_page: what the last page says follows it, empty where none does.
        is_doubled: whether the entry given out last names a key twice.
    """

    def __init__(self, source: Source, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.shape = Shape.LINES
        self.count = 0
        self.next_page = ""
        self.is_doubled = False
        self._source = source
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._scan = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=number, parse_float=float, parse_constant=_refuse
        ).raw_decode
        self._text = ""
        self._at = 0
        self._size = 0
        self._is_over = False

    def __iter__(self) -> Iterator[Entry]:
        while self._next():
            if self._text[self._at] == "[":
                self.shape = Shape.ARRAY
                yield from self._elements()
            elif page := self._page():
                self.shape = Shape.PAGE
                self._at = page.end() - 1
                yield from self._elements()
                self._end_page()
            else:
                yield from self._given(self._value())

    # What stands in the file -----------------------------------------------------------------------------------------

    def _elements(self) -> Iterator[Entry]:
        """The entries between the brackets of the array that begins here."""
        self._at += 1
        sign = self._char()
        while sign != "]":
            yield from self._given(self._value())
            if (sign := self._char()) == ",":
                self._at += 1
                self._char()
            elif sign != "]":
                raise self._broken()
        self._at += 1

    def _page(self) -> re.Match[str] | None:
        if len(self._text) - self._at < _HEAD:
            self._more()
        return _PAGE.match(self._text, self._at)

    def _end_page(self) -> None:
        """Read what a page says after its items."""
        self.next_page = ""
        while (char := self._char()) == ",":
            self._at += 1
            self._char()
            name = self._value()
            if not isinstance(name, str) or self._char() != ":":
                raise self._broken()
            self._at += 1
            self._char()
            self._note(name, self._value())
        if char != "}":
            raise self._broken()
        self._at += 1

    def _note(self, name: str, value: Any) -> None:
        if name == "nextCursor" and isinstance(value, str):
            self.next_page = value

    def _given(self, value: Any) -> Iterator[Entry]:
        """The entry, or those of a list that a small object of the file holds."""
        name = next((name for name in _LISTS if isinstance(value, dict) and isinstance(value.get(name), list)), "")
        if name:
            self.shape = Shape.PAGE if self.shape == Shape.LINES else self.shape
            self._note("nextCursor", value.get("nextCursor"))
        for entry in value[name] if name else [value]:
            self.count += 1
            if not isinstance(entry, dict):
                raise Unreadable(f"Entry {self.count:,} of the file is no JSON object.")
            if self.count > self.limits.entries:
                raise Unreadable(f"The file holds more than {self.limits.entries:,} entries: check it in parts.")
            yield entry

    # The text of the file --------------------------------------------------------------------------------------------

    def _value(self) -> Any:
        """Decode the value that begins here, and go behind it."""
        while True:
            self.is_doubled = False
            try:
                value, end = self._scan(self._text, self._at)
            except JSONDecodeError as error:
                if not self._more():
                    raise self._broken() from error
            except RecursionError as error:
                raise self._too_deep() from error
            else:
                if end == len(self._text) and not isinstance(value, str | dict | list) and self._more():
                    continue  # a number goes on in the next piece
                self._check_depth(value, end)
                self._at = end
                return value

    def _check_depth(self, value: Any, end: int) -> None:
        if sum(self._text.count(sign, self._at, end) for sign in _OPENING) <= self.limits.depth:
            return
        level, depth = [value], 1
        while level := [inner for outer in level for inner in _inside(outer)]:
            depth += 1
            if depth > self.limits.depth:
                raise self._too_deep()

    def _char(self) -> str:
        """The next character that is not blank. The file has to have one."""
        if not self._next():
            raise self._broken()
        return self._text[self._at]

    def _next(self) -> bool:
        """Go to the next character that is not blank; False at the end of the file."""
        while True:
            self._at = _BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return True
            if not self._more():
                return False

    def _more(self) -> bool:
        """Read on; False at the end of the file, or where one value has become too large."""
        if self._is_over:
            return False
        if len(self._text) - self._at > self.limits.entry_size:
            most = f"{self.limits.entry_size // 1024:,} KB"
            raise Unreadable(f"Entry {self.count + 1:,} of the file is larger than {most}, or no JSON.")
        piece = self._source.read(_PIECE)
        self._is_over = not piece
        self._size += len(piece)
        if self._size > self.limits.file_size:
            raise Unreadable(f"The file is larger than {self.limits.file_size // 1024**2:,} MB: check it in parts.")
        try:
            read = self._decode.decode(piece, final=self._is_over)
        except UnicodeDecodeError as error:
            raise Unreadable("The file is not text in UTF-8.") from error
        self._text, self._at = self._text[self._at :] + read, 0
        return bool(piece)

    def _object(self, pairs: list[tuple[str, Any]]) -> Entry:
        """Where a key stands twice, the last value counts, as in JavaScript."""
        found = dict(pairs)
        if len(found) != len(pairs):
            self.is_doubled = True
        return found

    def _broken(self) -> Unreadable:
        where = f"after entry {self.count:,}" if self.count else "from its beginning"
        return Unreadable(f"The file is no JSON {where}.")

    def _too_deep(self) -> Unreadable:
        return Unreadable(f"Entry {self.count + 1:,} of the file nests more than {self.limits.depth} deep.")


def run_of(entry: Entry) -> str:
    """The run that an entry belongs to; an experiment calls it a session. Empty where it belongs to none."""
    links = entry.get("links")
    run = links.get("runId") if isinstance(links, dict) else entry.get("sessionId")
    return run if isinstance(run, str) else ""


def _inside(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for found in inner if isinstance(found, dict | list)]


def _refuse(name: str) -> Any:
    raise Unreadable(f"The file is no JSON: it holds {name}.")
