from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from incidents import clock
from incidents.models import Action, Attempt, Incident, Product, Wiring
from incidents.models.connector import Connector
from incidents.runbook import versions
from incidents.runbook.content import SHIPPED
from incidents.steps import cleanup, declare, roles, rollback
from incidents.steps.base import Denied, Refused
from incidents.terms import ActionState, AttemptState, Level, Phase, Role, Track
from tests.factories import Crew, finish_action, make_crew, make_incident

pytestmark = pytest.mark.django_db

FULL = {"3a-redeploy", "3a-parity", "3b-drift", "3b-health", "3c-schema", "3c-rebuild", "3c-tenants"}
CREDENTIALS = {"3e-revoke", "3e-rotate", "3e-scopes"}
EVIDENCE = {"3d-preserve", "3d-annotate"}


def wire(product: Product, key: str, kind: str = "command") -> None:
    connector = Connector.objects.create(name=f"{kind} for {key}", kind=kind, config={"command": "redeploy"})
    Wiring.objects.create(product=product, key=key, connector=connector, arguments={"environment": "prod"})


def first_action(incident: Incident, **fields: Any) -> Action:
    return incident.actions.filter(**fields).order_by("stage", "id")[0]


def rolling(level: Level = Level.L1) -> tuple[Crew, Incident]:
    crew = make_crew()
    return crew, make_incident(crew, at=Phase.ROLLING_BACK, level=level)


@pytest.mark.parametrize(
    ("level", "due", "waivable"),
    [
        (
            Level.L1,
            {"3a-redeploy", "3a-parity", "3b-drift", "3b-health", "3d-chain"},
            FULL - {"3a-redeploy", "3a-parity", "3b-drift", "3b-health"} | CREDENTIALS,
        ),
        (Level.L2, FULL | {"3d-chain"}, CREDENTIALS),
        (Level.L3, FULL | {"3d-chain"} | EVIDENCE | CREDENTIALS, set()),
    ],
)
def test_the_level_says_what_is_due_and_what_its_lead_may_waive(
    level: Level, due: set[str], waivable: set[str]
) -> None:
    _, incident = rolling(level)

    assert set(incident.actions.filter(waivable=False).values_list("key", flat=True)) == due
    assert set(incident.actions.filter(waivable=True).values_list("key", flat=True)) == waivable


@pytest.mark.parametrize("role", list(Role))
def test_an_action_is_done_by_its_owner_role_only(role: Role) -> None:
    crew, incident = rolling()
    action = first_action(incident, key="3d-chain")
    for earlier in incident.actions.filter(stage__lt=action.stage):
        finish_action(earlier, crew)

    if role == Role.DATA_EVIDENCE_LEAD:
        rollback.complete(action, succeeded=True, result="Chain verified", by=crew[role])
        action.refresh_from_db()
        assert action.state == ActionState.SUCCEEDED
    else:
        with pytest.raises(Denied, match="for the Data and Evidence Lead"):
            rollback.complete(action, succeeded=True, result="Chain verified", by=crew[role])


def test_stages_run_in_order() -> None:
    crew, incident = rolling()
    late = first_action(incident, key="3a-parity")

    with pytest.raises(Refused, match=r"comes first \(stage 2\)"):
        rollback.dispatch(late, by=crew[Role.API_LEAD])


def test_a_destructive_action_waits_for_a_second_person_who_is_not_its_dispatcher() -> None:
    crew, incident = rolling()
    action = first_action(incident, key="3e-revoke")
    lead = crew[Role.SECURITY_LEAD]

    assert rollback.dispatch_blockers(action, lead, clock.now()) == [
        f"“{action}” waits for a second person's approval."
    ]
    rollback.approve(action, by=lead)
    assert rollback.dispatch_blockers(action, lead, clock.now()) == [
        "You approved this action yourself: another person dispatches it."
    ]
    rollback.approve(action, by=crew.commander)
    rollback.dispatch(action, by=lead)

    assert Attempt.objects.get().approved_by == crew.commander


def test_at_l3_every_action_needs_a_second_person() -> None:
    _, incident = rolling(Level.L3)

    assert all(rollback.needs_second(action) for action in incident.actions.all())


def test_an_approval_expires_after_thirty_minutes() -> None:
    crew, incident = rolling()
    action = first_action(incident, key="3e-revoke")
    rollback.approve(action, by=crew.commander)

    with time_machine.travel(clock.now() + timedelta(minutes=31)):
        assert rollback.dispatch_blockers(action, crew[Role.SECURITY_LEAD], clock.now()) == [
            f"“{action}” waits for a second person's approval."
        ]


def test_an_approval_is_void_once_what_runs_has_changed() -> None:
    crew, incident = rolling()
    action = first_action(incident, key="3e-revoke")
    rollback.approve(action, by=crew.commander)

    Action.objects.filter(pk=action.pk).update(arguments={"key": "another"})

    action = first_action(incident, key="3e-revoke")
    assert rollback.dispatch_blockers(action, crew[Role.SECURITY_LEAD], clock.now()) != []


