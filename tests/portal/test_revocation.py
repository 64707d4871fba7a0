"""What is taken from somebody is gone on their very next request, in a session that was open all the time."""

from __future__ import annotations

import pytest

from incidents.steps import roles
from incidents.terms import Act, Phase, Role
from portal.accounts.models import ApiToken, Scope
from tests.factories import make_crew, make_incident
from tests.incidents.views.pages import at, refusals, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("static_folder")]


def test_a_role_that_was_handed_over_does_nothing_on_the_very_next_request() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.UNFREEZING)
    visitor = at(incident, crew.commander)
    assert visitor.open("unfreeze").status_code == 200

    roles.hand_over(incident, Role.COMMANDER, to=crew.deputy, by=crew.commander, reason="Off shift")
    before = incident.chain.entries.count()
    answer = visitor.send("refreeze", reason="Once more")

    assert answer.status_code in (200, 403, 404)
    assert incident.chain.entries.count() == before
    assert refusals(answer) or answer.status_code != 200, (Act.REFREEZE, text_of(answer))


def test_a_deactivated_person_and_their_token_are_refused_on_the_very_next_request() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    visitor = at(incident, crew.commander)
    _, secret = ApiToken.issue(crew.commander, name="ci", scopes=[Scope.READ.value])
    path, header = f"/api/v1/incidents/{incident.reference}", {"authorization": f"Bearer {secret}"}
    assert (visitor.open("war_room").status_code, visitor.client.get(path, headers=header).status_code) == (200, 200)

    crew.commander.is_active = False
    crew.commander.save(update_fields=["is_active"])

    assert visitor.open("war_room").status_code == 302
    assert visitor.client.get(path, headers=header).status_code == 401
