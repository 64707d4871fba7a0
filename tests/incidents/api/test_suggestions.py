"""Alertmanager and CI over the API: a token of the scope `suggest`, a suggestion, and never an incident."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from incidents.models import Freeze, Incident, Suggestion
from incidents.terms import Role
from tests.factories import Crew, ProductFactory, UserFactory, make_crew, make_incident
from tests.incidents.connectors.given import a_notification

pytestmark = pytest.mark.django_db
FAILED = {
    "pipeline": "ci:pr",
    "run": "812",
    "url": "http://ci.internal/runs/812",
    "commit": "4f1c2d9",
    "step": "contract tests",
    "branch": "main",
}


@pytest.fixture
def sender(crew: Crew, calling: Callable[..., Any]) -> Callable[..., Any]:
    """`sender(what, body)`: the answer to a message about the crew's product."""
    machine = calling(UserFactory(), scopes=("suggest",), product=crew.product)

    def send(what: str, body: Any = None, product: str = "", **options: Any) -> Any:
        return machine.post(f"suggestions/{product or crew.product.slug}/{what}", body, **options)

    return send


def test_an_alert_is_a_suggestion_and_freezes_nothing(sender: Callable[..., Any], crew: Crew) -> None:
    first, again = sender("alertmanager", a_notification()), sender("alertmanager", a_notification())

    suggestion = Suggestion.objects.get()
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == {"suggestion": suggestion.pk, "state": "waiting", "count": 1}
    assert again.json()["count"] == 2
    assert (suggestion.product, suggestion.token) == (crew.product, "test")
    assert (Incident.objects.count(), Freeze.objects.count()) == (0, 0)


def test_a_resolved_alert_ends_the_suggestion_and_an_unknown_one_is_nothing(sender: Callable[..., Any]) -> None:
    unknown = sender("alertmanager", a_notification("resolved"))
    sender("alertmanager", a_notification())
    sender("alertmanager", a_notification("resolved"))

    assert unknown.json() == {"suggestion": None, "state": None, "count": 0}
    assert Suggestion.objects.get().resolved_at


def test_a_failing_job_is_a_suggestion_that_its_next_success_ends(sender: Callable[..., Any]) -> None:
    sender("ci", FAILED)
    sender("ci", FAILED | {"run": "813", "step": "lint"})
    sender("ci", {"pipeline": "ci:pr", "branch": "main", "state": "passed"})

    suggestion = Suggestion.objects.get()
    assert (suggestion.trigger, suggestion.count, bool(suggestion.resolved_at)) == ("ci_failure", 3, True)


@pytest.mark.parametrize("change", [{"later": {"field": 1}}, {"truncatedAlerts": 3}, {"notification_reason": "x"}])
def test_fields_of_later_versions_are_passed_over(sender: Callable[..., Any], change: dict[str, Any]) -> None:
    assert sender("alertmanager", a_notification(**change)).status_code == 202


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("alertmanager", {}),
        ("alertmanager", a_notification(status="broken")),
        ("alertmanager", a_notification(alerts=[])),
        ("alertmanager", a_notification(alerts="all of them")),
        ("alertmanager", []),
        ("ci", {}),
        ("ci", FAILED | {"pipeline": ""}),
        ("ci", FAILED | {"pipeline": "x" * 201}),
        ("ci", FAILED | {"state": "unknown"}),
        ("ci", FAILED | {"step": 7}),
        ("ci", FAILED | {"url": "javascript:alert(1)"}),
        ("ci", FAILED | {"url": "https://user:secret@ci.internal/"}),
        ("ci", FAILED | {"more": "fields"}),
        ("ci", FAILED | {"summary": "a\x00b"}),
    ],
)
def test_a_message_of_another_shape_is_refused(sender: Callable[..., Any], what: str, body: Any) -> None:
    assert sender(what, body).status_code == 422
    assert Suggestion.objects.count() == 0


