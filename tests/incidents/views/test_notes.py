"""Notes: written from the war room, in the log at once."""

from __future__ import annotations

import pytest

from incidents.terms import Kind, Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import at, refusals, told
from tests.incidents.views.visiting import entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def test_a_note_is_in_the_log_under_its_writers_role(crew: Crew) -> None:
    incident = make_incident(crew)
    visitor = at(incident, crew[Role.API_LEAD])

    response = visitor.send("notes", text="Lag is back\r\nunder 2 s")

    assert response.url == f"{visitor.url('war_room')}#timeline"
    assert told(response) == ["The note is in the log."]
    incident.refresh_from_db()
    entry = incident.chain.entries.get(kind=Kind.NOTE_ADDED)
    assert (entry.sentence, entry.actor["role"]) == ("Lag is back\nunder 2 s", Role.API_LEAD)


@pytest.mark.parametrize("text", ["", "   ", "nul\x00", "x" * 4001, "y" * 2_400_000])
def test_a_note_that_does_not_fit_comes_back_into_its_form(crew: Crew, text: str) -> None:
    visitor = at(make_incident(crew), crew.commander)
    before = entries()

    response = visitor.send("notes", text=text)

    assert response.status_code == 200
    assert len(refusals(response)) == 1
    assert entries() == before


def test_who_holds_no_role_is_told_and_keeps_what_was_typed(crew: Crew) -> None:
    visitor = at(make_incident(crew), crew.deputy)
    before = entries()

    response = visitor.send("notes", text="Let me add")

    assert refusals(response)[0].startswith("Add a note is for the Incident Commander or API Lead")
    assert "Let me add</textarea>" in response.content.decode()
    assert entries() == before


def test_a_closed_incident_takes_no_note(crew: Crew) -> None:
    response = at(make_incident(crew, at=Phase.CLOSED), crew.commander).send("notes", text="Too late")

    assert "it is closed" in response.context["note"].non_field_errors()[0]


def test_opening_the_address_leads_to_the_war_room(crew: Crew) -> None:
    visitor = at(make_incident(crew), crew.commander)

    assert visitor.open("notes").url == visitor.url("war_room")
