from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from incidents.models import Connector, EvidenceEntry, Freeze, Incident, Membership, Wiring
from incidents.steps import cleanup, declare, rollback, target, unfreeze
from incidents.steps.base import AlreadyFrozen, Denied, Refused
from incidents.terms import ActionState, CleanupState, Kind, Level, Measure, Phase, Role, TargetKind
from tests.factories import finish_action, make_crew, make_incident

pytestmark = pytest.mark.django_db


def declare_by(crew: Any, **fields: Any) -> Incident:
    fields = {"trigger": "security_risk", "summary": "Tenant data seen across", "scope_level": Level.L3, **fields}
    return declare.rollback_mode(product=crew.product, by=fields.pop("by", crew.commander), **fields)


def test_a_declaration_records_timestamp_trigger_and_scope_level() -> None:
    crew = make_crew()

    incident = declare_by(crew)

    entry = EvidenceEntry.objects.get(chain=incident.chain)
    assert entry.kind == Kind.DECLARED
    assert entry.at == incident.declared_at
    assert entry.body["trigger"] == "security_risk"
    assert entry.body["scope_level"] == "L3"
    assert entry.body["runbook_sha256"] == incident.runbook.sha256


def test_the_four_freezes_are_in_force_from_the_declaration_on() -> None:
    incident = declare_by(make_crew())

    held = {(row.measure, str(row.environment or "")) for row in incident.freeze.measures.filter(in_force=True)}
    places = {"dev", "staging", "prod"}
    assert held == {("merges", ""), ("claims", "")} | {
        (measure, place) for measure in (Measure.PROMOTIONS, Measure.DEPLOYS) for place in places
    }


def test_the_first_on_the_roster_is_asked_for_every_role_and_the_commander_leads_at_once() -> None:
    crew = make_crew()

    incident = declare_by(crew)

    rows = {row.role: (row.user, row.is_accepted) for row in Membership.objects.filter(incident=incident)}
    assert rows == {role: (crew[role], role == Role.COMMANDER) for role in Role}


def test_a_second_declaration_answers_with_the_reference_of_the_first() -> None:
    crew = make_crew()
    first = declare_by(crew)

    with pytest.raises(AlreadyFrozen) as refused:
        declare_by(crew)

    assert refused.value.reference == first.reference
    assert Incident.objects.count() == 1


def test_references_are_gapless_within_the_year_also_over_refusals() -> None:
    first = declare_by(make_crew())
    with pytest.raises(Refused):
        declare_by(make_crew(), trigger="no such trigger")

    second = declare_by(make_crew())

    year = first.declared_at.year
    assert [first.reference, second.reference] == [f"RB-{year}-0001", f"RB-{year}-0002"]


@pytest.mark.parametrize("role", [role for role in Role if role != Role.COMMANDER])
def test_only_those_ready_as_commander_declare(role: Role) -> None:
    crew = make_crew()

    with pytest.raises(Denied, match="stand ready as Incident Commander"):
        declare_by(crew, by=crew[role])
    assert not Freeze.objects.exists()


def test_a_superuser_without_the_role_cannot_declare() -> None:
    crew = make_crew()
    crew.outsider.is_superuser = True
    crew.outsider.save()

    with pytest.raises(Denied):
        declare_by(crew, by=crew.outsider)


def test_a_declaration_that_is_refused_leaves_nothing() -> None:
    crew = make_crew()

    with pytest.raises(Refused, match="does not stand ready as Incident Commander"):
        declare_by(crew, commander=crew[Role.API_LEAD])

    assert (Incident.objects.count(), Freeze.objects.count()) == (0, 0)


def test_raising_the_level_brings_new_work_and_sends_a_verification_back() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.VERIFYING, level=Level.L1)

    declare.raise_level(incident, Level.L3, by=crew.commander, reason="Credentials were in the logs")

    assert incident.phase == Phase.ROLLING_BACK
    keys = set(incident.actions.filter(state=ActionState.PLANNED).values_list("key", flat=True))
    assert {"3d-preserve", "3d-annotate"} <= keys


def test_lowering_takes_away_what_nobody_began() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    finish_action(incident.actions.get(key="3d-preserve"), crew)

    declare.lower_level(
        incident, Level.L2, by=crew.commander, second=crew[Role.API_LEAD], reason="No evidence was touched"
    )

    keys = set(incident.actions.values_list("key", flat=True))
    assert "3d-preserve" in keys
    assert "3d-annotate" not in keys
    assert incident.actions.get(key="3e-rotate").waivable


def test_a_level_is_not_raised_to_a_lower_one() -> None:
    crew = make_crew()
    incident = make_incident(crew, level=Level.L2)

    with pytest.raises(Refused, match="choose a higher one"):
        declare.raise_level(incident, Level.L1, by=crew.commander, reason="x")


def test_standing_down_is_refused_once_an_action_has_run() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = incident.actions.order_by("stage").first()
    finish_action(action, crew)

    with pytest.raises(Refused, match="has already run"):
        declare.stand_down(incident, by=crew.commander, second=crew[Role.API_LEAD], reason="False alarm")


def test_standing_down_lifts_every_measure_and_frees_the_product() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.STOOD_DOWN)

    assert not incident.freeze.measures.filter(in_force=True).exists()
    assert declare_by(crew).reference != incident.reference


