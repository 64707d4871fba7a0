from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from incidents.steps import deliver
from incidents.terms import Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import at, refusals, text_of, told

pytestmark = pytest.mark.django_db

SUMMARY = {
    "what_happened": "Projections lagged.\nRuns were late.",
    "root_cause": "A column was dropped that was still read.",
    "impact": "40 minutes",
}
FOLLOW_UP = {
    "title": "Guard column drops",
    "owner": "API Lead",
    "priority": "P1",
    "due_on": "2027-01-15",
    "acceptance": "CI refuses it.",
    "bead_id": "lg-81",
}


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def incident(crew: Crew) -> Any:
    return make_incident(crew, at=Phase.REVIEW)


def test_the_incident_closes_once_its_three_deliverables_are_on_record(crew: Crew, incident: Any) -> None:
    visitor = at(incident, crew.commander)
    missing = deliver.close_blockers(incident)
    page = text_of(visitor.open("deliver"))
    assert "0 of 3 deliverables are on record" in page
    assert len(missing) == 3
    assert all(sentence in page for sentence in missing)
    assert told(visitor.send("close")) == missing

    visitor.send("write_summary", **SUMMARY, owner=crew[Role.API_LEAD].pk)
    visitor.send("add_follow_up", **FOLLOW_UP)
    visitor.send("add_safeguard", gap="No check for read columns", change="Migration linter added")
    assert "Nothing is missing" in text_of(visitor.open("deliver"))
    visitor.send("close")

    incident.refresh_from_db()
    page = text_of(visitor.open("deliver"))
    assert incident.phase == Phase.CLOSED
    for words in ("Closed", "A column was dropped", "lg-81", "15 Jan 2027", "Migration linter added"):
        assert words in page


def test_a_reason_may_stand_for_follow_ups_and_safeguards(crew: Crew, incident: Any) -> None:
    visitor = at(incident, crew.commander)

    visitor.send("write_summary", **SUMMARY, no_follow_ups_reason="Mended for good", no_gaps_reason="A check found it")

    page = text_of(visitor.open("deliver"))
    assert "Nothing is missing" in page
    assert "Mended for good" in page
    assert "A check found it" in page


def test_the_summary_is_written_again_from_what_is_there(crew: Crew, incident: Any) -> None:
    visitor = at(incident, crew.commander)
    visitor.send("write_summary", **SUMMARY)

    assert "A column was dropped that was still read.</textarea>" in visitor.open("deliver").content.decode()
    visitor.send("write_summary", **SUMMARY | {"root_cause": "Two columns."})

    assert deliver.review_of(incident).root_cause == "Two columns."


def test_only_the_commander_writes_the_summary_and_closes(crew: Crew, incident: Any) -> None:
    visitor = at(incident, crew[Role.API_LEAD])

    assert refusals(visitor.send("write_summary", **SUMMARY)) == [
        "Write the incident summary is for the Incident Commander of this incident."
    ]
    assert refusals(visitor.send("close"))[-1] == "Close the incident is for the Incident Commander of this incident."


def test_anyone_with_a_role_adds_follow_ups_and_they_are_numbered(crew: Crew, incident: Any) -> None:
    at(incident, crew[Role.COMMUNICATIONS_OWNER]).send("add_follow_up", **FOLLOW_UP)
    at(incident, crew[Role.SECURITY_LEAD]).send("add_follow_up", **FOLLOW_UP | {"title": "Second"})

    found = [(row.number, row.title, row.due_on) for row in incident.follow_ups.all()]
    assert found == [(1, "Guard column drops", date(2027, 1, 15)), (2, "Second", date(2027, 1, 15))]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"title": ""}, "Title"),
        ({"due_on": "soon"}, "Due"),
        ({"priority": "P9"}, "Priority"),
        ({"acceptance": " "}, "Acceptance criteria"),
        ({"bead_id": "x" * 129}, "Bead"),
    ],
)
def test_a_follow_up_that_is_not_complete_is_asked_for_again(
    crew: Crew, incident: Any, changed: dict[str, str], field: str
) -> None:
    response = at(incident, crew.commander).send("add_follow_up", **FOLLOW_UP | changed)

    [sentence] = refusals(response)
    assert sentence.startswith(f"{field}:")
    assert not incident.follow_ups.exists()


def test_a_closed_incident_takes_nothing_more(crew: Crew) -> None:
    visitor = at(make_incident(crew, at=Phase.CLOSED), crew.commander)

    for page, given in (("write_summary", SUMMARY), ("add_follow_up", FOLLOW_UP)):
        assert "it is closed." in refusals(visitor.send(page, **given))[0]
