from __future__ import annotations

from typing import Any

import pytest

from incidents.models import Gate, Incident
from incidents.steps import cleanup, target, verify
from incidents.steps.base import Denied, Refused
from incidents.terms import BlockerKind, GateOutcome, Level, Phase, Role, TargetKind
from tests.factories import Crew, finish_rollback, make_crew, make_incident, pass_gate, pass_gates

pytestmark = pytest.mark.django_db


def verifying(**fields: Any) -> tuple[Crew, Incident]:
    crew = make_crew()
    return crew, make_incident(crew, at=Phase.VERIFYING, **fields)


def gate(incident: Incident, key: str) -> Gate:
    return incident.gates.get(key=key)


def test_verification_begins_only_after_actions_and_cleanup() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)

    with pytest.raises(Refused) as refused:
        verify.begin(incident, by=crew.commander)

    assert "“3a Redeploy control plane and workers to the target” is planned." in refused.value.sentences
    assert "Credential hygiene: “Credential rotation log” is not attached." in refused.value.sentences


def test_the_four_mandatory_checks_of_the_runbook_stand_as_gates() -> None:
    _, incident = verifying()

    assert list(incident.gates.values_list("key", flat=True)) == ["ci", "health", "smoke", "evidence"]
    assert verify.blockers(incident)[0] == "“CI: npm run ci:pr” has not run."


def test_a_gate_recorded_by_hand_shows_evidence() -> None:
    crew, incident = verifying()

    with pytest.raises(Refused, match="needs evidence from after the last change"):
        verify.record_by_hand(gate(incident, "ci"), outcome=GateOutcome.PASS, note="green", by=crew[Role.API_LEAD])


def test_gates_that_pass_block_nothing() -> None:
    crew, incident = verifying()

    pass_gates(incident, crew)

    assert verify.blockers(incident) == []


@pytest.mark.parametrize("outcome", [GateOutcome.FAIL, GateOutcome.ERROR])
def test_what_does_not_pass_blocks(outcome: GateOutcome) -> None:
    crew, incident = verifying()

    pass_gate(gate(incident, "smoke"), crew, outcome)

    assert verify.gate_blockers(gate(incident, "smoke")) == [
        f"“Critical workflow smoke” ended as {outcome.label.lower()}: run it again, or accept the risk."
    ]


def test_a_pass_goes_stale_after_a_later_change() -> None:
    crew, incident = verifying()
    pass_gates(incident, crew)

    verify.reopen_rollback(incident, by=crew.commander, reason="One more fix")
    target.choose(incident, kind=TargetKind.COMMIT, identifier="eeee222", reason="Better", by=crew.commander)

    assert verify.blockers(incident)[0].endswith("is stale: the target or the system changed after it ran.")


def test_a_pass_stays_when_the_rollback_is_reopened_and_nothing_changed() -> None:
    crew, incident = verifying()
    pass_gates(incident, crew)

    verify.reopen_rollback(incident, by=crew.commander, reason="Look once more")
    verify.begin(incident, by=crew.commander)

    assert verify.blockers(incident) == []


def test_a_baseline_blocker_explains_a_failure_and_is_never_a_pass() -> None:
    crew, incident = verifying()
    ci = gate(incident, "ci")
    pass_gate(ci, crew, GateOutcome.FAIL)

    verify.accept_baseline(
        ci,
        failing_step="ci:gates",
        kind=BlockerKind.GATE_BASELINE,
        proof="package.json mismatched at 41aa0de, before the cycle",
        not_executed="the 21 steps after ci:gates",
        by=crew.commander,
    )

    assert verify.gate_blockers(gate(incident, "ci")) != []


def test_a_baseline_blocker_is_captured_only_where_the_runbook_knows_one() -> None:
    crew, incident = verifying()
    pass_gate(gate(incident, "health"), crew, GateOutcome.FAIL)

    with pytest.raises(Refused, match="knows no baseline blocker"):
        verify.accept_baseline(
            gate(incident, "health"),
            failing_step="x",
            kind=BlockerKind.OTHER,
            proof="x",
            not_executed="x",
            by=crew.commander,
        )


def test_an_accepted_risk_lets_a_failure_through_until_the_next_change() -> None:
    crew, incident = verifying()
    ci = gate(incident, "ci")
    pass_gate(ci, crew, GateOutcome.FAIL)

    verify.accept_risk(ci, reason="Known lint baseline", by=crew.commander, second=crew[Role.API_LEAD])
    assert verify.gate_blockers(gate(incident, "ci")) == []
    verify.reopen_rollback(incident, by=crew.commander, reason="One more fix")
    target.choose(incident, kind=TargetKind.COMMIT, identifier="eeee222", reason="Better", by=crew.commander)

    assert verify.gate_blockers(gate(incident, "ci")) != []


def test_a_risk_is_not_accepted_unseen() -> None:
    crew, incident = verifying()

    with pytest.raises(Refused, match="a risk is accepted for an outcome one has seen"):
        verify.accept_risk(gate(incident, "ci"), reason="x", by=crew.commander, second=crew[Role.API_LEAD])


def test_a_lead_does_not_accept_a_risk() -> None:
    crew, incident = verifying()
    pass_gate(gate(incident, "ci"), crew, GateOutcome.FAIL)

    with pytest.raises(Denied, match="for the Incident Commander"):
        verify.accept_risk(gate(incident, "ci"), reason="x", by=crew[Role.API_LEAD], second=crew.commander)


def test_a_gate_without_a_probe_is_recorded_by_hand() -> None:
    crew, incident = verifying()

    with pytest.raises(Refused, match="record it by hand"):
        verify.ask_for_run(gate(incident, "health"), by=crew[Role.INFRASTRUCTURE_LEAD])


@pytest.mark.parametrize("level", list(Level))
def test_a_waived_area_asks_for_no_evidence_but_needs_a_second_person_at_l3(level: Level) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=level)
    lead = crew[Role.SECURITY_LEAD]
    items = incident.cleanup_items.filter(area="credentials")

    for item in items:
        if level == Level.L3:
            with pytest.raises(Denied, match="asks for a second person"):
                cleanup.waive(item, by=lead, reason="Nothing exposed")
        cleanup.waive(item, by=lead, reason="Nothing exposed", second=crew.commander if level == Level.L3 else None)

    assert cleanup.missing(incident, incident.book.area("credentials")) == []


@pytest.mark.parametrize("role", list(Role))
def test_a_cleanup_item_is_ticked_by_its_owner_role_only(role: Role) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    items = list(incident.cleanup_items.filter(area="data"))

    if role == Role.DATA_EVIDENCE_LEAD:
        cleanup.tick(incident, items, by=crew[role], note="Rebuilt")
        assert {item.state for item in incident.cleanup_items.filter(area="data")} == {"done"}
    else:
        with pytest.raises(Denied):
            cleanup.tick(incident, items, by=crew[role], note="Rebuilt")


def test_an_item_is_not_ticked_twice() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    items = list(incident.cleanup_items.filter(area="data"))
    cleanup.tick(incident, items[:1], by=crew[Role.DATA_EVIDENCE_LEAD], note="")

    with pytest.raises(Refused, match="is already done"):
        cleanup.tick(incident, items, by=crew[Role.DATA_EVIDENCE_LEAD], note="")
    assert incident.cleanup_items.filter(area="data", state="open").count() == 2


def test_the_walk_reaches_verification_at_every_level() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)

    finish_rollback(incident, crew)

    assert incident.phase == Phase.VERIFYING