@pytest.mark.parametrize("what", ["alertmanager", "ci"])
@pytest.mark.parametrize(
    ("raw", "media", "status"),
    [
        (b"{" + b" " * 262_144 + b"}", "application/json", 413),
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"a": 1, "a": 2}', "application/json", 400),
        (b"[" * 50 + b"]" * 50, "application/json", 400),
        (b"a=b", "application/x-www-form-urlencoded", 415),
    ],
    ids=["too large", "cut", "no utf-8", "doubled", "deep", "a form"],
)
def test_a_body_that_cannot_be_read_is_refused(
    sender: Callable[..., Any], what: str, raw: bytes, media: str, status: int
) -> None:
    assert sender(what, raw=raw, media=media).status_code == status


@pytest.mark.parametrize("scopes", [(), ("check",), ("read",), ("act",), ("check", "read", "act")])
def test_the_scope_suggest_is_needed(crew: Crew, calling: Callable[..., Any], scopes: tuple[str, ...]) -> None:
    answer = calling(crew.commander, scopes=scopes).post(f"suggestions/{crew.product.slug}/ci", FAILED)

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:lastgood:scope")


def test_the_scope_suggest_does_nothing_else(crew: Crew, calling: Callable[..., Any]) -> None:
    incident = make_incident(crew)
    machine = calling(crew.commander, scopes=("suggest",))

    answers = [
        machine.get("incidents"),
        machine.get(f"incidents/{incident.reference}"),
        machine.get("suggestions"),
        machine.get(f"freeze/{crew.product.slug}/check", operation="merge"),
        machine.post(f"incidents/{incident.reference}/declare/note", {"text": "Noted"}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5


def test_a_token_suggests_for_what_it_is_bound_to(
    sender: Callable[..., Any], crew: Crew, calling: Callable[..., Any]
) -> None:
    other = ProductFactory()
    of_one = calling(crew.commander, scopes=("suggest",), incident=make_incident(crew))

    assert sender("ci", FAILED, product=other.slug).status_code == 404
    assert sender("ci", FAILED, product="nowhere").status_code == 404
    assert of_one.post(f"suggestions/{crew.product.slug}/ci", FAILED).status_code == 404


# What a commander does with it ---------------------------------------------------------------------------------------


def test_those_who_may_declare_see_it_and_nobody_else(
    sender: Callable[..., Any], crew: Crew, calling: Callable[..., Any]
) -> None:
    sender("ci", FAILED)
    (seen,) = calling(crew.commander).get("suggestions").json()

    assert (seen["product"], seen["source"]) == (crew.product.slug, "ci")
    assert (seen["title"], seen["link"]) == ("ci:pr fails at “contract tests” on main", FAILED["url"])
    for person in (crew[Role.API_LEAD], make_crew().commander, crew.outsider):
        assert calling(person).get("suggestions").json() == []
        assert calling(person).post(f"suggestions/{seen['id']}/dismiss", {"reason": "Known"}).status_code == 404
    assert calling(crew.commander, product=make_crew().product).get("suggestions").json() == []


def test_it_is_dismissed_once_with_a_reason(
    sender: Callable[..., Any], crew: Crew, calling: Callable[..., Any]
) -> None:
    found = sender("ci", FAILED).json()["suggestion"]
    commander, path = calling(crew.commander), f"suggestions/{found}/dismiss"

    answers = [commander.post(path, {"reason": reason}).status_code for reason in ("", "Known flake", "Known flake")]

    assert answers == [422, 200, 409]
    assert Suggestion.objects.get().reason == "Known flake"
    assert commander.get("suggestions").json() == []


def test_a_declaration_answers_it(sender: Callable[..., Any], crew: Crew, calling: Callable[..., Any]) -> None:
    found = sender("ci", FAILED).json()["suggestion"]
    asked = {"product": crew.product.slug, "trigger": "ci_failure", "summary": "CI fails", "scope_level": "L1"}
    commander = calling(crew.commander)

    unknown = commander.post("incidents", asked | {"suggestion": found + 1})
    answer = commander.post("incidents", asked | {"suggestion": found})

    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "suggestion")
    assert answer.status_code == 201
    assert Suggestion.objects.get().incident == Incident.objects.get(reference=answer.json()["reference"])