def test_approving_what_one_did_not_see_is_refused() -> None:
    crew, incident = rolling()

    with pytest.raises(Refused, match="changed since you looked"):
        rollback.approve(first_action(incident, key="3e-revoke"), by=crew.commander, digest="0" * 64)


def test_an_action_with_a_connector_is_queued_and_one_by_hand_begins_at_once() -> None:
    crew = make_crew()
    wire(crew.product, "3d-preserve")
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    wired, by_hand = first_action(incident, key="3d-preserve"), first_action(incident, key="3e-revoke")
    rollback.approve(wired, by=crew.commander)
    rollback.approve(by_hand, by=crew.commander)

    queued = rollback.dispatch(wired, by=crew[Role.DATA_EVIDENCE_LEAD])
    begun = rollback.dispatch(by_hand, by=crew[Role.SECURITY_LEAD])

    assert (queued.state, queued.by_hand) == (AttemptState.QUEUED, False)
    assert (begun.state, begun.by_hand) == (AttemptState.STARTED, True)


def test_an_action_is_never_dispatched_twice_at_once() -> None:
    crew, incident = rolling()
    action = first_action(incident, key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])

    with pytest.raises(Refused, match="already running"):
        rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])


def test_a_queued_action_can_be_called_back() -> None:
    crew = make_crew()
    wire(crew.product, "3e-revoke")
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = first_action(incident, key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    attempt = rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])

    rollback.abort(action, by=crew.commander, reason="Wrong key")

    attempt.refresh_from_db()
    action.refresh_from_db()
    assert (attempt.state, action.state) == (AttemptState.CANCELLED, ActionState.PLANNED)


def test_a_failed_action_can_be_tried_again_as_a_new_attempt() -> None:
    crew, incident = rolling()
    action = first_action(incident, key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    rollback.complete(action, succeeded=False, result="Vault refused", by=crew[Role.SECURITY_LEAD])
    action.refresh_from_db()

    rollback.complete(action, succeeded=True, result="Revoked in the console", by=crew[Role.SECURITY_LEAD])

    assert [attempt.number for attempt in action.attempts.all()] == [1, 2]


def test_what_was_done_by_hand_is_written_down() -> None:
    crew, incident = rolling()
    action = first_action(incident, key="3e-revoke")
    rollback.approve(action, by=crew.commander)

    with pytest.raises(Refused, match="Write what was done"):
        rollback.complete(action, succeeded=True, result=" ", by=crew[Role.SECURITY_LEAD])


def test_below_its_level_a_lead_waives_alone_and_at_its_level_with_a_second_person() -> None:
    crew, incident = rolling(Level.L1)
    optional, due = first_action(incident, key="3e-revoke"), first_action(incident, key="3a-redeploy")

    rollback.waive(optional, by=crew[Role.SECURITY_LEAD], reason="No credential was touched")
    with pytest.raises(Denied, match="needs a second person"):
        rollback.waive(due, by=crew[Role.API_LEAD], reason="Not deployed")
    rollback.waive(due, by=crew[Role.API_LEAD], second=crew.commander, reason="Not deployed")

    assert {row.state for row in incident.actions.filter(key__in=["3e-revoke", "3a-redeploy"])} == {ActionState.WAIVED}


def test_each_change_of_the_system_is_counted() -> None:
    crew, incident = rolling()
    before = incident.change_number

    finish_action(first_action(incident, key="3e-revoke"), crew)

    incident.refresh_from_db()
    assert incident.change_number == before + 2


def test_an_added_action_takes_a_verification_back() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.VERIFYING)

    rollback.add_action(
        incident,
        track=Track.DATA,
        name="Drop the orphaned view",
        owner=Role.DATA_EVIDENCE_LEAD,
        stage=3,
        destructive=True,
        by=crew.commander,
        reason="Found while checking",
    )

    assert incident.phase == Phase.ROLLING_BACK


def test_an_approval_falls_with_the_role_of_who_gave_it() -> None:
    crew, incident = rolling()
    action = first_action(incident, key="3e-revoke")
    rollback.approve(action, by=crew.commander)

    roles.hand_over(incident, Role.COMMANDER, to=crew.deputy, by=crew.commander, reason="Shift ends")

    with pytest.raises(Refused, match="waits for a second person's approval"):
        rollback.complete(action, succeeded=True, result="Revoked", by=crew[Role.SECURITY_LEAD])


def test_an_approval_falls_with_the_account_of_who_gave_it() -> None:
    crew, incident = rolling()
    action = first_action(incident, key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    crew.commander.is_active = False
    crew.commander.save()

    with pytest.raises(Refused, match="waits for a second person's approval"):
        rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])


def test_ones_own_approval_does_not_hide_that_of_another() -> None:
    crew, incident = rolling()
    action = first_action(incident, key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    rollback.approve(action, by=crew[Role.SECURITY_LEAD])

    attempt = rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])

    assert attempt.approved_by == crew.commander


