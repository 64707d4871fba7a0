"""Deliverables by their endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from incidents.terms import Phase, Role
from tests.factories import Crew, make_incident

pytestmark = pytest.mark.django_db


def test_closing_is_refused_while_a_deliverable_is_missing(crew: Crew, act: Any) -> None:
    incident = make_incident(crew, at=Phase.REVIEW)

    refused = act(incident, "commander", "deliver/close", status=409)

    assert refused["blockers"] == [
        "The incident summary with its root cause is not written.",
        "No follow-up is listed, and no reason says why none is needed.",
        "No updated safeguard is recorded, and no reason says that no control gap was found.",
    ]


def test_deliverables_are_written_and_the_incident_closes(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.REVIEW)
    summary = {
        "what_happened": "Lag",
        "root_cause": "A dropped column",
        "owner": crew[Role.API_LEAD].email,
        "no_follow_ups_reason": "Fixed already",
    }
    follow_up = {
        "title": "Guard",
        "owner": "API Lead",
        "priority": "P1",
        "due_on": "2027-01-15",
        "acceptance": "CI refuses",
        "bead_id": "bd-42",
    }

    act(incident, "commander", "deliver/summary", summary)
    added = act(incident, "api_lead", "deliver/follow-ups", follow_up, 201)
    act(
        incident,
        "api_lead",
        "deliver/safeguards",
        {"gap": "None", "change": "Linter", "link": "https://x.example.test/"},
        201,
    )
    closed = act(incident, "commander", "deliver/close")

    found = state(incident)["deliverables"]
    assert (added["id"], closed["phase"]) == (1, "closed")
    assert found["summary"]["owner"]["email"] == crew[Role.API_LEAD].email
    assert found["follow_ups"] == [{"number": 1, **follow_up}]
    assert [row["link"] for row in found["safeguards"]] == ["https://x.example.test/"]
    assert found["missing"] == []


def test_a_link_is_http_or_https(crew: Crew, act: Any) -> None:
    incident = make_incident(crew, at=Phase.REVIEW)
    body = {"gap": "None", "change": "Linter", "link": "javascript:alert(1)"}

    refused = act(incident, "api_lead", "deliver/safeguards", body, 422)

    assert refused["errors"] == [{"field": "body.link", "message": "Give a whole http or https address."}]
