"""What a page says when the database is away or something breaks: what became of the act, and what was typed."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import InterfaceError, InternalError, OperationalError

from incidents.models import EvidenceEntry
from incidents.steps import base
from tests.factories import make_crew, make_incident
from tests.incidents.views.pages import text_of
from tests.incidents.views.visiting import signed_in

pytestmark = pytest.mark.django_db
WORDS = "Second region is red as well <b>now</b>"


def sent(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Any:
    crew = make_crew()
    incident = make_incident(crew)
    client = signed_in(crew.commander)
    client.raise_request_exception = False
    before = EvidenceEntry.objects.count()

    def fail(_: int) -> Any:
        raise error

    monkeypatch.setattr(base, "locked", fail)
    form = {"text": WORDS, "password": "canary-of-mine", "mfa_code": "123456"}
    response = client.post(f"/incidents/{incident.reference}/notes/", form)
    assert EvidenceEntry.objects.count() == before
    return response


@pytest.mark.parametrize(
    "error",
    [OperationalError("canceled by lock timeout"), InterfaceError("closed"), InternalError("idle in transaction")],
)
def test_a_database_that_does_not_answer_is_named_and_nothing_typed_is_lost(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    response = sent(monkeypatch, error)

    assert (response.status_code, response["Retry-After"]) == (503, "2")
    assert "The database does not answer." in text_of(response)
    assert "Second region is red as well &lt;b&gt;now&lt;/b&gt;" in response.content.decode()
    assert "canary" not in response.content.decode()
    assert "123456" not in response.content.decode()


def test_what_breaks_is_no_outage_and_keeps_what_was_typed_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    response = sent(monkeypatch, KeyError("a bug"))

    assert response.status_code == 500
    assert "Something broke on our side." in text_of(response)
    assert "Second region is red as well" in response.content.decode()
    assert "a bug" not in response.content.decode()
