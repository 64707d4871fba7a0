from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from incidents import clock, dispatch
from incidents.models import Connector, EvidenceEntry, Gate, Incident, Wiring
from incidents.steps import cleanup, freeze, target, verify
from incidents.steps.base import Denied, Refused
from incidents.terms import AttemptState, BlockerKind, GateOutcome, Level, Measure, Phase, Role, TargetKind
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


def probed(key: str = "health") -> tuple[Crew, Incident, Gate]:
    crew = make_crew()
    connector = Connector.objects.create(name="Probe", kind="probe", config={"url": "https://health.test/"})
    Wiring.objects.create(product=crew.product, key=key, connector=connector)
    incident = make_incident(crew, at=Phase.VERIFYING)
    return crew, incident, gate(incident, key)


def test_a_check_that_comes_back_after_the_incident_moved_on_is_on_record_and_stale() -> None:
    crew, incident, health = probed()
    run = verify.ask_for_run(health, by=crew.commander)
    claimed = verify.claim(run.pk, "one")
    assert claimed
    target.choose(incident, kind=TargetKind.BUILD, identifier="1180", reason="Older", by=crew.commander)

    verify.settle(*claimed, GateOutcome.PASS, "200 OK")

    run.refresh_from_db()
    assert (run.outcome, verify.is_current(incident, run)) == (GateOutcome.PASS, False)
    assert incident.chain.entries.latest("seq").sentence == "Service health: pass. 200 OK"


def test_a_check_that_waited_until_the_incident_moved_on_is_dropped_once_and_for_all() -> None:
    crew, incident, health = probed()
    run = verify.ask_for_run(health, by=crew.commander)
    verify.reopen_rollback(incident, by=crew.commander, reason="One more fix")

    dispatch.run_gate(run.pk)
    dispatch.run_gate(run.pk)

    run.refresh_from_db()
    assert (run.state, run.recorded_at) == (AttemptState.CANCELLED, None)
    assert incident.chain.entries.latest("seq").sentence == "Service health: not run. The incident is rolling back now."
    assert verify.gate_blockers(gate(incident, "health")) == ["“Service health” has not run."]


def test_a_run_that_was_taken_over_writes_nothing() -> None:
    crew, incident, health = probed()
    run = verify.ask_for_run(health, by=crew.commander)
    late = verify.claim(run.pk, "late")
    assert late
    type(run).objects.filter(pk=run.pk).update(lease_until=clock.now() - timedelta(seconds=1))
    verify.sweep()
    last = incident.chain.entries.latest("seq")

    with pytest.raises(verify.TakenOver):
        verify.settle(*late, GateOutcome.PASS, "200 OK")

    assert incident.chain.entries.latest("seq") == last


def test_a_gate_whose_worker_is_gone_is_recorded_by_hand() -> None:
    crew, incident, health = probed()
    run = verify.ask_for_run(health, by=crew.commander)

    pass_gate(health, crew)

    run.refresh_from_db()
    assert run.state == AttemptState.CANCELLED
    assert incident.chain.entries.latest("seq").body["instead_of"] == str(run.pk)
    assert verify.gate_blockers(gate(incident, "health")) == []


def test_a_gate_that_a_worker_is_checking_is_not_recorded_beside_it() -> None:
    crew, _, health = probed()
    run = verify.ask_for_run(health, by=crew.commander)
    verify.claim(run.pk, "one")

    with pytest.raises(Refused, match="is running already"):
        pass_gate(health, crew)


def test_a_pass_waits_for_the_run_that_was_asked_for_after_it() -> None:
    crew, incident, health = probed()
    pass_gate(health, crew)

    verify.ask_for_run(health, by=crew.commander)

    assert verify.gate_blockers(gate(incident, "health")) == ["“Service health” is running: wait for what it says."]


@pytest.mark.past_the_log
def test_a_gate_that_was_read_before_a_change_is_judged_after_it() -> None:
    """The page was opened, the evidence brought; then the system changed, and only then was the form sent."""
    crew, incident = verifying()
    read_before = gate(incident, "ci")
    lead = crew[Role.API_LEAD]
    cleanup.attach(incident, "gate:ci", owner=Role.API_LEAD, by=lead, text="Green at 41aa0de")
    Incident.objects.filter(pk=incident.pk).update(change_number=99, changed_at=clock.now() + timedelta(seconds=1))

    with pytest.raises(Refused, match="needs evidence from after the last change"):
        verify.record_by_hand(read_before, outcome=GateOutcome.PASS, note="green", by=lead)


@pytest.mark.parametrize(
    ("on", "owner", "sentence"),
    [
        ("cleanup:rotation-log", Role.API_LEAD, "is brought by the Security Lead"),
        ("action:3e-revoke", Role.API_LEAD, "is brought by the Security Lead"),
        ("gate:ci", Role.COMMUNICATIONS_OWNER, "is brought by the Incident Commander or API Lead"),
        ("cleanup:no-such-log", Role.SECURITY_LEAD, "asks for no evidence on “cleanup:no-such-log”"),
        ("gate:no-such-gate", Role.SECURITY_LEAD, "asks for no evidence"),
        ("weather", Role.SECURITY_LEAD, "asks for no evidence"),
    ],
)
def test_evidence_is_brought_by_who_owns_the_thing_for_what_the_incident_has(
    on: str, owner: Role, sentence: str
) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)

    with pytest.raises(Refused, match=sentence):
        cleanup.attach(incident, on, owner=owner, by=crew[owner], text="Looked")


@pytest.mark.past_the_log
def test_nothing_of_another_incident_is_touched_from_this_one() -> None:
    one, other = make_crew(), make_crew()
    here, there = make_incident(one, at=Phase.ROLLING_BACK), make_incident(other, at=Phase.ROLLING_BACK)
    data, security = one[Role.DATA_EVIDENCE_LEAD], one[Role.SECURITY_LEAD]
    file = there.attachments.create(
        sha256="0" * 64, name="x", size=1, uploaded_by=other.commander, uploaded_at=there.declared_at
    )
    exception = freeze.allow_exception(
        there,
        measure=Measure.MERGES,
        subject="PR 41",
        reason="Fix",
        expires_at=clock.now() + timedelta(hours=1),
        by=other.commander,
        second=other[Role.API_LEAD],
    )
    before = EvidenceEntry.objects.count()

    for reach in (
        lambda: cleanup.tick(here, list(there.cleanup_items.filter(area="data")), by=data, note=""),
        lambda: cleanup.attach(here, "gate:ci", owner=Role.SECURITY_LEAD, by=security, attachment=file),
        lambda: freeze.revoke_exception(here, exception, by=one.commander, reason="Not mine"),
        lambda: freeze.allow_exception(
            here,
            measure=Measure.PROMOTIONS,
            subject="PR 41",
            reason="Fix",
            environment=other.product.environments.first(),
            expires_at=clock.now() + timedelta(hours=1),
            by=one.commander,
            second=security,
        ),
    ):
        with pytest.raises(Refused):
            reach()

    exception.refresh_from_db()
    assert (exception.revoked_at, EvidenceEntry.objects.count()) == (None, before)


def test_items_of_two_areas_are_not_ticked_in_one_go() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)

    with pytest.raises(Refused, match="exactly one area"):
        cleanup.tick(incident, list(incident.cleanup_items.all()), by=crew[Role.DATA_EVIDENCE_LEAD], note="")
    with pytest.raises(Refused, match="exactly one area"):
        cleanup.tick(incident, [], by=crew[Role.DATA_EVIDENCE_LEAD], note="")
