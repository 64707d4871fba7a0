from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from incidents import clock
from incidents.models import EvidenceEntry, FreezeException, Incident, Proposal
from incidents.steps import declare, four_eyes, freeze, roles, rollback, target
from incidents.steps.base import Denied, Refused
from incidents.terms import Act, GateOutcome, Kind, Level, Measure, Phase, Role, TargetKind
from tests.factories import Crew, make_crew, make_incident, pass_gate

pytestmark = pytest.mark.django_db


def world(**fields: Any) -> tuple[Crew, Incident]:
    crew = make_crew()
    return crew, make_incident(crew, **fields)


def exception_for(subject: str = "PR 41", **changes: Any) -> dict[str, Any]:
    expires = (clock.now() + timedelta(hours=1)).isoformat()
    return {"measure": "merges", "subject": subject, "environment": "", "expires_at": expires, **changes}


def test_an_exception_is_in_force_only_after_another_person_confirmed_it() -> None:
    crew, incident = world()
    proposal = four_eyes.propose(
        incident, Act.ALLOW_EXCEPTION, by=crew.commander, reason="The fix itself", **exception_for()
    )
    assert not FreezeException.objects.exists()

    four_eyes.confirm(proposal, by=crew[Role.API_LEAD])

    allowed = FreezeException.objects.get()
    entry = EvidenceEntry.objects.filter(chain=incident.chain).latest("seq")
    assert (allowed.subject, allowed.asked_by, allowed.second) == ("PR 41", crew.commander, crew[Role.API_LEAD])
    assert entry.kind == Kind.EXCEPTION_ALLOWED
    assert entry.actor["second"] == str(crew[Role.API_LEAD].public_id)


def test_nobody_confirms_what_they_proposed() -> None:
    crew, incident = world()
    proposal = four_eyes.propose(incident, Act.ALLOW_EXCEPTION, by=crew.commander, reason="Fix", **exception_for())

    with pytest.raises(Refused, match="another person confirms it"):
        four_eyes.confirm(proposal, by=crew.commander)


def test_the_same_person_in_two_roles_is_still_one_person() -> None:
    crew, incident = world()
    roles.assign(incident, Role.API_LEAD, user=crew.commander, by=crew.commander)
    roles.accept(incident, Role.API_LEAD, by=crew.commander)
    proposal = four_eyes.propose(incident, Act.ALLOW_EXCEPTION, by=crew.commander, reason="Fix", **exception_for())

    with pytest.raises(Refused):
        four_eyes.confirm(proposal, by=crew.commander)


@pytest.mark.parametrize("who", ["outsider", "communications"])
def test_a_second_person_is_the_commander_or_a_lead_of_this_incident(who: str) -> None:
    crew, incident = world()
    proposal = four_eyes.propose(incident, Act.ALLOW_EXCEPTION, by=crew.commander, reason="Fix", **exception_for())
    person = crew.outsider if who == "outsider" else crew[Role.COMMUNICATIONS_OWNER]

    with pytest.raises(Denied):
        four_eyes.confirm(proposal, by=person)


def test_a_proposal_expires() -> None:
    crew, incident = world()
    proposal = four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="False alarm")

    with time_machine.travel(clock.now() + timedelta(hours=3)), pytest.raises(Refused, match="has expired"):
        four_eyes.confirm(proposal, by=crew[Role.API_LEAD])


def test_a_proposal_is_decided_once() -> None:
    crew, incident = world()
    proposal = four_eyes.propose(incident, Act.ALLOW_EXCEPTION, by=crew.commander, reason="Fix", **exception_for())
    four_eyes.confirm(proposal, by=crew[Role.API_LEAD])

    with pytest.raises(Refused, match="decided already"):
        four_eyes.confirm(proposal, by=crew[Role.SECURITY_LEAD])
    assert FreezeException.objects.count() == 1


def test_a_declined_proposal_does_nothing_and_says_why() -> None:
    crew, incident = world()
    proposal = four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="False alarm")

    four_eyes.decline(proposal, by=crew[Role.API_LEAD], reason="It is real")

    incident.refresh_from_db()
    proposal.refresh_from_db()
    assert incident.phase == Phase.DECLARED
    assert (proposal.confirmed, proposal.decision_reason) == (False, "It is real")


