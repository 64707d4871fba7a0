"""My work, and the count of it beside its link on every page."""

from __future__ import annotations

import pytest

from incidents.terms import Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import at, text_of
from tests.incidents.views.visiting import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def test_it_lists_what_waits_for_me_with_the_way_there(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.TARGETED)

    response = signed_in(crew.commander).get("/my-work/")

    assert "1 thing waits for you" in text_of(response)
    assert "The rollback plan is not made yet." in text_of(response)
    assert f'href="/incidents/{incident.reference}/rollback/"' in response.content.decode()


def test_an_incident_that_asks_nothing_of_me_says_so(crew: Crew) -> None:
    make_incident(crew, at=Phase.TARGETED)

    response = signed_in(crew[Role.SECURITY_LEAD]).get("/my-work/")

    assert "Nothing waits for you" in text_of(response)
    assert "Nothing of this incident waits for you now." in text_of(response)


def test_without_a_role_the_page_says_when_it_will_fill(crew: Crew) -> None:
    assert "You hold no role in an open incident." in text_of(signed_in(crew.outsider).get("/my-work/"))


def test_the_count_follows_every_act(crew: Crew) -> None:
    """What is counted beside the link is what the page lists, the moment after an act."""
    incident = make_incident(crew, accepted=False)
    lead = at(incident, crew[Role.API_LEAD])

    assert "My work 1 waiting for you" in text_of(lead.open("war_room"))
    lead.send("roles", act="accept", role="api_lead")
    after = text_of(lead.open("war_room"))
    listed = text_of(lead.client.get("/my-work/"))

    assert "My work 1 waiting for you" in after
    assert "1 thing waits for you" in listed
    assert "No target has been chosen." in listed
