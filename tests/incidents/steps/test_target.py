from __future__ import annotations

import pytest

from incidents.models import Connector, Target, Wiring
from incidents.steps import rollback, target
from incidents.steps.base import Denied, Refused
from incidents.terms import ActionState, Aspect, AttemptState, Phase, Role, TargetKind
from tests.factories import confirm_target, finish_action, make_crew, make_incident

pytestmark = pytest.mark.django_db

OWNERS = {
    Aspect.MIGRATION_STATE: Role.DATA_EVIDENCE_LEAD,
    Aspect.ENVIRONMENT_CONFIGURATION: Role.INFRASTRUCTURE_LEAD,
    Aspect.EVIDENCE_CUTOVER: Role.DATA_EVIDENCE_LEAD,
}


@pytest.mark.parametrize("kind", list(TargetKind))
def test_a_target_is_a_commit_a_build_or_a_deployment(kind: TargetKind) -> None:
    crew = make_crew()
    incident = make_incident(crew)

    chosen = target.choose(incident, kind=kind, identifier="1182", reason="Last green", by=crew.commander)

    assert str(chosen) == f"{kind.label.lower()} 1182"


@pytest.mark.parametrize("aspect", list(Aspect))
@pytest.mark.parametrize("role", list(Role))
def test_each_aspect_is_confirmed_by_the_lead_who_owns_it(aspect: Aspect, role: Role) -> None:
    crew = make_crew()
    incident = make_incident(crew)
    target.choose(incident, kind=TargetKind.COMMIT, identifier="dbe79f1", reason="Green", by=crew.commander)

    if role == OWNERS[aspect]:
        target.confirm(incident, aspect, by=crew[role], note="Checked against staging")
        assert target.current(incident).confirmations.get().role == role
    else:
        with pytest.raises(Denied):
            target.confirm(incident, aspect, by=crew[role], note="Checked")


def test_the_third_confirmation_makes_the_incident_targeted() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    confirm_target(incident, crew)

    incident.refresh_from_db()
    assert incident.phase == Phase.TARGETED


def test_a_confirmation_says_what_was_checked() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    target.choose(incident, kind=TargetKind.COMMIT, identifier="dbe79f1", reason="Green", by=crew.commander)

    with pytest.raises(Refused, match="Write what you checked"):
        target.confirm(incident, Aspect.MIGRATION_STATE, by=crew[Role.DATA_EVIDENCE_LEAD], note="  ")


def test_a_confirmation_before_a_target_is_refused() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    with pytest.raises(Refused, match="No target has been chosen yet"):
        target.confirm(incident, Aspect.MIGRATION_STATE, by=crew[Role.DATA_EVIDENCE_LEAD], note="0411")


def test_a_replaced_target_stays_on_record_and_voids_what_was_done_for_it() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = incident.actions.order_by("stage").first()
    finish_action(action, crew)

    target.choose(incident, kind=TargetKind.BUILD, identifier="1180", reason="1182 was bad too", by=crew.commander)

    action.refresh_from_db()
    assert incident.phase == Phase.DECLARED
    assert action.state == ActionState.PLANNED
    assert [row.identifier for row in Target.objects.filter(replaced_at=None)] == ["1180"]
    assert Target.objects.count() == 2


def test_confirming_a_new_target_goes_back_to_the_plan_that_stands() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)

    confirm_target(incident, crew, identifier="aaaa111")

    incident.refresh_from_db()
    assert incident.phase == Phase.ROLLING_BACK
    assert rollback.plan_blockers(incident) == []


def test_what_was_queued_for_a_replaced_target_is_cancelled_with_it() -> None:
    crew = make_crew()
    connector = Connector.objects.create(name="Vault", kind="command", config={"command": "x"})
    Wiring.objects.create(product=crew.product, key="3e-revoke", connector=connector)
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = incident.actions.get(key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    attempt = rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])

    target.choose(incident, kind=TargetKind.BUILD, identifier="1180", reason="Older", by=crew.commander)

    attempt.refresh_from_db()
    assert (attempt.state, attempt.sentence) == (
        AttemptState.CANCELLED,
        "The target was replaced before it started.",
    )


def test_a_target_is_not_replaced_while_someone_works_on_it_by_hand() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = incident.actions.get(key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])

    with pytest.raises(Refused, match="is running or its outcome is unknown: settle it first"):
        target.choose(incident, kind=TargetKind.BUILD, identifier="1180", reason="Older", by=crew.commander)