def test_a_confirmation_is_refused_when_the_first_person_lost_the_role() -> None:
    crew, incident = world()
    proposal = four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="False alarm")
    roles.hand_over(incident, Role.COMMANDER, to=crew.deputy, by=crew.commander, reason="Shift ends")

    with pytest.raises(Denied):
        four_eyes.confirm(proposal, by=crew[Role.API_LEAD])
    proposal.refresh_from_db()
    assert proposal.decided_at is None


def test_what_blocks_the_act_blocks_the_proposal() -> None:
    crew, incident = world()

    with pytest.raises(Refused, match="no pattern"):
        four_eyes.propose(incident, Act.ALLOW_EXCEPTION, by=crew.commander, reason="All", **exception_for("*"))
    assert not Proposal.objects.exists()


def test_the_same_thing_is_not_asked_twice() -> None:
    crew, incident = world()
    four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="False alarm")

    with pytest.raises(Refused, match="already waits"):
        four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="False alarm")


def test_an_exception_can_be_revoked_before_it_expires() -> None:
    crew, incident = world()
    proposal = four_eyes.propose(incident, Act.ALLOW_EXCEPTION, by=crew.commander, reason="Fix", **exception_for())
    four_eyes.confirm(proposal, by=crew[Role.API_LEAD])

    freeze.revoke_exception(incident, FreezeException.objects.get(), by=crew[Role.API_LEAD], reason="Merged")

    assert FreezeException.objects.get().revoked_at is not None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"subject": " "}, "Name exactly one"),
        ({"expires_at": "2020-01-01T00:00:00+00:00"}, "must expire in the future"),
        ({"environment": "prod"}, "not bound to an environment"),
    ],
)
def test_an_exception_names_one_subject_until_a_time(changes: dict[str, str], sentence: str) -> None:
    crew, incident = world()

    with pytest.raises(Refused, match=sentence):
        four_eyes.propose(incident, Act.ALLOW_EXCEPTION, by=crew.commander, reason="Fix", **exception_for(**changes))


def test_a_promotion_exception_is_bound_to_its_environment() -> None:
    crew, incident = world()
    proposal = four_eyes.propose(
        incident,
        Act.ALLOW_EXCEPTION,
        by=crew.commander,
        reason="Hot fix",
        **exception_for("build 1183", measure=Measure.PROMOTIONS, environment="staging"),
    )

    four_eyes.confirm(proposal, by=crew[Role.API_LEAD])

    assert FreezeException.objects.get().environment.name == "staging"


def test_every_act_that_waits_runs_as_it_was_proposed() -> None:
    crew, incident = world(at=Phase.ROLLING_BACK, level=Level.L3)
    lead, second = crew[Role.SECURITY_LEAD], crew.commander

    for act, by, arguments in (
        (Act.WAIVE_ACTION, lead, {"action": "3e-rotate"}),
        (Act.WAIVE_CLEANUP, lead, {"item": "credentials-rotate"}),
        (Act.LOWER_LEVEL, crew.commander, {"level": "L2"}),
    ):
        proposal = four_eyes.propose(incident, act, by=by, reason="No key was touched", **arguments)
        four_eyes.confirm(proposal, by=second if by != second else lead)

    incident.refresh_from_db()
    assert incident.scope_level == Level.L2
    assert incident.actions.get(key="3e-rotate").state == "waived"
    assert incident.cleanup_items.get(key="credentials-rotate").second == crew.commander


def test_a_risk_is_accepted_by_the_commander_with_a_second_person() -> None:
    crew, incident = world(at=Phase.VERIFYING)
    pass_gate(incident.gates.get(key="ci"), crew, GateOutcome.FAIL)

    proposal = four_eyes.propose(incident, Act.ACCEPT_RISK, by=crew.commander, reason="Lint baseline", gate="ci")
    four_eyes.confirm(proposal, by=crew[Role.API_LEAD])

    risk = incident.gates.get(key="ci").accepted_risks.get()
    assert (risk.by, risk.second) == (crew.commander, crew[Role.API_LEAD])


@pytest.mark.parametrize("who", ["the same person", "an outsider", "nobody"])
def test_no_step_takes_a_second_person_who_is_none(who: str) -> None:
    crew, incident = world()
    second = {"the same person": crew.commander, "an outsider": crew.outsider, "nobody": None}[who]

    with pytest.raises((Denied, Refused), match=r"another person|second person"):
        declare.stand_down(incident, by=crew.commander, second=second, reason="False alarm")

    incident.refresh_from_db()
    assert incident.phase == Phase.DECLARED


