"""Declaring, listing and reading incidents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from incidents.models import Freeze, Incident
from incidents.terms import Level, Phase, Role
from tests.factories import Crew, make_crew, make_incident

pytestmark = pytest.mark.django_db


def declaration(crew: Crew, **changed: Any) -> dict[str, Any]:
    given = {
        "product": crew.product.slug,
        "trigger": "regression",
        "summary": "Projection lag after deploy 1182",
        "scope_level": "L2",
    }
    return given | changed


def test_declaring_answers_201_with_the_incident(crew: Crew, by_role: Callable[..., Any], settings: Any) -> None:
    answer = by_role("commander").post("incidents", declaration(crew, drill=True))

    incident = Incident.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "reference": incident.reference,
        "url": f"{settings.PUBLIC_URL}/incidents/{incident.reference}/",
        "api_url": f"{settings.PUBLIC_URL}/api/v1/incidents/{incident.reference}",
        "product": crew.product.slug,
        "phase": "declared",
        "scope_level": "L2",
        "scope_level_name": "Code, config, schema and data",
        "trigger": "regression",
        "summary": "Projection lag after deploy 1182",
        "drill": True,
        "need_to_know": False,
        "declared_at": incident.declared_at.isoformat().replace("+00:00", "Z"),
        "ended_at": None,
    }


def test_the_first_check_after_the_declaration_is_a_denial(crew: Crew, by_role: Callable[..., Any]) -> None:
    commander = by_role("commander")
    path = f"freeze/{crew.product.slug}/check"
    before = commander.get(path, operation="merge").json()["decision"]

    reference = commander.post("incidents", declaration(crew)).json()["reference"]
    after = commander.get(path, operation="merge").json()

    assert (before, after["decision"], after["incident"]) == ("allow", "deny", reference)


def test_a_second_declaration_answers_409_with_the_first_ones_reference(
    crew: Crew, by_role: Callable[..., Any], calling: Callable[..., Any]
) -> None:
    first = by_role("commander").post("incidents", declaration(crew)).json()["reference"]

    answer = calling(crew.deputy).post("incidents", declaration(crew))

    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:lastgood:already-frozen",
        "title": "Conflict",
        "status": 409,
        "detail": f"{first} already holds the freeze of this product.",
        "blockers": [f"{first} already holds the freeze of this product."],
        "reference": first,
        "request_id": answer["X-Request-ID"],
    }
    assert Incident.objects.count() == 1


def test_the_commander_may_be_another_who_stands_ready(crew: Crew, by_role: Callable[..., Any]) -> None:
    answer = by_role("commander").post("incidents", declaration(crew, commander=crew.deputy.email.upper()))

    assert answer.status_code == 201
    assert Incident.objects.get().memberships.get(role=Role.COMMANDER).user == crew.deputy


def test_only_those_who_stand_ready_as_commander_declare(crew: Crew, by_role: Callable[..., Any]) -> None:
    answer = by_role("api_lead").post("incidents", declaration(crew))

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:lastgood:denied")
    assert not Freeze.objects.exists()


@pytest.mark.parametrize(
    ("changed", "status", "field"),
    [
        ({"product": "nothing"}, 422, "product"),
        ({"commander": "nobody@example.test"}, 422, "commander"),
        ({"scope_level": "L4"}, 422, "body.scope_level"),
        ({"summary": "   "}, 422, "body.summary"),
        ({"drill": "yes"}, 422, "body.drill"),
        ({"phase": "closed"}, 422, "body.phase"),
    ],
)
def test_a_declaration_that_does_not_fit_names_the_field(
    crew: Crew, by_role: Callable[..., Any], changed: dict[str, Any], status: int, field: str
) -> None:
    answer = by_role("commander").post("incidents", declaration(crew, **changed))

    assert answer.status_code == status
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Incident.objects.exists()


def test_a_trigger_the_runbook_does_not_know_is_refused(crew: Crew, by_role: Callable[..., Any]) -> None:
    answer = by_role("commander").post("incidents", declaration(crew, trigger="mood"))

    assert (answer.status_code, answer.json()["blockers"]) == (409, ["The runbook knows no trigger “mood”."])


def test_the_list_holds_what_one_may_see_the_youngest_first(crew: Crew, by_role: Callable[..., Any]) -> None:
    first = make_incident(crew, at=Phase.STOOD_DOWN)
    second = make_incident(crew)
    make_incident(make_crew())

    answer = by_role("security_lead").get("incidents").json()

    assert [row["reference"] for row in answer["incidents"]] == [second.reference, first.reference]
    assert answer["next"] is None


def test_the_list_is_paged_by_reference(crew: Crew, by_role: Callable[..., Any]) -> None:
    references = [make_incident(crew, at=Phase.STOOD_DOWN).reference for _ in range(5)][::-1]
    caller, pages, before = by_role("commander"), [], None

    while True:
        page = caller.get("incidents", limit=2, **({"before": before} if before else {})).json()
        pages.append([row["reference"] for row in page["incidents"]])
        if (before := page["next"]) is None:
            break

    assert pages == [references[:2], references[2:4], references[4:]]


def test_the_list_filters_by_product_and_phase(crew: Crew, by_role: Callable[..., Any]) -> None:
    make_incident(crew, at=Phase.STOOD_DOWN)
    active = make_incident(crew)
    caller = by_role("commander")

    def references(**query: str) -> list[str]:
        return [row["reference"] for row in caller.get("incidents", **query).json()["incidents"]]

    assert references(phase="declared", product=crew.product.slug) == [active.reference]
    assert references(product="other") == []


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "101"},
        {"limit": "0"},
        {"limit": "x"},
        {"phase": "frozen"},
        {"before": "RB-1"},
        {"before": "RB-2026-0001\x00"},
        {"product": "\x00"},
        {"limti": "5"},
        {"limit": ["5", "6"]},
    ],
)
def test_a_list_that_is_asked_wrongly_is_422(crew: Crew, by_role: Callable[..., Any], query: dict[str, Any]) -> None:
    assert by_role("commander").get("incidents", **query).status_code == 422


def test_an_incident_is_read_whole(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)

    state = by_role("commander").get(f"incidents/{incident.reference}").json()

    assert set(state) == {
        *("reference", "url", "api_url", "product", "phase", "scope_level", "scope_level_name", "trigger", "summary"),
        *("drill", "declared_by", "declared_at", "ended_at", "changed_at", "runbook", "freeze", "roles", "target"),
        *("earlier_targets", "actions", "cleanup", "gates", "preconditions", "stages", "next_owners", "proposals"),
        *("exhibits", "deliverables", "next_update_due_at", "blockers", "evidence"),
    }
    assert state["trigger"] == {"key": "regression", "name": "Reliability or integrity regression"}
    assert state["scope_level_name"] == "Code, data, evidence and credentials"
    assert state["target"]["identifier"] == "dbe79f1"
    assert [row["confirmed_by"]["name"] for row in state["target"]["confirmations"]] == [
        crew[Role.DATA_EVIDENCE_LEAD].name,
        crew[Role.INFRASTRUCTURE_LEAD].name,
        crew[Role.DATA_EVIDENCE_LEAD].name,
    ]
    assert [(p["from"], p["to"]) for p in state["freeze"]["promotions"]] == [
        (None, "dev"),
        ("dev", "staging"),
        ("staging", "prod"),
    ]
    revoke = next(action for action in state["actions"] if action["key"] == "3e-revoke")
    assert revoke["blockers"] == [
        f"“{Incident.objects.get().actions.get(key='3e-revoke')}” waits for a second person's approval."
    ]
    assert [p["key"] for p in state["preconditions"]] == ["stable", "verified", "ownership", "informed"]
    assert not any(p["holds"] for p in state["preconditions"])
    assert state["blockers"] == [sentence for p in state["preconditions"] for sentence in p["missing"]]
    assert state["next_update_due_at"] is not None
    assert state["roles"][0] == {
        "role": "commander",
        "name": "Incident Commander",
        "holder": {
            "id": str(crew.commander.public_id),
            "name": crew.commander.name,
            "email": crew.commander.email,
        },
        "assigned_at": state["declared_at"],
        "accepted_at": state["declared_at"],
    }
