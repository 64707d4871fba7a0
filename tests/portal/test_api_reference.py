"""The API's page says what its OpenAPI document says."""

from __future__ import annotations

import pytest

from portal.api import api
from tests.factories import UserFactory
from tests.incidents.views.pages import text_of
from tests.incidents.views.visiting import signed_in

pytestmark = pytest.mark.django_db


def test_every_operation_is_there_with_what_it_takes() -> None:
    document = api.get_openapi_schema()

    page = text_of(signed_in(UserFactory()).get("/api/"))

    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path} {operation['summary']}" in page
            for taken in operation.get("parameters", ()):
                assert taken["name"] in page
    assert "operation query one of merge, claim, promote, deploy What a pipeline or an agent is about to do." in page
    assert "reason body text" in page


def test_its_answers_are_those_of_the_document() -> None:
    page = text_of(signed_in(UserFactory()).get("/api/"))

    assert "Answers 200 OK, 423 Locked." in page
    assert "The body is form with a file." in page


def test_it_leads_to_the_document() -> None:
    page = signed_in(UserFactory()).get("/api/").content.decode()

    assert 'href="/api/v1/openapi.json"' in page
