"""A superuser has nothing inside an incident, and takes a role by an act of its own, for everybody to see."""

from __future__ import annotations

from typing import Any

import pytest

from incidents import authority
from incidents.evidence import completeness
from incidents.steps import declare, roles
from incidents.steps.base import Denied, Refused
from incidents.terms import Kind, Phase, Role
from tests.factories import UserFactory, make_crew, make_incident
from tests.incidents.admin.given import clerk
from tests.incidents.api.calling import static_folder
from tests.incidents.views.pages import text_of
from tests.portal.test_step_up import ASKED, set_proof

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("static_folder")]
__all__ = ["static_folder"]
URL = "/admin/incidents/incident/take-role/"


def superuser() -> Any:
    return UserFactory(is_staff=True, is_superuser=True)


def test_a_superuser_has_nothing_until_they_take_a_role() -> None:
    crew, root = make_crew(), superuser()
    incident = make_incident(crew)
    assert not authority.visible_incidents(root).exists()
    with pytest.raises(Denied):
        declare.add_note(incident, by=root, text="I am root")

    roles.step_in(incident, Role.COMMANDER, by=root, reason="Nobody answers")

    assert authority.held_roles(root, incident) == {Role.COMMANDER}
    assert authority.held_roles(crew.commander, incident) == frozenset()
    declare.add_note(incident, by=root, text="I lead now")


def test_the_entry_says_who_took_it_from_whom_and_why() -> None:
    crew, root = make_crew(), superuser()
    incident = make_incident(crew)

    roles.step_in(incident, Role.API_LEAD, by=root, reason="Nobody answers")

    entry = incident.chain.entries.get(kind=Kind.STEPPED_IN)
    said = {name: entry.body[name] for name in ("role", "old", "new", "reason")}
    assert said == {
        "role": "api_lead",
        "old": str(crew[Role.API_LEAD].public_id),
        "new": str(root.public_id),
        "reason": "Nobody answers",
    }
    assert list(completeness.check(incident)) == []


@pytest.mark.parametrize("person", ["outsider", "deputy", "staff", "deactivated"])
def test_nobody_else_takes_a_role_so(person: str) -> None:
    crew = make_crew()
    people = {
        "outsider": crew.outsider,
        "deputy": crew.deputy,
        "staff": UserFactory(is_staff=True),
        "deactivated": UserFactory(is_superuser=True, is_active=False),
    }

    with pytest.raises(Denied):
        roles.step_in(make_incident(crew), Role.COMMANDER, by=people[person], reason="Me")


def test_it_takes_a_reason_and_an_open_incident() -> None:
    crew, root = make_crew(), superuser()
    incident = make_incident(crew)
    with pytest.raises(Refused, match="Say why"):
        roles.step_in(incident, Role.COMMANDER, by=root, reason=" ")
    roles.step_in(incident, Role.COMMANDER, by=root, reason="Nobody answers")
    with pytest.raises(Refused, match="already hold"):
        roles.step_in(incident, Role.COMMANDER, by=root, reason="Again")

    ended = make_incident(make_crew(), at=Phase.STOOD_DOWN)
    with pytest.raises(Refused, match="possible while"):
        roles.step_in(ended, Role.COMMANDER, by=root, reason="Too late")


class TestPage:
    def test_it_asks_for_a_fresh_proof_and_then_leads_to_the_war_room(self) -> None:
        incident = make_incident(make_crew(), need_to_know=True)
        root, client = clerk(is_superuser=True)
        form = {"reference": incident.reference, "role": "commander", "reason": "Nobody answers"}

        set_proof(client, seconds_ago=601)
        asked = client.post(URL, form)
        assert ASKED in text_of(asked)
        assert not authority.held_roles(root, incident)

        set_proof(client, seconds_ago=1)
        taken = client.post(URL, form)

        assert (taken.status_code, taken.headers["Location"]) == (302, incident.get_absolute_url())
        assert client.get(incident.get_absolute_url()).status_code == 200

    def test_a_refusal_stands_in_the_form(self) -> None:
        _, client = clerk(is_superuser=True)

        page = text_of(client.post(URL, {"reference": "RB-2026-0999", "role": "commander", "reason": "x"}))

        assert "There is no such incident." in page

    def test_staff_do_not_reach_it_and_are_shown_no_way(self) -> None:
        _, staff = clerk()
        _, root = clerk(is_superuser=True)

        assert (staff.get(URL).status_code, staff.post(URL).status_code) == (403, 403)
        assert URL not in staff.get("/admin/incidents/incident/").content.decode()
        assert URL in root.get("/admin/incidents/incident/").content.decode()