def test_the_incident_keeps_the_runbook_it_was_declared_under() -> None:
    from incidents.runbook import versions

    crew = make_crew()
    incident = declare_by(crew)
    edited = incident.runbook.source.replace("Contain blast radius quickly.", "Contain blast radius at once.")

    version = versions.publish(edited, note="Sharper objective", by=crew.commander)

    incident.refresh_from_db()
    assert (version.number, incident.runbook.number) == (2, 1)
    assert incident.book.objectives[0] == "Contain blast radius quickly."
    assert incident.runbook_sha256 == incident.runbook.sha256
    assert rollback.plan_blockers(incident) == ["The target is not confirmed by its leads yet."]


@pytest.mark.django_db(transaction=True)
def test_of_twenty_simultaneous_declarations_exactly_one_holds_the_freeze() -> None:
    crew = make_crew()
    barrier = threading.Barrier(20)
    outcomes: list[str] = []

    def declare_at_once() -> None:
        barrier.wait()
        try:
            outcomes.append(declare_by(crew).reference)
        except AlreadyFrozen as refused:
            outcomes.append(f"refused for {refused.reference}")
        finally:
            connection.close()

    threads = [threading.Thread(target=declare_at_once) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    reference = Incident.objects.get().reference
    assert sorted(outcomes) == [reference, *[f"refused for {reference}"] * 19]


@pytest.mark.parametrize("since", ["waived", "another target"])
def test_standing_down_is_refused_whatever_became_of_the_action_that_ran(since: str) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action, lead = incident.actions.get(key="3e-revoke"), crew[Role.SECURITY_LEAD]
    rollback.approve(action, by=crew.commander)
    rollback.complete(action, succeeded=False, result="The vault refused half of them", by=lead)
    if since == "waived":
        rollback.waive(action, by=lead, reason="Done in the console")
    else:
        target.choose(incident, kind=TargetKind.BUILD, identifier="1180", reason="Older", by=crew.commander)

    with pytest.raises(Refused, match="has already run: finish the rollback instead"):
        declare.stand_down(incident, by=crew.commander, second=crew[Role.API_LEAD], reason="False alarm")


def test_standing_down_waits_until_what_is_queued_is_aborted() -> None:
    crew = make_crew()
    connector = Connector.objects.create(name="Vault", kind="command", config={"command": "x"})
    Wiring.objects.create(product=crew.product, key="3e-revoke", connector=connector)
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action, second = incident.actions.get(key="3e-revoke"), crew[Role.API_LEAD]
    rollback.approve(action, by=crew.commander)
    rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])

    with pytest.raises(Refused, match="is queued: abort it first"):
        declare.stand_down(incident, by=crew.commander, second=second, reason="False alarm")
    rollback.abort(action, by=crew.commander, reason="False alarm")
    declare.stand_down(incident, by=crew.commander, second=second, reason="False alarm")

    assert incident.phase == Phase.STOOD_DOWN


def test_raising_to_l3_opens_what_one_person_waived_of_the_cleanup() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L2)
    lead = crew[Role.SECURITY_LEAD]
    alone, agreed = incident.cleanup_items.filter(area="credentials")
    cleanup.waive(alone, by=lead, reason="Nothing exposed")
    cleanup.waive(agreed, by=lead, second=crew.commander, reason="Nothing exposed")

    declare.raise_level(incident, Level.L3, by=crew.commander, reason="Keys in the logs")

    states = dict(incident.cleanup_items.filter(area="credentials").values_list("key", "state"))
    assert states == {alone.key: CleanupState.OPEN, agreed.key: CleanupState.WAIVED}
    assert alone.key in incident.chain.entries.latest("seq").body["reopened"]


def test_a_product_without_environments_is_frozen_and_lifted_as_a_whole() -> None:
    crew = make_crew()
    crew.product.environments.all().delete()
    incident = make_incident(crew, at=Phase.UNFREEZING)

    unfreeze.lift(incident, "claims", by=crew.commander)
    unfreeze.lift(incident, "environments", by=crew.commander)

    assert (incident.phase, incident.freeze.measures.filter(in_force=True).count()) == (Phase.REVIEW, 0)


def test_a_drill_holds_the_freeze_like_any_incident() -> None:
    crew = make_crew()
    drill = declare_by(crew, drill=True)

    with pytest.raises(AlreadyFrozen) as refused:
        declare_by(crew)

    assert refused.value.reference == drill.reference


def test_a_person_whose_account_is_off_neither_declares_nor_leads() -> None:
    crew = make_crew()
    crew.deputy.is_active = False
    crew.deputy.save()

    with pytest.raises(Denied):
        declare_by(crew, by=crew.deputy)
    with pytest.raises(Refused, match="does not stand ready"):
        declare_by(crew, commander=crew.deputy)


def test_who_declares_for_another_commander_does_not_stand_in_the_log_as_commander() -> None:
    crew = make_crew()

    incident = declare_by(crew, by=crew.deputy, commander=crew.commander)

    entry = incident.chain.entries.get()
    assert entry.actor == {"kind": "user", "id": str(crew.deputy.public_id)}
    assert entry.body["commander"] == str(crew.commander.public_id)
