"""What blocks unfreeze: everything that is missing, the most pressing first, each with its owner and its page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from incidents import board, clock
from incidents.models import Action, Incident
from incidents.policy import COUNTER_SIGNERS
from incidents.steps import four_eyes, target, unfreeze
from incidents.terms import Act, ActionState, GateOutcome, Level, Phase, Role, TargetKind
from tests.factories import finish_action, finish_cleanup, inform, make_crew, make_incident, pass_gate, pass_gates
from tests.incidents.board.given import as_read, sentences

pytestmark = pytest.mark.django_db

LEADS = ["API Lead", "Infrastructure Lead", "Data and Evidence Lead", "Security Lead"]


def blockers_of(incident: Incident) -> list[board.Blocker]:
    return board.of(as_read(incident)).blockers


def by_kind(found: list[board.Blocker]) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for blocker in found:
        kinds.setdefault(blocker.kind, []).append(blocker.sentence)
    return kinds


def test_a_fresh_declaration_asks_for_target_and_update_a_and_names_what_comes_later() -> None:
    kinds = by_kind(blockers_of(make_incident(make_crew())))

    assert kinds["due"] == ["No target has been chosen.", "Update A (Rollback declared) has not been sent."]
    assert kinds["wait"] == [
        "Cleanup: Data rollback/cleanup, 5 still missing.",
        "Cleanup: Evidence rollback safe, 5 still missing.",
        "Cleanup: Credential hygiene, 4 still missing.",
        "“CI: npm run ci:pr” has not run.",
        "“Service health” has not run.",
        "“Critical workflow smoke” has not run.",
        "“Evidence and event emission” has not run.",
        f"Nobody is named for the next cycle's work of 4 areas: {', '.join(LEADS)}.",
        "Update B (Rollback execution update) has not been sent.",
        "Update C (Recovery and unfreeze notice) has not been sent.",
    ]


def test_each_missing_confirmation_is_for_the_lead_who_owns_it() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    target.choose(incident, kind=TargetKind.BUILD, identifier="1182", reason="Green", by=crew.commander)

    found = [b for b in blockers_of(incident) if "is not confirmed" in b.sentence]
    assert [(b.sentence, b.role, b.verb) for b in found] == [
        ("Migration state is not confirmed for build 1182.", Role.DATA_EVIDENCE_LEAD, "Confirm"),
        ("Environment configuration is not confirmed for build 1182.", Role.INFRASTRUCTURE_LEAD, "Confirm"),
        ("Evidence and event cutover point is not confirmed for build 1182.", Role.DATA_EVIDENCE_LEAD, "Confirm"),
    ]


def test_a_confirmed_target_asks_the_commander_for_the_plan() -> None:
    first = blockers_of(make_incident(make_crew(), at=Phase.TARGETED))[0]

    assert (first.sentence, first.role) == ("The rollback plan is not made yet.", Role.COMMANDER)


def test_actions_of_a_later_stage_wait_and_those_of_the_first_are_due() -> None:
    incident = make_incident(make_crew(), at=Phase.ROLLING_BACK, level=Level.L3)

    kinds = by_kind(blockers_of(incident))

    assert [s for s in kinds["due"] if s.startswith("3")] == [
        "3d Preserve the append-only evidence history: a second person approves what will run",
        "3e Revoke exposed or potentially impacted credentials: a second person approves what will run",
    ]
    assert "3a Redeploy control plane and workers to the target" in kinds["wait"]


def test_an_unknown_outcome_stands_first_and_any_counter_signer_can_decide_it() -> None:
    incident = make_incident(make_crew(), at=Phase.ROLLING_BACK)
    Action.objects.filter(incident=incident, key="3b-drift").update(state=ActionState.UNKNOWN)
    Action.objects.filter(incident=incident, key="3a-redeploy").update(state=ActionState.FAILED)

    first, second, *_ = blockers_of(incident)

    assert (first.kind, first.sentence) == (
        "unknown",
        "Outcome unknown: 3b Revert platform and config drift of the failing cycle",
    )
    assert (second.kind, second.sentence) == ("bad", "Failed: 3a Redeploy control plane and workers to the target")
    assert all(first.is_for(frozenset({role}), user_id=1) for role in COUNTER_SIGNERS)


def test_when_actions_and_cleanup_are_through_the_commander_begins_verification() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    for action in incident.actions.all():
        finish_action(action, crew)
    finish_cleanup(incident, crew)

    first = next(b for b in blockers_of(incident) if b.kind == "due")

    assert (first.sentence, first.role) == ("Verification has not begun.", Role.COMMANDER)


def test_a_failed_gate_presses_and_links_to_its_own_place() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.VERIFYING)
    pass_gate(incident.gates.get(key="ci"), crew, GateOutcome.FAIL)

    first = blockers_of(incident)[0]

    assert first.kind == "bad"
    assert first.url == f"/incidents/{incident.reference}/verify/#gate-ci"
    assert first.sentence.startswith("“CI: npm run ci:pr” ended as fail")


def test_a_target_under_watch_says_until_when() -> None:
    crew = make_crew()
    crew.product.stability_seconds = 1800
    crew.product.save()
    incident = make_incident(crew, at=Phase.VERIFYING)

    found = [b for b in blockers_of(incident) if b.who == "watching"]

    assert [b.sentence for b in found] == [f"The target is watched until {unfreeze.stable_at(incident):%H:%M:%S} UTC."]


def test_an_overdue_update_presses() -> None:
    incident = make_incident(make_crew())
    Incident.objects.filter(pk=incident.pk).update(declared_at=clock.now() - timedelta(hours=2))

    found = board.of(as_read(incident))

    assert found.is_update_overdue
    assert [b.sentence for b in found.blockers if b.kind == "bad"] == [
        f"The update due at {found.next_update_at:%H:%M} UTC is overdue."
    ]


def test_a_proposal_is_for_every_counter_signer_but_the_one_who_made_it() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="A broken probe")

    wanted = blockers_of(incident)[0]

    assert wanted.sentence == "Second person wanted: Stand down: A broken probe"
    assert wanted.is_for(frozenset({Role.API_LEAD}), crew[Role.API_LEAD].pk)
    assert not wanted.is_for(frozenset({Role.COMMUNICATIONS_OWNER}), crew[Role.COMMUNICATIONS_OWNER].pk)
    assert not wanted.is_for(frozenset({Role.COMMANDER}), crew.commander.pk)


def test_one_area_without_an_owner_is_named_alone_and_one_who_has_not_accepted_too() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.VERIFYING)
    for role in (Role.API_LEAD, Role.INFRASTRUCTURE_LEAD, Role.SECURITY_LEAD):
        unfreeze.name_owner(incident, role, user=crew[role], by=crew.commander)
    unfreeze.accept_ownership(incident, Role.API_LEAD, by=crew[Role.API_LEAD])
    unfreeze.accept_ownership(incident, Role.SECURITY_LEAD, by=crew[Role.SECURITY_LEAD])

    found = [s for s in sentences(blockers_of(incident)) if "next cycle" in s]

    assert found == [
        f"{crew[Role.INFRASTRUCTURE_LEAD]} has not accepted the next cycle's work of the Infrastructure Lead.",
        "Nobody is named for the next cycle's work of the Data and Evidence Lead.",
    ]


def test_nothing_blocks_once_the_four_preconditions_hold() -> None:
    found = board.of(as_read(make_incident(make_crew(), at=Phase.UNFREEZING)))

    assert found.blockers == []
    assert all(precondition.holds for precondition in found.preconditions)


def test_the_review_asks_for_the_missing_deliverables_and_then_for_closing() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.REVIEW)

    assert sentences(blockers_of(incident)) == [
        "The incident summary with its root cause is not written.",
        "No follow-up is listed, and no reason says why none is needed.",
        "No updated safeguard is recorded, and no reason says that no control gap was found.",
    ]


@pytest.mark.parametrize("at", [Phase.CLOSED, Phase.STOOD_DOWN])
def test_an_ended_incident_is_blocked_by_nothing(at: Phase) -> None:
    assert blockers_of(make_incident(make_crew(), at=at)) == []


# For one person -----------------------------------------------------------------------------------------------------


def shown_to(incident: Incident, user: Any, *held: Role) -> board.Shown:
    return board.shown(board.of(as_read(incident)), frozenset(held), user)


def test_mine_stand_first_and_what_is_nobody_elses_hurry_is_folded_by_owner() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)

    shown = shown_to(incident, crew[Role.SECURITY_LEAD], Role.SECURITY_LEAD)

    assert [(b.who, b.sentence) for b in shown.first[:2]] == [
        ("you", "3d Preserve the append-only evidence history: a second person approves what will run"),
        ("you", "Cleanup: Credential hygiene, 4 still missing."),
    ]
    assert len(shown.first) == 5
    owners = [who for who, _ in shown.rest]
    assert owners == sorted(set(owners))
    assert len(shown.first) + shown.folded == len(blockers_of(incident))


def test_what_failed_is_shown_to_everybody() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    Action.objects.filter(incident=incident, key="3b-drift").update(state=ActionState.UNKNOWN)

    shown = shown_to(incident, crew.outsider)

    assert shown.first[0].kind == "unknown"
    assert shown.first[0].who == "Infrastructure Lead"


def test_nothing_is_folded_for_one_row() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.VERIFYING)
    pass_gates(incident, crew)
    inform(incident, crew)

    shown = shown_to(incident, crew.commander, Role.COMMANDER)

    assert shown.rest == []
    assert [b.who for b in shown.first] == ["you"]


def test_an_approval_is_asked_of_everybody_who_may_give_it_but_not_of_who_will_run_it() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    asked = next(row for row in blockers_of(incident) if row.sentence.startswith("3e Revoke"))

    assert asked.verb == "Approve"
    assert asked.is_for(frozenset({Role.COMMANDER}), crew.commander.pk)
    assert not asked.is_for(frozenset({Role.SECURITY_LEAD}), crew[Role.SECURITY_LEAD].pk)
    assert not asked.is_for(frozenset({Role.COMMUNICATIONS_OWNER}), crew[Role.COMMUNICATIONS_OWNER].pk)
