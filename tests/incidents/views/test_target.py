from __future__ import annotations

import pytest

from incidents.steps import target
from incidents.terms import Aspect, Phase, Role, TargetKind
from tests.factories import make_crew, make_incident
from tests.incidents.views.pages import at, refusals, text_of

pytestmark = pytest.mark.django_db

CHOICE = {"kind": "build", "identifier": "core:1181", "reason": "Ran nine days without an alert"}


def test_the_target_is_chosen_and_each_lead_confirms_their_aspect() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    at(incident, crew.commander).send("target", **CHOICE)
    for aspect in Aspect:
        lead = at(incident, crew[target.owner_of(incident, aspect)])
        assert lead.send("confirm_target", aspect.value, note=f"{aspect.label} looked at").status_code == 302

    incident.refresh_from_db()
    page = text_of(at(incident, crew.commander).open("target"))
    assert incident.phase == Phase.TARGETED
    assert "core:1181" in page
    assert "Ran nine days without an alert" in page
    assert page.count("looked at") == 6  # on its card and in the log


def test_an_aspect_is_confirmed_by_its_lead_alone() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    choose(incident, crew)
    visitor = at(incident, crew[Role.API_LEAD])

    assert "For the Data and Evidence Lead" in text_of(visitor.open("target"))
    response = visitor.send("confirm_target", "migration_state", note="I looked")

    expected = ["Confirm an aspect of the target is for the Data and Evidence Lead of this incident."]
    assert (response.status_code, refusals(response)) == (403, expected)
    assert not target.current(incident).confirmations.exists()


def test_a_replaced_target_stays_on_record() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    choose(incident, crew)
    visitor = at(incident, crew.commander)

    visitor.send("target", **CHOICE)

    page = text_of(visitor.open("target"))
    assert target.current(incident).identifier == "core:1181"
    assert "Replaced targets 1" in page
    assert "a81c09e" in page


def test_the_same_target_again_is_refused_and_what_was_typed_is_kept() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    choose(incident, crew)

    response = at(incident, crew.commander).send("target", kind="commit", identifier="a81c09e", reason="Once more")

    assert refusals(response) == ["commit a81c09e is already the target."]
    assert "Once more" in response.content.decode()


def test_without_a_target_nothing_can_be_confirmed() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    lead = at(incident, crew[Role.DATA_EVIDENCE_LEAD])

    assert "No target yet" in text_of(lead.open("target"))
    assert refusals(lead.send("confirm_target", "migration_state", note="x")) == ["No target has been chosen yet."]


def test_a_line_break_in_an_identifier_becomes_a_space() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    at(incident, crew.commander).send("target", **CHOICE | {"identifier": " core:1181\r\nBcc: x "})

    assert target.current(incident).identifier == "core:1181 Bcc: x"


def test_an_unknown_aspect_is_not_found() -> None:
    crew = make_crew()

    assert at(make_incident(crew), crew.commander).send("confirm_target", "weather", note="x").status_code == 404


def choose(incident: object, crew: object) -> None:
    target.choose(incident, kind=TargetKind.COMMIT, identifier="a81c09e", reason="Green", by=crew.commander)
