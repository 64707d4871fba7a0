"""The rail: which step the incident stands at, and how far each has come."""

from __future__ import annotations

import pytest

from incidents import board
from incidents.terms import Phase
from tests.factories import make_crew, make_incident
from tests.incidents.board.given import as_read

pytestmark = pytest.mark.django_db

WHERE = {
    Phase.DECLARED: ["done", "now", "todo", "todo", "todo", "todo", "todo"],
    Phase.TARGETED: ["done", "done", "now", "todo", "todo", "todo", "todo"],
    Phase.ROLLING_BACK: ["done", "done", "now", "now", "todo", "todo", "todo"],
    Phase.VERIFYING: ["done", "done", "done", "done", "now", "todo", "todo"],
    Phase.UNFREEZING: ["done", "done", "done", "done", "done", "now", "todo"],
    Phase.REVIEW: ["done", "done", "done", "done", "done", "done", "now"],
    Phase.CLOSED: ["done"] * 7,
    Phase.STOOD_DOWN: ["done", "todo", "todo", "todo", "todo", "todo", "todo"],
}


@pytest.mark.parametrize("at", list(WHERE))
def test_the_rail_says_where_the_incident_stands(at: Phase) -> None:
    found = board.of(as_read(make_incident(make_crew(), at=at)))

    assert [step["state"] for step in found.rail] == WHERE[at]


def test_the_rail_counts_what_is_done() -> None:
    found = board.of(as_read(make_incident(make_crew(), at=Phase.VERIFYING)))

    assert [step["note"] for step in found.rail[1:]] == [
        "dbe79f1",
        "11 of 11 actions",
        "3 of 3 areas",
        "0 of 4 gates",
        "1 of 4 hold",
        "0 of 3 parts",
    ]


def test_without_a_board_the_rail_stands_without_counts() -> None:
    found = board.rail(make_incident(make_crew()), "target")

    assert [step["note"] for step in found] == [""] * 7
    assert [step["current"] for step in found] == [False, True, False, False, False, False, False]
