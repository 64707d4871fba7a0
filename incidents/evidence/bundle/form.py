"""How a bundle writes JSON: one way only, so that a verifier can tell each byte that was changed."""

from __future__ import annotations

from typing import Any

import orjson


def compact(value: Any) -> bytes:
    """A line of a JSONL file, without its line feed."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def indented(value: Any) -> bytes:
    """A whole JSON file, for people as well."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
