"""Suggested declarations on their page: counted where a commander looks, declared by a filled form, or dismissed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from incidents.api import inbound
from incidents.models import Incident, Suggestion
from incidents.steps import suggest
from incidents.terms import Role
from tests.factories import Crew, ProductFactory, UserFactory, make_crew, make_incident
from tests.incidents.connectors.given import a_notification
from tests.incidents.views.pages import refusals, text_of, told
from tests.incidents.views.visiting import signed_in, statements

pytestmark = pytest.mark.django_db
PAGE = "/suggestions/"


@pytest.fixture
def crew() -> Crew:
    return make_crew(ProductFactory(name="Portarium"))


def suggested(crew: Crew, **changes: Any) -> Suggestion:
    alert = inbound.of_alertmanager(a_notification(**changes))
    found = suggest.receive(alert, crew.product, by=crew.outsider, token="Alertmanager")
    assert found
    return found


def declaration(crew: Crew, suggestion: Suggestion, **changes: Any) -> dict[str, Any]:
    return {
        "suggestion": suggestion.pk,
        "product": crew.product.slug,
        "trigger": "regression",
        "summary": "Lag",
        "scope_level": "L2",
        "commander": crew.commander.pk,
        "drill": "real",
        **changes,
    }


def test_what_waits_is_counted_on_the_board_and_in_the_navigation(crew: Crew) -> None:
    client = signed_in(crew.commander)
    before = text_of(client.get("/"))

    suggested(crew)
    suggested(crew, groupKey="other")

    after = text_of(client.get("/"))
    assert "Suggestions" not in before
    assert "Suggestions 2 waiting for a decision" in after
    assert "2 suggested declarations from alerts and pipelines wait for a decision. Look at them" in after
    assert "Suggestions 2" in text_of(client.get("/my-work/"))


@pytest.mark.parametrize("who", ["lead", "outsider", "superuser"])
def test_who_may_not_declare_sees_nothing_of_it(crew: Crew, who: str) -> None:
    suggestion = suggested(crew)
    people = {"lead": crew[Role.API_LEAD], "outsider": crew.outsider}
    client = signed_in(people.get(who) or UserFactory(is_superuser=True, is_staff=True))

    assert "No suggested declaration waits" in text_of(client.get(PAGE))
    assert "ProjectionLag" not in text_of(client.get("/"))
    assert "ProjectionLag" not in text_of(client.get(f"/declare/?suggestion={suggestion.pk}"))
    assert client.post(f"{PAGE}{suggestion.pk}/dismiss/", {f"{suggestion.pk}-reason": "Known"}).status_code == 404


def test_the_page_says_what_is_known(crew: Crew) -> None:
    suggested(crew)
    suggested(crew)

    page = signed_in(crew.commander).get(PAGE)

    seen = text_of(page)
    for words in (
        "1 suggested declaration waits",
        "ProjectionLag: Projections are 14 minutes behind",
        "Still failing",
        "Alertmanager · Portarium",
        "told 2 times",
        "Since deploy 1182.",
        "severity critical",
        "Declare rollback mode for it",
    ):
        assert words in seen
    assert 'href="http://prometheus:9090/graph?g0.expr=lag"' in page.content.decode()


def test_a_resolved_one_says_so(crew: Crew) -> None:
    suggested(crew)
    suggested(crew, status="resolved")

    seen = text_of(signed_in(crew.commander).get(PAGE))
    assert "Resolved" in seen
    assert "Still failing" not in seen


def test_its_words_are_text_and_its_links_are_web_addresses(crew: Crew) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>{% load x %}"
    alert = {
        "status": "firing",
        "labels": {"alertname": evil},
        "annotations": {"summary": evil},
        "generatorURL": "javascript:alert(1)",
        "startsAt": evil,
    }
    suggestion = suggested(
        crew,
        alerts=[alert],
        commonLabels={evil: evil, "alertname": evil},
        commonAnnotations={"description": evil},
        externalURL="data:text/html,x",
    )
    client = signed_in(crew.commander)

    for url in (PAGE, f"/declare/?suggestion={suggestion.pk}", "/"):
        page = client.get(url).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert not re.search(r'(href|src)="(javascript|data):', page)


def test_the_form_is_filled_and_the_declaration_answers_it(crew: Crew) -> None:
    suggestion = suggested(crew, commonLabels={"lastgood_trigger": "security_risk"})
    client = signed_in(crew.commander)

    form = client.get(f"/declare/?suggestion={suggestion.pk}").context["form"]
    filled = {name: form[name].value() for name in ("product", "trigger", "summary")}
    answer = client.post("/declare/", declaration(crew, suggestion, **filled))

    incident = Incident.objects.get()
    suggestion.refresh_from_db()
    assert answer.url == f"/incidents/{incident.reference}/"
    assert (incident.product, incident.trigger, incident.summary) == (crew.product, "security_risk", suggestion.title)
    assert (suggestion.state, suggestion.incident) == ("declared", incident)
    assert "as suggested by Alertmanager" in text_of(client.get(answer.url))
    assert f"Declared by {crew.commander}" in text_of(client.get(PAGE))


@pytest.mark.parametrize("named", ["", "unknown to the runbook", "<script>"])
def test_where_no_trigger_of_the_runbook_is_named_the_form_begins_with_a_regression(crew: Crew, named: str) -> None:
    suggestion = suggested(crew, commonLabels={"lastgood_trigger": named})

    form = signed_in(crew.commander).get(f"/declare/?suggestion={suggestion.pk}").context["form"]

    assert form["trigger"].value() == "regression"


def test_one_that_was_decided_meanwhile_is_said_and_nothing_is_declared(crew: Crew) -> None:
    suggestion = suggested(crew)
    client = signed_in(crew.commander)
    suggest.dismiss(suggestion, by=crew.deputy, reason="Load test")

    answer = client.post("/declare/", declaration(crew, suggestion))

    assert any("The suggestion waits no more: send again to declare without it." in line for line in refusals(answer))
    assert 'name="suggestion"' not in answer.content.decode()
    assert Incident.objects.count() == 0


@pytest.mark.parametrize("asked", ["0", "x", "-1", "9" * 30, "\u0661", "1 OR 1=1"])
def test_a_suggestion_that_is_none_leaves_the_form_as_it_is(crew: Crew, asked: str) -> None:
    page = signed_in(crew.commander).get("/declare/", {"suggestion": asked})

    assert page.status_code == 200
    assert 'name="suggestion"' not in page.content.decode()


def test_it_is_dismissed_with_a_reason(crew: Crew) -> None:
    suggestion = suggested(crew)
    client = signed_in(crew.commander)
    url = f"{PAGE}{suggestion.pk}/dismiss/"

    empty = client.post(url, {f"{suggestion.pk}-reason": " "})
    done = client.post(url, {f"{suggestion.pk}-reason": "Planned load test"})
    again = client.post(url, {f"{suggestion.pk}-reason": "Planned load test"})

    assert any("Say why." in line for line in refusals(empty))
    assert (done.url, told(done)) == (PAGE, [f"Dismissed: {suggestion}"])
    assert "This suggestion waits no more: it is dismissed." in told(again)
    seen = text_of(client.get(PAGE))
    assert "Planned load test" in seen
    assert f"Dismissed by {crew.commander}" in seen


def test_where_the_product_is_frozen_already_the_page_says_by_what(crew: Crew) -> None:
    suggested(crew)
    incident = make_incident(crew)

    seen = text_of(signed_in(crew.commander).get(PAGE))

    assert f"Portarium is frozen already, by {incident.reference}." in seen
    assert "Declare rollback mode for it" not in seen


def test_the_page_takes_the_same_statements_whatever_waits(crew: Crew) -> None:
    client = signed_in(crew.commander)
    suggested(crew)
    one = statements(client, PAGE)

    for number in range(20):
        suggested(crew, groupKey=f"group {number}")

    assert statements(client, PAGE) == one
