"""Markdown as prettier leaves it: escaped text of one line, lists with `-`, tables with even columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\*_<>\[\]|#])")
_CODE = re.compile(r"(`[^`]+`)")


def line(text: object) -> str:
    """Text of one line that Markdown reads as text; words in `backticks` stay code."""
    kept = "".join(" " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char for char in str(text))
    parts = _CODE.split(" ".join(kept.split()))
    return "".join(part if _CODE.fullmatch(part) else _escaped(part) for part in parts)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text).replace("`", "\\`")


def sentence(text: object) -> str:
    return line(str(text).strip().rstrip(".")) + "."


def code(text: object) -> str:
    """A word set as code, whatever is in it."""
    return "`" + " ".join(str(text).replace("`", "'").split()) + "`"


def bullets(items: Iterable[str]) -> list[str]:
    """A list; an empty one says so, as the reviews in the repository do."""
    return [f"- {item}" for item in items] or ["- none."]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    rule = ["-" * width for width in widths]
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (head, rule, *rows)
    ]


def document(*blocks: str | Sequence[str]) -> str:
    """Blocks parted by one empty line, LF, one line break at the end."""
    texts = [block if isinstance(block, str) else "\n".join(block) for block in blocks]
    return "\n\n".join(text for text in texts if text) + "\n"