def test_a_second_person_whose_account_is_off_is_none() -> None:
    crew, incident = world()
    crew[Role.API_LEAD].is_active = False
    crew[Role.API_LEAD].save()

    with pytest.raises(Denied):
        declare.stand_down(incident, by=crew.commander, second=crew[Role.API_LEAD], reason="False alarm")


def test_a_risk_is_accepted_for_the_failure_that_was_read_and_no_other() -> None:
    crew, incident = world(at=Phase.VERIFYING)
    ci = incident.gates.get(key="ci")
    pass_gate(ci, crew, GateOutcome.FAIL)
    proposal = four_eyes.propose(incident, Act.ACCEPT_RISK, by=crew.commander, reason="Lint baseline", gate="ci")
    pass_gate(ci, crew, GateOutcome.ERROR)

    with pytest.raises(Refused, match="has changed since it was proposed: propose it again"):
        four_eyes.confirm(proposal, by=crew[Role.API_LEAD])

    proposal.refresh_from_db()
    assert (proposal.decided_at, ci.accepted_risks.count()) == (None, 0)


def test_a_risk_is_not_carried_to_another_target() -> None:
    crew, incident = world(at=Phase.VERIFYING)
    pass_gate(incident.gates.get(key="ci"), crew, GateOutcome.FAIL)
    proposal = four_eyes.propose(incident, Act.ACCEPT_RISK, by=crew.commander, reason="Lint baseline", gate="ci")
    target.choose(incident, kind=TargetKind.BUILD, identifier="1180", reason="Older", by=crew.commander)

    with pytest.raises(Refused):
        four_eyes.confirm(proposal, by=crew[Role.API_LEAD])


def test_what_went_meanwhile_is_refused_with_a_sentence() -> None:
    crew, incident = world(at=Phase.ROLLING_BACK, level=Level.L3)
    lead = crew[Role.DATA_EVIDENCE_LEAD]
    proposal = four_eyes.propose(incident, Act.WAIVE_ACTION, by=lead, reason="No record", action="3d-annotate")
    declare.lower_level(incident, Level.L2, by=crew.commander, second=lead, reason="No key was touched")

    with pytest.raises(Refused, match="no longer part of the incident"):
        four_eyes.confirm(proposal, by=crew.commander)
    with pytest.raises(Refused, match="no longer part of the incident"):
        four_eyes.propose(incident, Act.RESOLVE_UNKNOWN, by=lead, reason="x", attempt="no-such", succeeded=True)


def test_an_expiry_without_its_offset_is_refused_with_a_sentence() -> None:
    crew, incident = world()

    with pytest.raises(Refused, match="with its offset from UTC"):
        four_eyes.propose(
            incident,
            Act.ALLOW_EXCEPTION,
            by=crew.commander,
            reason="Fix",
            **exception_for(expires_at="2099-01-01T00:00:00"),
        )


def test_nothing_that_waits_outlives_a_stand_down() -> None:
    crew, incident = world()
    proposal = four_eyes.propose(incident, Act.ALLOW_EXCEPTION, by=crew.commander, reason="Fix", **exception_for())
    declare.stand_down(incident, by=crew.commander, second=crew[Role.API_LEAD], reason="False alarm")

    with pytest.raises(Refused, match="it is stood down"):
        four_eyes.confirm(proposal, by=crew[Role.API_LEAD])
    assert not FreezeException.objects.exists()


def test_a_waiver_agreed_to_before_the_action_ran_does_not_hold_after_it_failed() -> None:
    crew, incident = world(at=Phase.ROLLING_BACK, level=Level.L3)
    lead, action = crew[Role.SECURITY_LEAD], incident.actions.get(key="3e-revoke")
    proposal = four_eyes.propose(incident, Act.WAIVE_ACTION, by=lead, reason="No key was touched", action="3e-revoke")
    rollback.approve(action, by=crew.commander)
    rollback.complete(action, succeeded=False, result="Half of them are revoked", by=lead)

    with pytest.raises(Refused, match="has changed since it was proposed"):
        four_eyes.confirm(proposal, by=crew.commander)
