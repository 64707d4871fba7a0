from __future__ import annotations

from typing import Any

import pytest

from incidents.steps import unfreeze
from incidents.terms import Phase, Role
from tests.factories import Crew, inform, make_crew, make_incident, own_next_cycle, pass_gates
from tests.incidents.views.pages import at, refusals, text_of, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def ready(crew: Crew) -> Any:
    """Every precondition holds, nothing is lifted yet."""
    incident = make_incident(crew, at=Phase.VERIFYING)
    pass_gates(incident, crew)
    own_next_cycle(incident, crew)
    inform(incident, crew)
    incident.refresh_from_db()
    return incident


def test_what_does_not_hold_is_said_with_the_page_that_mends_it(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)
    visitor = at(incident, crew.commander)
    page = visitor.open("unfreeze")

    assert "1 of 4 preconditions hold" in text_of(page)
    for condition in unfreeze.preconditions(incident):
        for sentence in condition.missing:
            assert sentence in text_of(page)
    for url in (visitor.url("verify"), "#owners", f"/incidents/{incident.reference}/notices/"):
        assert f'href="{url}"'.encode() in page.content


def test_lifting_is_refused_with_the_same_sentences_while_a_precondition_does_not_hold(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)

    response = at(incident, crew.commander).send("lift", "merges")

    assert told(response) == unfreeze.lift_blockers(incident)
    assert incident.freeze.measures.filter(in_force=False).count() == 0


def test_the_commander_lifts_stage_by_stage_in_any_order(crew: Crew) -> None:
    incident = ready(crew)
    visitor = at(incident, crew.commander)
    assert "4 of 4 preconditions hold" in text_of(visitor.open("unfreeze"))

    visitor.send("lift", "staging")
    incident.refresh_from_db()
    assert incident.phase == Phase.UNFREEZING
    for stage in ("merges", "claims", "dev", "prod"):
        visitor.send("lift", stage)

    incident.refresh_from_db()
    assert (incident.phase, incident.freeze.active) == (Phase.REVIEW, False)
    assert "the freeze ended" in text_of(visitor.open("unfreeze"))


def test_nobody_else_lifts(crew: Crew) -> None:
    incident = ready(crew)
    lead = at(incident, crew[Role.API_LEAD])

    assert "Lifting is for the Incident Commander." in text_of(lead.open("unfreeze"))
    assert refusals(lead.send("lift", "merges")) == [
        "Lift a freeze measure is for the Incident Commander of this incident."
    ]


def test_a_stage_that_is_not_there_or_lifted_already_is_refused(crew: Crew) -> None:
    visitor = at(ready(crew), crew.commander)
    visitor.send("lift", "merges")

    assert told(visitor.send("lift", "merges"))[-1] == "Feature merges: lifted already."
    assert told(visitor.send("lift", "moon"))[-1] == "There is no stage “moon” to lift."


def test_the_commander_freezes_again_with_a_reason(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.UNFREEZING)
    visitor = at(incident, crew.commander)

    assert refusals(visitor.send("refreeze")) == ["Why the freeze comes back: This field is required."]
    visitor.send("refreeze", reason="Errors rise again")

    incident.refresh_from_db()
    assert incident.phase == Phase.ROLLING_BACK
    assert not incident.freeze.measures.filter(in_force=False).exists()
    assert "Errors rise again" in text_of(visitor.open("unfreeze"))


def test_ownership_counts_once_the_named_person_accepted(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)
    lead = crew[Role.API_LEAD]

    at(incident, crew.commander).send("name_owner", "api_lead", person=lead.pk)
    assert "was asked" in text_of(at(incident, lead).open("unfreeze"))
    assert refusals(at(incident, crew.commander).send("accept_ownership", "api_lead")) == [
        "The next cycle's work of the API Lead is not assigned to you."
    ]
    at(incident, lead).send("accept_ownership", "api_lead")

    assert incident.cycle_owners.get().accepted_at
    assert "1 of 4 accepted" in text_of(at(incident, lead).open("unfreeze"))


def test_only_people_of_the_product_can_be_named(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)

    response = at(incident, crew.commander).send("name_owner", "api_lead", person=crew.outsider.pk)

    assert len(refusals(response)) == 1
    assert not incident.cycle_owners.exists()


def test_an_area_that_no_lead_has_is_not_found(crew: Crew) -> None:
    visitor = at(make_incident(crew, at=Phase.VERIFYING), crew.commander)

    assert visitor.send("name_owner", "commander", person=crew.commander.pk).status_code == 404
    assert visitor.send("accept_ownership", "moon").status_code == 404


def test_while_the_target_is_watched_the_page_counts_down(crew: Crew) -> None:
    crew.product.stability_seconds = 1800
    crew.product.save()
    incident = make_incident(crew, at=Phase.VERIFYING)

    page = at(incident, crew.commander).open("unfreeze")

    assert "The target is watched until" in text_of(page)
    assert b"data-until" in page.content
    assert b"<meter" in page.content
