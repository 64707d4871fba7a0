"""Actions by their endpoints."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from incidents import clock
from incidents.models import Connector, Wiring
from incidents.terms import ActionState, AttemptState, ConnectorKind, Phase
from tests.factories import Crew, make_incident
from tests.incidents.api.calling import confirm

pytestmark = pytest.mark.django_db


def test_an_action_is_added_approved_dispatched_and_aborted(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    body = {
        "track": "3a",
        "name": "Purge the cache",
        "owner": "api_lead",
        "stage": 1,
        "destructive": True,
        "reason": "Stale",
    }

    added = act(incident, "api_lead", "rollback/actions", body, 201)
    path = f"rollback/actions/{added['id']}"
    blocked = act(incident, "api_lead", f"{path}/dispatch", status=409)
    assert blocked["blockers"] == ["“3a Purge the cache” waits for a second person's approval."]
    digest = next(row for row in state(incident)["actions"] if row["key"] == added["id"])["spec_digest"]
    act(incident, "commander", f"{path}/approve", {"digest": "0" * 64}, 409)
    act(incident, "commander", f"{path}/approve", {"digest": digest}, 201)
    queued = act(incident, "api_lead", f"{path}/dispatch", status=202)
    action = next(row for row in state(incident)["actions"] if row["key"] == added["id"])
    assert (action["state"], action["attempts"][0]["id"], action["approvals"][0]["is_valid"]) == (
        "running",
        queued["id"],
        True,
    )
    act(incident, "commander", f"{path}/abort", {"reason": "Wait for the database"})
    action = next(row for row in state(incident)["actions"] if row["key"] == added["id"])
    assert (action["state"], [attempt["state"] for attempt in action["attempts"]]) == ("planned", ["cancelled"])


def test_waiving_needs_a_second_person_where_the_level_makes_it_due(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    reason = {"reason": "Nothing leaked"}

    alone = act(incident, "security_lead", "rollback/actions/3e-revoke/waive", reason)
    both = act(incident, "api_lead", "rollback/actions/3a-parity/waive", reason, 202)
    confirm(act, incident, both, "commander")

    found = {row["key"]: row["state"] for row in state(incident)["actions"]}
    assert (alone["id"], found["3e-revoke"], found["3a-parity"]) == ("3e-revoke", "waived", "waived")


def test_an_unknown_outcome_is_decided_by_two(crew: Crew, act: Any, state: Any) -> None:
    connector = Connector.objects.create(name="hook", kind=ConnectorKind.WEBHOOK, deadline_seconds=1)
    Wiring.objects.create(product=crew.product, key="3e-revoke", connector=connector)
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    path = "rollback/actions/3e-revoke"
    act(incident, "commander", f"{path}/approve", status=201)
    act(incident, "security_lead", f"{path}/resolve", {"succeeded": True, "reason": "Looked"}, 409)
    act(incident, "security_lead", f"{path}/dispatch", status=202)
    action = incident.actions.get(key="3e-revoke")
    long_ago = clock.now() - timedelta(hours=1)
    action.attempts.update(state=AttemptState.UNKNOWN, started_at=long_ago)
    incident.actions.filter(pk=action.pk).update(state=ActionState.UNKNOWN)

    waiting = act(incident, "security_lead", f"{path}/resolve", {"succeeded": True, "reason": "Keys are gone"}, 202)
    confirm(act, incident, waiting, "commander")

    found = next(row for row in state(incident)["actions"] if row["key"] == "3e-revoke")
    assert (found["state"], found["result"]) == ("succeeded", "Keys are gone")


def test_completing_records_a_failure_as_well(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    act(incident, "commander", "rollback/actions/3e-revoke/approve", status=201)

    act(incident, "security_lead", "rollback/actions/3e-revoke/complete", {"succeeded": False, "result": "Vault down"})

    found = next(row for row in state(incident)["actions"] if row["key"] == "3e-revoke")
    assert (found["state"], found["attempts"][0]["sentence"]) == ("failed", "Vault down")
