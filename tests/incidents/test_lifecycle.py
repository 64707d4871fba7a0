"""The lifecycle is complete, and its drawing in the docs is the table itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidents import lifecycle, policy
from incidents.terms import Act, Phase

DRAWING = Path(__file__).resolve().parents[2] / "docs" / "lifecycle.md"


def test_every_act_on_an_incident_knows_its_phases() -> None:
    assert set(lifecycle.ALLOWED) == set(Act) - {Act.DECLARE}


def test_every_act_has_someone_who_may_do_it() -> None:
    known = set(policy.ROLES) | policy.OWNED | policy.PERSONAL | policy.SYSTEM

    assert known == set(Act) - {Act.DECLARE}


def test_every_phase_is_reached_from_the_declaration() -> None:
    reached, fresh = {Phase.DECLARED}, {Phase.DECLARED}
    while fresh:
        fresh = {after for phase in fresh for after in lifecycle.NEXT[phase]} - reached
        reached |= fresh

    assert reached == set(Phase)


def test_an_ended_incident_goes_nowhere() -> None:
    assert {phase for phase in Phase if not lifecycle.NEXT[phase]} == lifecycle.ENDED


AFTER_THE_END = (Act.CORRECT, Act.ERASE, Act.LIMIT_KNOWLEDGE, Act.RUN_ACTION, Act.SETTLE_GATE, Act.SETTLE_NOTICE)


@pytest.mark.parametrize("act", [act for act in lifecycle.ALLOWED if act not in AFTER_THE_END])
def test_no_act_of_people_is_possible_once_an_incident_is_closed(act: Act) -> None:
    assert Phase.CLOSED not in lifecycle.ALLOWED[act]


def test_a_refusal_names_the_act_and_the_phases() -> None:
    sentence = lifecycle.refusal(Act.CLOSE, Phase.DECLARED)

    assert sentence == "“Close the incident” is possible while the incident is in review; it is declared."


def test_the_drawing_in_the_docs_is_the_table() -> None:
    arrows = {f"    {phase} --> {after}" for phase, nexts in lifecycle.NEXT.items() for after in nexts}
    drawn = {line for line in DRAWING.read_text(encoding="utf-8").splitlines() if "-->" in line and "[*]" not in line}

    assert drawn == arrows
