"""Gates by their endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from incidents.models import Connector, Wiring
from incidents.terms import ConnectorKind, Phase, Role
from tests.factories import Crew, make_incident
from tests.incidents.api.calling import confirm

pytestmark = pytest.mark.django_db


def test_a_gate_wired_to_a_probe_is_queued(crew: Crew, act: Any, state: Any) -> None:
    connector = Connector.objects.create(name="probe", kind=ConnectorKind.PROBE)
    Wiring.objects.create(product=crew.product, key="health", connector=connector)
    incident = make_incident(crew, at=Phase.VERIFYING)

    asked = act(incident, "infrastructure_lead", "verify/gates/health/run", status=202)
    again = act(incident, "infrastructure_lead", "verify/gates/health/run", status=409)
    by_hand = act(incident, "api_lead", "verify/gates/ci/run", status=409)

    gate = next(gate for gate in state(incident)["gates"] if gate["key"] == "health")
    assert (gate["can_run"], gate["is_running"], asked["id"]) == (
        True,
        True,
        str(incident.gates.get(key="health").runs.get().pk),
    )
    assert again["blockers"] == ["“Service health” is running already."]
    assert "record it by hand" in by_hand["blockers"][0]


def test_a_failure_is_explained_and_its_risk_accepted_by_two(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)
    act(incident, "api_lead", "verify/gates/ci/evidence", {"link": "https://ci.example.test/1"}, 201)
    act(incident, "api_lead", "verify/gates/ci/record", {"outcome": "fail", "note": "Lint"}, 201)
    baseline = {"failing_step": "lint", "kind": "lint-baseline", "proof": "Red since May", "not_executed": "e2e"}

    act(incident, "commander", "verify/gates/ci/baseline", baseline, 201)
    waiting = act(incident, "commander", "verify/gates/ci/risk", {"reason": "Known and harmless"}, 202)
    confirm(act, incident, waiting)

    gate = next(gate for gate in state(incident)["gates"] if gate["key"] == "ci")
    assert gate["last_run"]["outcome"] == "fail"
    assert gate["baseline_blocker"]["failing_step"] == "lint"
    assert gate["accepted_risk"]["second"]["email"] == crew[Role.API_LEAD].email
    assert gate["blockers"] == []


def test_verification_goes_back_with_a_reason(crew: Crew, act: Any) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)

    assert act(incident, "commander", "verify/reopen", {"reason": "Lag is back"})["phase"] == "rolling_back"
    assert act(incident, "commander", "verify/begin")["phase"] == "verifying"


def test_beginning_verification_says_what_is_open(crew: Crew, act: Any) -> None:
    refused = act(make_incident(crew, at=Phase.ROLLING_BACK), "commander", "verify/begin", status=409)

    assert len(refused["blockers"]) > 10
    assert "Cleanup" not in refused["title"]
    assert refused["detail"] == " ".join(refused["blockers"])
