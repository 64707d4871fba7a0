"""The OpenAPI document is true: what it allows to be sent is answered as it says, never with an error of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from incidents.steps import four_eyes
from incidents.terms import Act
from incidents.terms import Phase as IncidentPhase
from portal.wsgi import application
from tests.factories import Crew, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

# What an outside system says is signed, and needs no token of ours.
SIGNED = "/api/v1/attempts/{attempt_id}/callback"


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """The WSGI application would close the connection that holds this test's transaction, as Django's client knows."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


def document() -> dict[str, Any]:
    return Client().get("/api/v1/openapi.json").json()


def test_the_document_names_every_word_and_the_ways_to_say_no() -> None:
    found = document()

    assert found["info"]["title"] == "Lastgood"
    assert {tag for path in found["paths"].values() for op in path.values() for tag in op["tags"]} >= {
        *("declare", "freeze", "target", "rollback", "cleanup", "verify", "unfreeze", "deliver"),
        *("roles", "proposals", "evidence", "incidents", "freeze gate"),
    }
    for path, operations in found["paths"].items():
        for operation in operations.values():
            refusal = operation["responses"]["401"]["content"]["application/problem+json"]["schema"]
            assert refusal == {"$ref": "#/components/schemas/Problem"}, path
            assert operation["security"] == [{"Signed" if path == SIGNED else "Bearer": []}], path
            assert operation["description"], path


def test_every_operation_has_an_id_of_its_own() -> None:
    ids = [operation["operationId"] for path in document()["paths"].values() for operation in path.values()]

    assert len(ids) == len(set(ids))
    assert len(ids) >= 50


@pytest.fixture
def world(crew: Crew) -> dict[str, list[Any]]:
    """What stands in one incident, so that generated addresses lead somewhere."""
    incident = make_incident(crew, at=IncidentPhase.ROLLING_BACK)
    proposal = four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="False alarm")
    return {
        "ref": [incident.reference],
        "product": [crew.product.slug],
        "proposal_id": [proposal.pk],
        "key": ["3a-redeploy", "data-revert", "repair-notes", "ci"],
    }


def test_whatever_the_document_allows_is_answered_as_it_says(
    crew: Crew, by_role: Callable[..., Any], world: dict[str, list[Any]]
) -> None:
    """Most addresses lead somewhere, and half of what is sent breaks the document, which costs no more than a no."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    headers, tried = by_role("commander").headers, []

    for result in schema.get_all_operations():
        operation = result.ok()
        _try(operation, world, headers, tried)

    assert len(tried) >= 6 * len(document()["paths"])


def _try(operation: Any, world: dict[str, list[Any]], headers: dict[str, str], tried: list[int]) -> None:
    @given(data=st.data())
    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(data: Any) -> None:
        mode = data.draw(st.sampled_from(GenerationMode))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        for name in set(case.path_parameters or {}) & set(world):
            if data.draw(st.integers(0, 3)):
                case.path_parameters[name] = data.draw(st.sampled_from(world[name]))
        response = case.call(headers=headers)
        tried.append(response.status_code)
        case.validate_response(response, checks=CHECKS if mode == GenerationMode.POSITIVE else [not_a_server_error])

    ask()
