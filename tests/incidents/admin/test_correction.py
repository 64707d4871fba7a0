"""A correction goes through its step: the commander makes it, the log keeps the old and the new value."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from incidents.evidence import log
from incidents.models import FollowUp, Incident
from incidents.steps import correct
from incidents.steps.base import Refused
from incidents.terms import Kind, Phase
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.admin.given import address, clerk

pytestmark = pytest.mark.django_db


def commander_in_office(crew: Crew) -> Client:
    crew.commander.is_staff = True
    crew.commander.save()
    client = Client()
    client.force_login(crew.commander)
    return client


def corrections(incident: Incident) -> list[dict[str, Any]]:
    return list(log.entries_of(incident, Kind.CORRECTED).values_list("body", flat=True))


def test_a_correction_is_logged_with_the_old_and_the_new_value() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    client = commander_in_office(crew)
    asked = {
        "field": "summary",
        "value": " Projection lag after deploy 1183 ",
        "reason": "Wrong number",
        "act": "correct",
    }

    answer = client.post(address(incident, "correct"), asked, follow=True)

    incident.refresh_from_db()
    assert incident.summary == "Projection lag after deploy 1183"
    assert corrections(incident) == [
        {
            "sentence": "Corrected: incident summary",
            "incident": incident.reference,
            "object": "incident",
            "id": str(incident.pk),
            "field": "summary",
            "corrects": 1,
            "old": "Projection lag after deploy 1182",
            "new": "Projection lag after deploy 1183",
            "reason": "Wrong number",
            "act": "correct",
        }
    ]
    said = (
        "Corrected summary from “Projection lag after deploy 1182” to “Projection lag after deploy 1183”: Wrong number"
    )
    assert said in answer.content.decode()
    assert said in client.get(address(incident, "history")).content.decode()


def test_whoever_is_not_the_commander_is_told_who_is() -> None:
    incident = make_incident(make_crew())
    _, client = clerk(is_superuser=True)
    asked = {"field": "summary", "value": "Something else", "reason": "I can"}

    page = client.post(address(incident, "correct"), asked)

    assert page.status_code == 200
    assert "Correct a record is for the Incident Commander of this incident." in page.content.decode()
    assert "Something else" in page.content.decode()
    assert corrections(incident) == []


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"field": "summary", "value": "Projection lag after deploy 1182", "reason": "r"},
            "The new value is the old one.",
        ),
        ({"field": "summary", "value": "", "reason": "r"}, "This field cannot be blank."),
        ({"field": "summary", "value": "x" * 501, "reason": "r"}, "at most 500 characters (it has 501)"),
        ({"field": "summary", "value": "a\x00b", "reason": "r"}, "Null characters are not allowed."),
        ({"field": "trigger", "value": "boredom", "reason": "r"}, "The runbook knows no trigger “boredom”."),
        ({"field": "phase", "value": "closed", "reason": "r"}, "Select a valid choice."),
        ({"field": "summary", "value": "Other", "reason": "  "}, "This field is required."),
    ],
)
def test_a_correction_that_makes_no_sense_is_refused_in_words(asked: dict[str, str], sentence: str) -> None:
    crew = make_crew()
    incident = make_incident(crew)

    page = commander_in_office(crew).post(address(incident, "correct"), asked)

    incident.refresh_from_db()
    assert sentence in page.content.decode()
    assert (incident.summary, incident.trigger) == ("Projection lag after deploy 1182", "regression")
    assert corrections(incident) == []


def test_rows_of_a_closed_incident_can_be_corrected_value_by_value() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.CLOSED)
    client = commander_in_office(crew)
    follow_up = FollowUp.objects.get(incident=incident)

    bad = client.post(address(follow_up, "correct"), {"field": "due_on", "value": "soon", "reason": "Moved"})
    client.post(address(follow_up, "correct"), {"field": "due_on", "value": "2027-02-01", "reason": "Moved"})
    client.post(address(follow_up, "correct"), {"field": "bead_id", "value": "lg-41", "reason": "Bead opened"})

    follow_up.refresh_from_db()
    assert "must be in YYYY-MM-DD format" in bad.content.decode()
    assert (str(follow_up.due_on), follow_up.bead_id) == ("2027-02-01", "lg-41")
    assert [(body["field"], body["old"], body["new"]) for body in corrections(incident)] == [
        ("due_on", "2027-01-15", "2027-02-01"),
        ("bead_id", "", "lg-41"),
    ]
    assert log.verify(incident.chain).is_intact


def test_a_row_of_another_incident_is_refused() -> None:
    crew = make_crew()
    mine = make_incident(crew, at=Phase.CLOSED)
    theirs = FollowUp.objects.get(incident=make_incident(make_crew(), at=Phase.CLOSED))

    with pytest.raises(Refused, match="This record belongs to another incident"):
        correct.record(mine, theirs, "title", "Mine now", by=crew.commander, reason="r")
