"""The target by its endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import Crew, make_incident

pytestmark = pytest.mark.django_db


def test_a_target_is_chosen_confirmed_and_replaced(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew)

    act(incident, "api_lead", "target/choose", {"kind": "build", "identifier": "1181", "reason": "Green"}, 201)
    confirmed = act(
        incident, "infrastructure_lead", "target/confirm", {"aspect": "environment_configuration", "note": "r7"}
    )
    found = state(incident)["target"]
    assert (found["kind"], found["identifier"], confirmed["id"]) == ("build", "1181", "environment_configuration")
    assert [row["note"] for row in found["confirmations"]] == ["", "r7", ""]

    act(incident, "commander", "target/choose", {"kind": "commit", "identifier": "dbe79f1", "reason": "Safer"}, 201)
    after = state(incident)
    assert after["target"]["identifier"] == "dbe79f1"
    assert [target["identifier"] for target in after["earlier_targets"]] == ["1181"]


def test_the_wrong_lead_does_not_confirm_an_aspect(crew: Crew, act: Any) -> None:
    incident = make_incident(crew)
    act(incident, "commander", "target/choose", {"kind": "build", "identifier": "1181", "reason": "Green"}, 201)

    denied = act(incident, "api_lead", "target/confirm", {"aspect": "migration_state", "note": "fine"}, 403)

    assert denied["type"] == "urn:lastgood:denied"
