"""Roles: assigned, accepted, handed over, taken over, each on its page and on record."""

from __future__ import annotations

from typing import Any

import pytest

from incidents.models import Incident
from incidents.steps import roles
from incidents.terms import Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import at, refusals, text_of, told
from tests.incidents.views.visiting import entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def holder(incident: Incident, role: Role) -> tuple[Any, bool]:
    held = roles.holder(incident, role)
    assert held
    return held.user, held.is_accepted


def test_the_page_shows_each_role_with_the_runbooks_responsibility(crew: Crew) -> None:
    seen = text_of(at(make_incident(crew), crew.commander).open("roles"))

    for words in (
        "Incident Commander (Principal Engineer)",
        "Declares rollback mode and coordinates decisions",
        "Database/evidence integrity and cleanup actions",
        "Stakeholder updates and status cadence",
    ):
        assert words in seen


def test_an_assigned_person_accepts(crew: Crew) -> None:
    incident = make_incident(crew, accepted=False)
    lead = at(incident, crew[Role.API_LEAD])

    response = lead.send("roles", act="accept", role="api_lead")

    assert (response.url, told(response)) == (lead.url("roles"), [f"You are the API Lead of {incident.reference}."])
    assert holder(incident, Role.API_LEAD) == (crew[Role.API_LEAD], True)


def test_the_commander_assigns_a_role_to_another_person(crew: Crew) -> None:
    incident = make_incident(crew, accepted=False)

    response = at(incident, crew.commander).send("roles", act="assign", role="api_lead", person=crew.deputy.pk)

    assert told(response) == [f"{crew.deputy} is asked to accept the role API Lead."]
    assert holder(incident, Role.API_LEAD) == (crew.deputy, False)


def test_a_holder_hands_over_with_a_reason(crew: Crew) -> None:
    incident = make_incident(crew)
    commander = at(incident, crew.commander)

    commander.send("roles", act="hand_over", role="commander", person=crew.deputy.pk, reason="End of shift")

    assert holder(incident, Role.COMMANDER) == (crew.deputy, True)
    assert "End of shift" in text_of(commander.open("roles"))


def test_a_deputy_takes_over_with_a_reason(crew: Crew) -> None:
    incident = make_incident(crew)

    response = at(incident, crew.deputy).send("roles", act="take_over", role="commander", reason="No answer")

    assert told(response) == ["You have taken over as Incident Commander."]
    assert holder(incident, Role.COMMANDER) == (crew.deputy, True)


@pytest.mark.parametrize(
    ("person", "fields", "says"),
    [
        (Role.API_LEAD, {"act": "assign", "role": "security_lead"}, "Assign a role is for the Incident Commander"),
        (Role.API_LEAD, {"act": "accept", "role": "security_lead"}, "is not assigned to you"),
        (Role.API_LEAD, {"act": "take_over", "role": "commander"}, "do not stand ready as Incident Commander"),
        (Role.API_LEAD, {"act": "hand_over", "role": "commander"}, "may hand this role over"),
        (Role.COMMANDER, {"act": "assign", "role": "commander"}, "handed over, not assigned"),
        (Role.COMMANDER, {"act": "accept", "role": "commander"}, "already accepted"),
    ],
)
def test_what_may_not_be_is_refused_on_the_page_and_leaves_nothing(
    crew: Crew, person: Role, fields: dict[str, str], says: str
) -> None:
    visitor = at(make_incident(crew), crew[person])
    before = entries()

    response = visitor.send("roles", **fields, person=crew.deputy.pk, reason="Because")

    assert response.status_code == (200 if person == Role.COMMANDER else 403)
    assert any(says in sentence for sentence in refusals(response)), refusals(response)
    assert entries() == before


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"act": "steal", "role": "api_lead"},
        {"act": "nul\x00", "role": "api_lead"},
        {"act": "accept", "role": "king"},
        {"act": "accept"},
        {"act": "assign", "role": "api_lead"},
        {"act": "assign", "role": "api_lead", "person": "0"},
        {"act": "assign", "role": "api_lead", "person": str(2**70)},
        {"act": "hand_over", "role": "api_lead", "person": "1"},
        {"act": "take_over", "role": "api_lead"},
        {"act": "take_over", "role": "api_lead", "reason": "nul\x00"},
        {"act": "take_over", "role": "api_lead", "reason": "x" * 501},
    ],
)
def test_what_does_not_fit_is_said_and_leaves_nothing(crew: Crew, fields: dict[str, str]) -> None:
    visitor = at(make_incident(crew, accepted=False), crew.commander)
    before = entries()

    response = visitor.send("roles", **fields)

    assert response.status_code == 200
    assert refusals(response)
    assert entries() == before


def test_a_person_outside_product_and_incident_cannot_be_chosen(crew: Crew) -> None:
    visitor = at(make_incident(crew, accepted=False), crew.commander)

    response = visitor.send("roles", act="assign", role="api_lead", person=crew.outsider.pk)

    assert refusals(response) == ["To whom: Select a valid choice. That choice is not one of the available choices."]


def test_a_refused_form_stays_open_with_what_was_typed(crew: Crew) -> None:
    visitor = at(make_incident(crew), crew.commander)

    response = visitor.send("roles", act="hand_over", role="api_lead", reason="End of shift")

    assert 'value="End of shift"' in response.content.decode()
    assert '<details class="fold" open>' in response.content.decode()


def test_an_ended_incident_offers_no_act_and_shows_who_held_what(crew: Crew) -> None:
    response = at(make_incident(crew, at=Phase.CLOSED), crew.commander).open("roles")

    assert crew[Role.SECURITY_LEAD].name in text_of(response)
    assert "Hand it over" not in text_of(response)
