from __future__ import annotations

import pytest

from incidents import authority
from incidents.models import AuditGrant, IncidentUserObjectPermission, Membership
from incidents.steps import correct, declare, roles
from incidents.steps.base import Denied, Refused
from incidents.terms import Act, Phase, Role
from tests.factories import make_crew, make_incident

pytestmark = pytest.mark.django_db


def test_a_role_is_held_once_it_is_accepted() -> None:
    crew = make_crew()
    incident = make_incident(crew, accepted=False)
    lead = crew[Role.API_LEAD]
    assert authority.held_roles(lead, incident) == frozenset()

    roles.accept(incident, Role.API_LEAD, by=lead)

    assert authority.held_roles(lead, incident) == {Role.API_LEAD}


def test_nobody_accepts_what_another_was_asked_for() -> None:
    crew = make_crew()
    incident = make_incident(crew, accepted=False)

    with pytest.raises(Denied, match="not assigned to you"):
        roles.accept(incident, Role.API_LEAD, by=crew[Role.SECURITY_LEAD])


def test_a_role_that_passes_on_ends_the_rights_of_its_former_holder() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    roles.hand_over(incident, Role.API_LEAD, to=crew.deputy, by=crew[Role.API_LEAD], reason="Going off shift")

    assert authority.held_roles(crew[Role.API_LEAD], incident) == frozenset()
    assert authority.held_roles(crew.deputy, incident) == frozenset()
    roles.accept(incident, Role.API_LEAD, by=crew.deputy)
    assert authority.held_roles(crew.deputy, incident) == {Role.API_LEAD}


def test_the_commanders_role_passes_at_once_so_that_an_incident_is_never_without() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    roles.hand_over(incident, Role.COMMANDER, to=crew.deputy, by=crew.commander, reason="Shift ends")

    assert authority.held_roles(crew.deputy, incident) == {Role.COMMANDER}
    with pytest.raises(Denied):
        declare.add_note(incident, by=crew.commander, text="Still me?")


def test_a_deputy_takes_over_with_a_reason() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    roles.take_over(incident, Role.COMMANDER, by=crew.deputy, reason="No answer for ten minutes")

    ended = Membership.objects.get(incident=incident, user=crew.commander, role=Role.COMMANDER)
    assert (ended.end_reason, ended.ended_at is not None) == ("No answer for ten minutes", True)


def test_who_does_not_stand_ready_takes_nothing_over() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    with pytest.raises(Denied, match="do not stand ready"):
        roles.take_over(incident, Role.COMMANDER, by=crew[Role.API_LEAD], reason="I want to")


def test_a_role_is_not_given_to_someone_who_has_nothing_to_do_with_it() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    with pytest.raises(Refused, match="neither on the roster"):
        roles.assign(incident, Role.API_LEAD, user=crew.outsider, by=crew.commander)


def test_a_lead_hands_over_no_role_but_their_own() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    with pytest.raises(Denied, match="may hand this role over"):
        roles.hand_over(incident, Role.SECURITY_LEAD, to=crew.deputy, by=crew[Role.API_LEAD], reason="x")


def test_a_role_in_another_incident_gives_nothing_here() -> None:
    one, other = make_crew(), make_crew()
    incident = make_incident(one)
    make_incident(other)

    assert authority.can(other.commander, Act.ADD_NOTE, incident) is None
    assert incident not in authority.visible_incidents(other.commander)


@pytest.mark.parametrize("flag", ["is_superuser", "is_staff"])
def test_a_superuser_has_no_rights_inside_an_incident(flag: str) -> None:
    crew = make_crew()
    incident = make_incident(crew)
    setattr(crew.outsider, flag, True)
    crew.outsider.save()

    assert authority.held_roles(crew.outsider, incident) == frozenset()
    assert incident not in authority.visible_incidents(crew.outsider)


def test_an_auditor_sees_everything_and_changes_nothing_until_the_grant_expires() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    grant = AuditGrant.objects.create(
        user=crew.outsider, reason="Yearly audit", expires_at=incident.declared_at.replace(year=2099)
    )

    assert incident in authority.visible_incidents(crew.outsider)
    with pytest.raises(Denied):
        declare.add_note(incident, by=crew.outsider, text="Hm")
    grant.expires_at = incident.declared_at
    grant.save()
    assert incident not in authority.visible_incidents(crew.outsider)


def test_a_deactivated_person_loses_every_right_at_once() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    crew.commander.is_active = False
    crew.commander.save()

    assert authority.held_roles(crew.commander, incident) == frozenset()
    assert not authority.visible_incidents(crew.commander).exists()


def test_the_projection_says_what_the_memberships_say() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    roles.hand_over(incident, Role.API_LEAD, to=crew.deputy, by=crew[Role.API_LEAD], reason="x")

    rows = IncidentUserObjectPermission.objects.filter(content_object=incident)
    held = {
        (row.user, row.permission.codename)
        for row in rows.select_related("user", "permission")
        if row.permission.codename != "view_incident"
    }

    accepted = Membership.objects.filter(incident=incident, ended_at=None).exclude(accepted_at=None)
    assert held == {(row.user, f"hold_{row.role}") for row in accepted}


def test_a_correction_keeps_the_old_and_the_new_value() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    correct.record(incident, incident, "summary", "Lag after deploy 1181", by=crew.commander, reason="Typing error")

    body = incident.chain.entries.latest("seq").body
    assert (body["old"], body["new"]) == ("Projection lag after deploy 1182", "Lag after deploy 1181")


@pytest.mark.parametrize("field", ["phase", "scope_level", "reference", "declared_at"])
def test_what_is_decided_by_steps_is_not_open_to_correction(field: str) -> None:
    crew = make_crew()
    incident = make_incident(crew)

    with pytest.raises(Refused, match="not open to correction"):
        correct.record(incident, incident, field, "x", by=crew.commander, reason="x")


def test_a_closed_incident_is_corrected_by_its_commander_only() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.CLOSED)
    follow_up = incident.follow_ups.get()

    with pytest.raises(Denied):
        correct.record(incident, follow_up, "owner", "x", by=crew[Role.API_LEAD], reason="x")
    correct.record(incident, follow_up, "bead_id", "bead-1284", by=crew.commander, reason="Bead opened")

    follow_up.refresh_from_db()
    assert follow_up.bead_id == "bead-1284"
