"""docs/runbook-map.md is complete, and what it points at is there."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from incidents.runbook import parse
from incidents.runbook.content import SHIPPED

ROOT = Path(__file__).resolve().parent.parent
BOOK = parse(SHIPPED.read_text(encoding="utf-8"))
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "docs" / "runbook-map.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| sentence", "| ---"))
]


def sentences() -> Iterator[str]:
    yield from BOOK.objectives
    yield from (role.responsibility for role in BOOK.roles.values())
    yield from (BOOK.trigger_rule, BOOK.measure_rule)
    yield from (trigger.text for trigger in BOOK.triggers)
    yield from (measure.text for measure in BOOK.measures.values())
    for level in BOOK.levels.values():
        yield from (level.scope, level.typical_use)
    yield from (point for step in BOOK.steps for point in step.points)
    yield from (action.text for action in BOOK.actions)
    for area in BOOK.cleanup:
        yield from (area.action_set, area.evidence_to_capture)
    yield from (gate.text for gate in BOOK.gates)
    yield from (clause.text for clause in BOOK.preconditions)
    yield from (notice.name for notice in BOOK.notices.values())
    yield from (clause.text for clause in BOOK.deliverables)


def test_every_sentence_of_the_runbook_has_a_row() -> None:
    mapped = {row[0] for row in ROWS}

    assert [sentence for sentence in sentences() if sentence not in mapped] == []


@pytest.mark.parametrize("name", sorted({row[2].strip("`") for row in ROWS}))
def test_each_step_function_is_there(name: str) -> None:
    module, _, function = name.rpartition(".")
    full = module if "." in module else f"incidents.steps.{module}"

    assert callable(getattr(importlib.import_module(full), function))


@pytest.mark.parametrize("name", sorted({row[3].strip("`") for row in ROWS}))
def test_each_test_is_there(name: str) -> None:
    path, test = name.split("::")

    assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8")
