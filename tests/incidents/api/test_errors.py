"""What nobody asked for: the database gone, and a bug. Both are problem documents without a word of what is inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from tests.factories import Crew

pytestmark = pytest.mark.django_db


def test_a_database_that_is_gone_is_503_and_asks_to_come_again(crew: Crew, by_role: Callable[..., Any]) -> None:
    def gone(*_: Any) -> None:
        raise OperationalError("host=db password=secret")

    caller = by_role("commander")
    with connection.execute_wrapper(gone):
        answer = caller.get("incidents")

    assert (answer.status_code, answer["Content-Type"], answer["Retry-After"]) == (503, "application/problem+json", "2")
    assert "secret" not in answer.content.decode()


def test_a_bug_is_500_with_a_request_id_and_nothing_else(crew: Crew, by_role: Callable[..., Any]) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("SELECT secret FROM accounts_user")

    caller = by_role("commander")
    caller.client.raise_request_exception = False
    with connection.execute_wrapper(broken):
        answer = caller.get("incidents")

    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert answer.json() == {
        "type": "urn:lastgood:internal-server-error",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Something went wrong here. The request id finds it in the log.",
        "request_id": answer["X-Request-ID"],
    }


@pytest.mark.parametrize("path", ["/api/v1/", "/api/v1/nothing", "/api/v1/incidents/", "/api/v1/docs"])
def test_an_address_that_is_none_is_a_problem_document(path: str, db: None) -> None:
    answer = Client().get(path)

    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_the_document_itself_is_open(db: None) -> None:
    answer = Client().get("/api/v1/openapi.json")

    assert (answer.status_code, answer.json()["openapi"][:2]) == (200, "3.")
