"""What holds for every page of a step: it opens in every phase, for everyone who may know of the incident."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.models import Incident
from incidents.steps.base import step
from incidents.terms import Act, Kind, Level, Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import STEP_PAGES, at

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]

INLINE = re.compile(rb"<style|\sstyle=|<script(?![^>]*\ssrc=)[^>]*>|\son\w+=|javascript:")


def every_page(incident: Incident) -> list[tuple[str, ...]]:
    return [
        *((page,) for page in STEP_PAGES),
        ("cleanup_area", "data"),
        ("gate", "ci"),
        ("foreign",),
        ("mark_foreign",),
        *(("action", action.key) for action in incident.actions.all()[:1]),
    ]


@pytest.mark.parametrize("phase", list(Phase))
def test_every_page_opens_in_every_phase_and_holds_nothing_that_its_policy_blocks(phase: Phase) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=phase)

    for person in (crew.commander, crew[Role.SECURITY_LEAD]):
        visitor = at(incident, person)
        for page in every_page(incident):
            response = visitor.open(*page)
            assert response.status_code == 200, (page, person)
            assert INLINE.findall(response.content) == [], page


def test_nobody_outside_the_incident_learns_that_its_pages_exist() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    outsider = at(incident, crew.outsider)

    assert {outsider.open(*page).status_code for page in every_page(incident)} == {404}
    assert outsider.send("target", kind="commit", identifier="a", reason="b").status_code == 404


def test_a_visitor_is_asked_to_sign_in() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    visitor = at(incident, crew.commander)
    visitor.client.logout()

    response = visitor.open("target")

    assert (response.status_code, response.url.split("?")[0]) == (302, "/sign-in/")


def test_every_page_costs_the_same_with_few_and_with_many_entries() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.VERIFYING, level=Level.L3)
    visitor = at(incident, crew.commander)
    few = cost_of(visitor, incident)

    for number in range(100):
        note(incident, crew, number)
    many = cost_of(visitor, incident)

    assert many == few
    assert max(many.values()) <= 12


def cost_of(visitor: Any, incident: Incident) -> dict[tuple[str, ...], int]:
    """How many statements each page takes, once what is kept between requests is there."""
    found = {}
    for page in every_page(incident):
        visitor.open(*page)
        with CaptureQueriesContext(connection) as queries:
            visitor.open(*page)
        found[page] = len(queries)
    return found


def note(incident: Incident, crew: Crew, number: int) -> None:
    with step(incident, Act.ADD_NOTE, by=crew.commander) as taken:
        taken.record(Kind.NOTE_ADDED, f"Note {number}")
