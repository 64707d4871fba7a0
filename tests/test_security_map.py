"""docs/security.md says which test proves what: each of them exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (\d+) \| .* \| `(tests/[\w/.]+)(?:::(\w+))?` \|$", re.MULTILINE)


def test_each_test_of_the_table_exists() -> None:
    rows = ROW.findall((ROOT / "docs" / "security.md").read_text(encoding="utf-8"))

    missing = [
        f"{number}: {path}::{name}"
        for number, path, name in rows
        if not (ROOT / path).is_file() or f"def {name}" not in (ROOT / path).read_text(encoding="utf-8")
    ]

    assert len({number for number, _, _ in rows}) >= 36
    assert missing == []
