"""The verifier as one HTML page: markup, style and script in a file that loads nothing and sends nothing."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


@cache
def html() -> bytes:
    """The page. Its policy allows exactly this script and this style, by their hashes, and no connection at all."""
    script, style = _read("verify.js"), _read("verify.css")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    page = _read("verify.html").replace("{{ policy }}", policy)
    return page.replace("{{ style }}", style).replace("{{ script }}", script).encode()


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
