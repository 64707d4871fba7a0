from __future__ import annotations

from datetime import timedelta

import pytest

from incidents import clock
from incidents.models import Environment, FreezeException
from incidents.steps import four_eyes, freeze
from incidents.terms import Act, Measure, Phase, Role
from tests.factories import make_crew, make_incident
from tests.incidents.views.pages import at, refusals, text_of, told

pytestmark = pytest.mark.django_db


def form(**changed: str) -> dict[str, str]:
    later = (clock.now() + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")
    given = {"measure": "merges", "subject": "PR-1190", "reason": "The fix itself", "expires_at": later}
    return {**given, **changed}


def test_the_page_names_each_pair_of_environments_and_who_may_deploy() -> None:
    crew = make_crew()
    page = text_of(at(make_incident(crew), crew.commander).open("freeze"))

    assert "dev → staging" in page
    assert "staging → prod" in page
    assert "Only rollback and incident beads may be claimed." in page
    for lead in (Role.API_LEAD, Role.INFRASTRUCTURE_LEAD, Role.DATA_EVIDENCE_LEAD, Role.SECURITY_LEAD):
        assert crew[lead].name in page


def test_the_page_shows_how_a_pipeline_asks() -> None:
    crew = make_crew()
    response = at(make_incident(crew), crew.commander).open("freeze")

    assert f"/api/v1/freeze/{crew.product.slug}/check?operation=merge" in text_of(response)


def test_an_exception_passes_once_a_second_person_confirmed_it() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    asking, second = at(incident, crew.commander), at(incident, crew[Role.API_LEAD])

    asked = asking.send("propose_exception", **form(measure="deploys", environment="prod"))
    assert asked.status_code == 302
    assert not FreezeException.objects.exists()
    assert "You proposed this yourself" in text_of(asking.open("freeze"))

    second.send("proposal_confirm", incident.proposals.get().pk, decision="confirm")
    allowed = FreezeException.objects.get()
    assert (allowed.subject, allowed.environment.name, allowed.second) == ("PR-1190", "prod", crew[Role.API_LEAD])
    assert "PR-1190" in text_of(second.open("freeze"))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"subject": "*"}, "Name exactly one pull request, commit, bead or deployment; no pattern."),
        ({"expires_at": "2020-01-01T00:00"}, "The exception must expire in the future."),
        ({"environment": "prod"}, "Feature merges are not bound to an environment."),
    ],
)
def test_what_the_step_refuses_stands_in_the_form_and_keeps_what_was_typed(
    changed: dict[str, str], sentence: str
) -> None:
    crew = make_crew()
    response = at(make_incident(crew), crew.commander).send("propose_exception", **form(**changed))

    assert refusals(response) == [sentence]
    assert "The fix itself" in response.content.decode()


def test_an_exception_is_revoked_with_a_reason() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    exception = allow(incident, crew)
    visitor = at(incident, crew.commander)

    assert refusals(visitor.send("revoke_exception", exception.pk)) == ["Why it ends now: This field is required."]
    visitor.send("revoke_exception", exception.pk, reason="Not needed")

    exception.refresh_from_db()
    assert exception.revoked_at
    assert "Not needed" in text_of(visitor.open("freeze"))


def test_an_exception_of_another_incident_is_not_found() -> None:
    crew, other = make_crew(), make_crew()
    exception = allow(make_incident(other), other)

    response = at(make_incident(crew), crew.commander).send("revoke_exception", exception.pk, reason="x")

    assert response.status_code == 404


def test_whoever_may_not_ask_sees_for_whom_it_is() -> None:
    crew = make_crew()
    visitor = at(make_incident(crew), crew[Role.COMMUNICATIONS_OWNER])

    assert "For the Incident Commander or API Lead" in text_of(visitor.open("freeze"))
    assert refusals(visitor.send("propose_exception", **form()))[0].startswith("Allow an exception to the freeze is")


def test_once_the_freeze_is_over_the_page_says_so_and_refuses() -> None:
    crew = make_crew()
    visitor = at(make_incident(crew, at=Phase.REVIEW), crew.commander)

    assert "Lifted" in text_of(visitor.open("freeze"))
    assert "possible while" in refusals(visitor.send("propose_exception", **form()))[0]


def test_asking_twice_for_the_same_is_refused() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    visitor = at(incident, crew.commander)
    given = form()

    visitor.send("propose_exception", **given)
    response = visitor.send("propose_exception", **given)

    assert refusals(response) == ["This already waits for a second person."]
    assert [p.act for p in four_eyes.waiting(incident)] == [Act.ALLOW_EXCEPTION]


def test_opening_the_address_of_a_form_shows_the_page() -> None:
    crew = make_crew()

    response = at(make_incident(crew), crew.commander).open("propose_exception")

    assert (response.status_code, refusals(response), told(response)) == (200, [], [])


def allow(incident: object, crew: object) -> FreezeException:
    return freeze.allow_exception(
        incident,
        measure=Measure.DEPLOYS,
        subject="hotfix-1183",
        reason="Keeps the login page up",
        expires_at=clock.now() + timedelta(hours=2),
        environment=Environment.objects.get(product=crew.product, name="prod"),
        by=crew.commander,
        second=crew[Role.API_LEAD],
    )
