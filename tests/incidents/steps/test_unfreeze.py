from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from incidents import authority, clock
from incidents.models import Incident, RosterEntry
from incidents.steps import cleanup, deliver, rollback, target, unfreeze, verify
from incidents.steps.base import Denied, Refused
from incidents.terms import Phase, Role, TargetKind
from tests.factories import Crew, inform, make_crew, make_incident, own_next_cycle, pass_gates, walk

pytestmark = pytest.mark.django_db


def ready(but: str = "") -> tuple[Crew, Incident]:
    """An incident of which every precondition holds, but one."""
    crew = make_crew()
    incident = make_incident(crew, at=Phase.VERIFYING)
    if but != "verified":
        pass_gates(incident, crew)
    if but != "ownership":
        own_next_cycle(incident, crew)
    if but != "informed":
        inform(incident, crew)
    if but == "stable":
        crew.product.stability_seconds = 1800
        crew.product.save()
        incident.product.refresh_from_db()
    return crew, incident


def test_unfreeze_is_possible_when_all_four_preconditions_hold() -> None:
    _, incident = ready()

    assert [found.key for found in unfreeze.preconditions(incident) if found.holds] == [
        "stable",
        "verified",
        "ownership",
        "informed",
    ]
    assert unfreeze.lift_blockers(incident) == []


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("stable", "The target is watched until"),
        ("verified", "“CI: npm run ci:pr” has not run."),
        ("ownership", "Nobody is named for the next cycle's work of the API Lead."),
        ("informed", "Update A (Rollback declared) has not been sent."),
    ],
)
def test_each_missing_precondition_refuses_the_lift_with_its_reason(missing: str, sentence: str) -> None:
    crew, incident = ready(but=missing)

    with pytest.raises(Refused) as refused:
        unfreeze.lift(incident, "merges", by=crew.commander)

    assert refused.value.sentences[0].startswith(sentence)
    assert [found.key for found in unfreeze.preconditions(incident) if not found.holds] == [missing]
    assert incident.freeze.measures.filter(in_force=False).count() == 0


def test_an_overdue_update_takes_unfreeze_back() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.VERIFYING)
    pass_gates(incident, crew)
    own_next_cycle(incident, crew)

    with time_machine.travel(clock.now() + timedelta(minutes=40)):
        assert any("is overdue" in sentence for sentence in unfreeze.lift_blockers(incident))


def test_only_the_commander_lifts() -> None:
    crew, incident = ready()

    with pytest.raises(Denied):
        unfreeze.lift(incident, "merges", by=crew[Role.API_LEAD])


def test_stages_are_lifted_in_any_order_and_the_last_one_ends_the_freeze() -> None:
    crew, incident = ready()
    assert [stage.key for stage in unfreeze.stages(incident)] == ["merges", "claims", "dev", "staging", "prod"]

    for key in ("dev", "merges", "prod", "claims"):
        unfreeze.lift(incident, key, by=crew.commander)
        assert incident.phase == Phase.UNFREEZING
    unfreeze.lift(incident, "staging", by=crew.commander)

    incident.freeze.refresh_from_db()
    assert (incident.phase, incident.freeze.active) == (Phase.REVIEW, False)


def test_a_stage_lifts_promotions_and_deploys_of_one_environment_only() -> None:
    crew, incident = ready()

    unfreeze.lift(incident, "dev", by=crew.commander)

    lifted = {(row.measure, row.environment.name) for row in incident.freeze.measures.filter(in_force=False)}
    assert lifted == {("promotions", "dev"), ("deploys", "dev")}


@pytest.mark.parametrize("key", ["", "moon", "merges'; --", "x" * 10_000])
def test_an_unknown_stage_is_refused(key: str) -> None:
    crew, incident = ready()

    with pytest.raises(Refused, match="There is no stage"):
        unfreeze.lift(incident, key, by=crew.commander)