def test_nobody_stands_as_the_second_person_of_their_own_attempt() -> None:
    """Approved by oneself at L3, dispatched at L2 where that is no matter: the attempt names no second person."""
    crew, incident = rolling(Level.L3)
    action = first_action(incident, key="3d-preserve")
    lead = crew[Role.DATA_EVIDENCE_LEAD]
    rollback.approve(action, by=lead)
    declare.lower_level(incident, Level.L2, by=crew.commander, second=lead, reason="No key was touched")

    attempt = rollback.dispatch(action, by=lead)

    assert attempt.approved_by is None


def test_an_action_whose_connector_is_switched_off_is_not_dispatched() -> None:
    crew = make_crew()
    wire(crew.product, "3e-revoke")
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = first_action(incident, key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    Connector.objects.update(enabled=False)

    with pytest.raises(Refused, match="The connector “command for 3e-revoke” is switched off"):
        rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])


def test_arguments_are_any_json_that_a_connector_takes() -> None:
    crew = make_crew()
    wire(crew.product, "3e-revoke")
    Wiring.objects.update(arguments={"grace": 1.5, "größe": 2**60, "deep": [{"x": None}]})
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = first_action(incident, key="3e-revoke")

    rollback.approve(action, by=crew.commander)

    assert rollback.dispatch(action, by=crew[Role.SECURITY_LEAD]).digest == action.approvals.get().digest


def test_what_was_begun_by_hand_and_given_up_may_have_changed_the_system() -> None:
    crew, incident = rolling()
    action = first_action(incident, key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])
    incident.refresh_from_db()
    begun = incident.change_number

    rollback.abort(action, by=crew.commander, reason="The console is down")

    incident.refresh_from_db()
    assert incident.change_number == begun + 1


def test_a_waiver_below_the_level_is_open_again_once_the_level_makes_the_action_due() -> None:
    crew, incident = rolling(Level.L1)
    lead, data = crew[Role.SECURITY_LEAD], crew[Role.DATA_EVIDENCE_LEAD]
    new = {"track": Track.CREDENTIALS, "name": "Close the old vault", "owner": Role.SECURITY_LEAD, "stage": 2}
    added = rollback.add_action(incident, **new, destructive=False, by=lead, reason="It is still open")
    rollback.waive(first_action(incident, key="3e-revoke"), by=lead, reason="No key was touched")
    rollback.waive(added, by=lead, reason="Nor this")
    rollback.waive(first_action(incident, key="3c-schema"), by=data, reason="No schema was touched")

    declare.raise_level(incident, Level.L3, by=crew.commander, reason="Keys in the logs")

    states = dict(incident.actions.filter(key__in=["3e-revoke", added.key, "3c-schema"]).values_list("key", "state"))
    entry = incident.chain.entries.latest("seq")
    assert set(states.values()) == {ActionState.PLANNED}
    assert sorted(entry.body["reopened"]) == sorted(states)
    assert sorted(entry.body["added"]) == ["3d-annotate", "3d-preserve"]
    with pytest.raises(Denied, match="needs a second person"):
        rollback.waive(added, by=lead, reason="Nor this")


def test_an_action_that_the_log_refers_to_stays_when_the_level_falls() -> None:
    crew, incident = rolling(Level.L3)
    rollback.approve(first_action(incident, key="3d-preserve"), by=crew.commander)
    data = Role.DATA_EVIDENCE_LEAD
    cleanup.attach(incident, "action:3d-annotate", owner=data, by=crew[data], text="The list of runs")

    declare.lower_level(incident, Level.L2, by=crew.commander, second=crew[data], reason="No key was touched")

    kept = dict(incident.actions.filter(key__in=["3d-preserve", "3d-annotate"]).values_list("key", "waivable"))
    assert kept == {"3d-preserve": True, "3d-annotate": True}
    assert incident.chain.entries.latest("seq").body["removed"] == []


def test_an_action_that_went_with_the_level_is_refused_with_a_sentence() -> None:
    crew, incident = rolling(Level.L3)
    gone = first_action(incident, key="3d-annotate")
    declare.lower_level(incident, Level.L2, by=crew.commander, second=crew[Role.API_LEAD], reason="No key was touched")

    with pytest.raises(Refused, match="is no longer part of the plan"):
        rollback.approve(gone, by=crew.commander)


def test_what_destroys_always_changes_the_system() -> None:
    crew = make_crew()
    source = SHIPPED.read_text(encoding="utf-8")
    versions.publish(
        source.replace("destructive = true\nchanges_state = true", "destructive = true\nchanges_state = false"),
        note="A slip",
        by=crew.commander,
    )
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)

    assert not incident.actions.filter(destructive=True, changes_state=False).exists()


def test_nothing_is_queued_while_dispatch_is_switched_off(settings: Any) -> None:
    settings.DISPATCH_ENABLED = False
    crew = make_crew()
    wire(crew.product, "3e-revoke")
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    wired, by_hand = first_action(incident, key="3e-revoke"), first_action(incident, key="3a-redeploy")
    rollback.approve(wired, by=crew.commander)

    with pytest.raises(Refused, match="Dispatch is switched off for this installation"):
        rollback.dispatch(wired, by=crew[Role.SECURITY_LEAD])
    assert not any("switched off" in s for s in rollback.dispatch_blockers(by_hand, None, clock.now()))
