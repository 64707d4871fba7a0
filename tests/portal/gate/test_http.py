"""How the gate speaks HTTP: who may ask, what is refused, and that every failure is a no."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from incidents import clock
from tests.factories import Crew, ProductFactory, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(crew: Crew) -> str:
    return f"freeze/{crew.product.slug}/check"


def test_enforce_turns_a_denial_into_423_with_the_same_answer(
    crew: Crew, calling: Callable[..., Any], path: str
) -> None:
    make_incident(crew)
    pipeline = calling(crew.outsider)
    asked, enforced = (pipeline.get(path, operation="merge", **more) for more in ({}, {"enforce": "1"}))

    assert (asked.status_code, enforced.status_code) == (200, 423)
    assert asked.json() | {"checked_at": ""} == enforced.json() | {"checked_at": ""}


def test_enforce_lets_an_allow_be_200(crew: Crew, calling: Callable[..., Any], path: str) -> None:
    assert calling(crew.outsider).get(path, operation="merge", enforce="1").status_code == 200


def test_head_is_answered_as_get(crew: Crew, calling: Callable[..., Any], path: str) -> None:
    make_incident(crew)
    pipeline = calling(crew.outsider)

    answer = pipeline.client.head(f"/api/v1/{path}?operation=merge&enforce=1", headers=pipeline.headers)
    assert answer.status_code == 423


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_the_gate_is_only_asked(crew: Crew, calling: Callable[..., Any], path: str, method: str) -> None:
    pipeline = calling(crew.outsider)

    answer = getattr(pipeline.client, method)(f"/api/v1/{path}?operation=merge", headers=pipeline.headers)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "operation"),
        ("operation=", "operation"),
        ("operation=Merge", "operation"),
        ("operation=rollback", "operation"),
        ("operation=merge&operation=deploy", "query"),
        ("operation=merge&enforced=1", "query"),
        ("operation=merge&enforce=yes", "enforce"),
        ("operation=merge&enforce=2", "enforce"),
        ("operation=promote&environment=production", "environment"),
        ("operation=merge&subject=%00", "subject"),
        ("operation=merge&subject=%ff", "query"),
        ("operation=merge&subject=" + "x" * 201, "subject"),
        ("operation=claim&labels=" + "x," * 1001, "labels"),
        ("&".join(f"a{n}=1" for n in range(30)), "query"),
    ],
)
def test_a_question_that_is_not_understood_is_refused(
    crew: Crew, calling: Callable[..., Any], path: str, query: str, field: str
) -> None:
    pipeline = calling(crew.outsider)

    answer = pipeline.client.get(f"/api/v1/{path}?{query}", headers=pipeline.headers)

    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer lgd_" + "x" * 43,
        "Basic bGdkXw==",
        "lgd_" + "x" * 43,
        "Bearer lgd_" + "x" * 43 + "\u00e9",
        "Bearer  lgd_" + "x" * 43,
    ],
)
def test_a_missing_or_unknown_token_is_401(path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    answer = Client().get(f"/api/v1/{path}", {"operation": "merge"}, headers=headers)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="lastgood"'
    assert answer.json()["status"] == 401


def test_a_token_in_the_address_is_refused_even_beside_a_good_header(
    crew: Crew, calling: Callable[..., Any], path: str
) -> None:
    pipeline = calling(crew.outsider)

    answer = pipeline.get(path, operation="merge", access_token=pipeline.secret)
    assert answer.status_code == 401
    assert "never belongs in the address" in answer.json()["detail"]
    assert pipeline.secret not in answer.content.decode()


def test_expired_tokens_and_those_of_inactive_people_are_401(
    crew: Crew, calling: Callable[..., Any], path: str
) -> None:
    expired = calling(crew.outsider, expires_at=clock.now() - timedelta(seconds=1))
    leaver = calling(crew.deputy)
    crew.deputy.is_active = False
    crew.deputy.save()

    assert [caller.get(path, operation="merge").status_code for caller in (expired, leaver)] == [401, 401]


@pytest.mark.parametrize("scopes", [(), ("read",), ("act",), ("read", "act")])
def test_the_gate_needs_the_scope_check(
    crew: Crew, calling: Callable[..., Any], path: str, scopes: tuple[str, ...]
) -> None:
    answer = calling(crew.commander, scopes=scopes).get(path, operation="merge")

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:lastgood:scope")


def test_a_token_bound_to_one_product_knows_no_other(crew: Crew, calling: Callable[..., Any], path: str) -> None:
    other = ProductFactory()
    bound = calling(crew.outsider, product=crew.product)

    assert bound.get(path, operation="merge").status_code == 200
    assert bound.get(f"freeze/{other.slug}/check", operation="merge").status_code == 404


@pytest.mark.parametrize(
    "address", ["nothing-here/check", "a/b/check", "%00/check", "x/check/", "", "x" * 61, "é/check"]
)
def test_an_unknown_product_or_address_is_404(crew: Crew, calling: Callable[..., Any], address: str) -> None:
    pipeline = calling(crew.outsider)

    answer = pipeline.client.get(f"/api/v1/freeze/{address}?operation=merge", headers=pipeline.headers)
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


def test_answers_are_never_kept_and_carry_a_request_id(crew: Crew, calling: Callable[..., Any], path: str) -> None:
    answer = calling(crew.outsider).get(path, operation="merge")

    assert (answer["Cache-Control"], answer["Vary"], answer["X-Content-Type-Options"]) == (
        "no-store",
        "Authorization",
        "nosniff",
    )
    assert len(answer["X-Request-ID"]) == 32
    assert not answer.cookies


def test_a_database_that_is_gone_is_a_denial(crew: Crew, calling: Callable[..., Any], path: str) -> None:
    pipeline = calling(crew.outsider)

    def gone(*_: Any) -> None:
        raise OperationalError("gone")

    with connection.execute_wrapper(gone):
        checked = pipeline.get(path, operation="merge", subject="PR-12")
        state = pipeline.get(f"freeze/{crew.product.slug}")

    assert checked.status_code == 503
    assert checked.json() | {"checked_at": ""} == {
        "decision": "deny",
        "operation": "merge",
        "product": crew.product.slug,
        "incident": None,
        "reason": "The database does not answer: take this for a freeze.",
        "scope_level": None,
        "since": None,
        "exception": None,
        "checked_at": "",
    }
    assert (state.status_code, state.json()["frozen"], state.json()["fail"]) == (503, None, "closed")
