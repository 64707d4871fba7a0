"""A page takes the same number of statements however long the log is: the numbers, session and user included."""

from __future__ import annotations

import pytest
from django.db import connection

from incidents.terms import Level, Phase
from tests.factories import make_crew, make_incident
from tests.incidents.board.given import write_notes
from tests.incidents.views.pages import at
from tests.incidents.views.visiting import signed_in, statements

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]

SESSION_AND_USER = 2
FRAME = 1


def test_board_list_and_war_room_take_the_same_statements_with_few_a_hundred_and_a_thousand_entries() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    client = signed_in(crew.commander)
    room = at(incident, crew.commander)
    urls = {
        "board": "/",
        "list": "/incidents/",
        "work": "/my-work/",
        "war room": room.url("war_room"),
        "evidence": room.url("evidence"),
    }

    counted = {}
    for entries in (1, 100, 1000):
        write_notes(incident, crew.commander, until=entries)
        counted[entries] = {name: statements(client, url) - SESSION_AND_USER - FRAME for name, url in urls.items()}

    assert counted[1] == {"board": 4, "list": 2, "work": 2, "war room": 2, "evidence": 6}
    assert counted[1] == counted[100] == counted[1000]


def test_the_board_takes_the_same_statements_for_one_and_for_many_incidents() -> None:
    crews = [make_crew() for _ in range(4)]
    make_incident(crews[0])
    client = signed_in(crews[0].commander)
    one = statements(client, "/")
    for crew in crews[1:]:
        make_incident(crew, at=Phase.VERIFYING)

    assert statements(client, "/") == one


def test_a_visitor_costs_nothing_but_what_the_page_itself_shows(client: object) -> None:
    assert connection.features.supports_json_field
    assert statements(client, "/sign-in/") == 0  # type: ignore[arg-type]
    crew = make_crew()
    make_incident(crew)
    assert statements(client, f"/status/{crew.product.slug}/") == 5  # type: ignore[arg-type]