def test_a_stage_is_not_lifted_twice() -> None:
    crew, incident = ready()
    unfreeze.lift(incident, "merges", by=crew.commander)

    with pytest.raises(Refused, match="lifted already"):
        unfreeze.lift(incident, "merges", by=crew.commander)


def test_freezing_again_puts_every_measure_back_and_asks_for_the_gates_again() -> None:
    crew, incident = ready()
    unfreeze.lift(incident, "merges", by=crew.commander)

    unfreeze.refreeze(incident, by=crew.commander, reason="Errors in staging")

    assert not incident.freeze.measures.filter(in_force=False).exists()
    assert incident.phase == Phase.ROLLING_BACK
    assert all("is stale" in sentence for sentence in verify.blockers(incident))


def test_next_cycle_work_counts_once_its_owner_accepted() -> None:
    crew, incident = ready(but="ownership")
    unfreeze.name_owner(incident, Role.API_LEAD, user=crew.deputy, by=crew.commander)

    with pytest.raises(Denied):
        unfreeze.accept_ownership(incident, Role.API_LEAD, by=crew[Role.API_LEAD])
    assert unfreeze.lift_blockers(incident)[0] == (
        f"{crew.deputy} has not accepted the next cycle's work of the API Lead."
    )
    unfreeze.accept_ownership(incident, Role.API_LEAD, by=crew.deputy)

    assert not any("API Lead" in sentence for sentence in unfreeze.lift_blockers(incident))


def test_a_replaced_target_takes_unfreeze_back() -> None:
    crew, incident = ready()

    target.choose(incident, kind=TargetKind.COMMIT, identifier="ffff000", reason="Even better", by=crew.commander)

    assert "The target is not confirmed by its leads." in unfreeze.lift_blockers(incident)


def test_after_a_new_target_the_whole_way_is_walked_again() -> None:
    crew, incident = ready()
    target.choose(incident, kind=TargetKind.COMMIT, identifier="ffff000", reason="Even better", by=crew.commander)
    for aspect in incident.book.confirmations:
        target.confirm(incident, aspect, by=crew[target.owner_of(incident, aspect)], note="Checked again")

    finish = [action for action in incident.actions.all() if not action.is_settled]
    assert len(finish) == incident.actions.count()


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ("summary", "The incident summary with its root cause is not written."),
        ("followups", "No follow-up is listed, and no reason says why none is needed."),
        ("safeguards", "No updated safeguard is recorded, and no reason says that no control gap was found."),
    ],
)
def test_closing_is_refused_while_a_deliverable_is_missing(without: str, sentence: str) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.REVIEW)
    written: dict[str, Any] = {"what_happened": "Lag", "root_cause": "Dropped column", "impact": "Late runs"}
    if without != "followups":
        written["no_follow_ups_reason"] = "Everything was mended in the rollback"
    if without != "safeguards":
        written["no_gaps_reason"] = "The guard worked"
    if without == "summary":
        written["root_cause"] = " "
    deliver.write_summary(incident, by=crew.commander, **written)

    with pytest.raises(Refused) as refused:
        deliver.close(incident, by=crew.commander)

    assert refused.value.sentences == [sentence]


def test_verification_can_be_finished_after_a_rollback_of_two_rounds() -> None:
    crew, incident = ready()
    unfreeze.lift(incident, "merges", by=crew.commander)
    unfreeze.refreeze(incident, by=crew.commander, reason="Errors in staging")

    verify.begin(incident, by=crew.commander)
    pass_gates(incident, crew)
    inform(incident, crew)
    for key in ("merges", "claims", "dev", "staging", "prod"):
        unfreeze.lift(incident, key, by=crew.commander)
    walk(incident, crew, Phase.CLOSED)

    assert incident.phase == Phase.CLOSED


NOT_TOLD = "Update C (Recovery and unfreeze notice) has not been sent."


def _refrozen(incident: Incident, crew: Crew) -> None:
    unfreeze.lift(incident, "merges", by=crew.commander)
    unfreeze.refreeze(incident, by=crew.commander, reason="Errors in staging")


def _reopened(incident: Incident, crew: Crew) -> None:
    verify.reopen_rollback(incident, by=crew.commander, reason="One more fix")


@pytest.mark.parametrize("again", [_refrozen, _reopened])
def test_word_of_a_recovery_that_did_not_hold_is_no_word_of_the_next(again: Any) -> None:
    crew, incident = ready()
    assert unfreeze.next_update_due(incident) is None

    again(incident, crew)

    since = incident.chain.entries.latest("seq").at
    assert unfreeze.next_update_due(incident) == since + timedelta(minutes=30)
    verify.begin(incident, by=crew.commander)
    pass_gates(incident, crew)
    assert unfreeze.lift_blockers(incident) == [NOT_TOLD]
    inform(incident, crew)
    assert (unfreeze.lift_blockers(incident), unfreeze.next_update_due(incident)) == ([], None)


def test_silence_after_freezing_again_is_overdue() -> None:
    crew, incident = ready()
    _refrozen(incident, crew)

    with time_machine.travel(clock.now() + timedelta(minutes=31)):
        assert any("is overdue" in sentence for sentence in unfreeze.lift_blockers(incident))


def test_an_environment_called_like_a_measure_can_be_opened() -> None:
    crew = make_crew()
    crew.product.environments.filter(name="dev").update(name="merges")
    incident = make_incident(crew, at=Phase.UNFREEZING)

    unfreeze.lift(incident, "merges", by=crew.commander)

    assert not incident.freeze.measures.filter(environment__name="merges", in_force=True).exists()
    with pytest.raises(Refused, match="lifted already"):
        unfreeze.lift(incident, "merges", by=crew.commander)


def test_who_is_named_for_the_next_cycle_may_see_the_incident() -> None:
    crew, incident = ready(but="ownership")
    newcomer = crew.outsider
    RosterEntry.objects.create(product=crew.product, role=Role.API_LEAD, user=newcomer, rank=2)
    assert incident not in authority.visible_incidents(newcomer)

    unfreeze.name_owner(incident, Role.API_LEAD, user=newcomer, by=crew.commander)

    assert incident in authority.visible_incidents(newcomer)


def test_an_incident_of_which_everything_was_waived_still_passes_its_gates() -> None:
    """Two people may waive all of the work; nothing waives the checks, the owners and the word to stakeholders."""
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    for action in incident.actions.all():
        rollback.waive(action, by=crew[Role(action.owner)], second=crew[second_to(action.owner)], reason="Not needed")
    for item in incident.cleanup_items.all():
        cleanup.waive(item, by=crew[Role(item.owner)], reason="Not needed")

    verify.begin(incident, by=crew.commander)

    assert [found.key for found in unfreeze.preconditions(incident) if not found.holds] == [
        "verified",
        "ownership",
        "informed",
    ]


def second_to(owner: str) -> Role:
    return Role.API_LEAD if owner != Role.API_LEAD else Role.COMMANDER


def test_an_owner_whose_account_is_off_owns_nothing() -> None:
    crew, incident = ready()
    lead = crew[Role.API_LEAD]
    lead.is_active = False
    lead.save()

    assert unfreeze.lift_blockers(incident) == [
        f"{lead} left: name another owner for the next cycle's work of the API Lead."
    ]


def test_the_log_names_no_role_that_a_person_does_not_hold() -> None:
    crew, incident = ready(but="ownership")
    unfreeze.name_owner(incident, Role.API_LEAD, user=crew.deputy, by=crew.commander)

    unfreeze.accept_ownership(incident, Role.API_LEAD, by=crew.deputy)

    assert incident.chain.entries.latest("seq").actor == {"kind": "user", "id": str(crew.deputy.public_id)}
