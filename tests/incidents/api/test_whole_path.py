"""One incident from declaration to closed, by nothing but the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from incidents.models import Incident
from incidents.terms import Aspect, Role
from tests.factories import Crew, inform

pytestmark = pytest.mark.django_db
LEADS = ("api_lead", "infrastructure_lead", "data_evidence_lead", "security_lead")


def done(answer: Any, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    return answer.json()


def test_an_incident_is_walked_from_declared_to_closed(crew: Crew, by_role: Callable[..., Any]) -> None:
    commander = by_role("commander")
    declared = done(
        commander.post(
            "incidents",
            {"product": crew.product.slug, "trigger": "regression", "summary": "Lag", "scope_level": "L2"},
        ),
        201,
    )
    ref = declared["reference"]

    def act(role: str, path: str, body: Any = None, status: int = 200) -> dict[str, Any]:
        return done(by_role(role).post(f"incidents/{ref}/{path}", body), status)

    for role in Role:
        if role != Role.COMMANDER:
            act(role, f"roles/{role}/accept")
    act("commander", "target/choose", {"kind": "commit", "identifier": "dbe79f1", "reason": "Last green"}, 201)
    for aspect, owner in (
        (Aspect.MIGRATION_STATE, "data_evidence_lead"),
        (Aspect.ENVIRONMENT_CONFIGURATION, "infrastructure_lead"),
        (Aspect.EVIDENCE_CUTOVER, "data_evidence_lead"),
    ):
        act(owner, "target/confirm", {"aspect": aspect, "note": "Looked"})
    assert act("commander", "rollback/plan", status=201)["phase"] == "rolling_back"
    state = done(commander.get(f"incidents/{ref}"))
    for action in state["actions"]:
        key, owner = action["key"], action["owner"]
        if action["waivable"]:
            act(owner, f"rollback/actions/{key}/waive", {"reason": "No credentials touched"})
            continue
        if action["needs_second"]:
            act("commander", f"rollback/actions/{key}/approve", {"digest": action["spec_digest"]}, 201)
        act(owner, f"rollback/actions/{key}/dispatch", status=202)
        act(owner, f"rollback/actions/{key}/complete", {"succeeded": True, "result": "Done and looked at"})
    for area in state["cleanup"]:
        act(area["owner"], "cleanup/tick", {"items": [item["key"] for item in area["items"]], "note": "Checked"})
        for wanted in area["evidence"]:
            path = f"incidents/{ref}/cleanup/evidence/{wanted['key']}/file"
            done(by_role(area["owner"]).upload(path, SimpleUploadedFile("notes.txt", b"repaired")), 201)
    assert act("commander", "verify/begin")["phase"] == "verifying"
    for gate in state["gates"]:
        act(gate["owner"], f"verify/gates/{gate['key']}/evidence", {"text": "Output of the check"}, 201)
        act(gate["owner"], f"verify/gates/{gate['key']}/record", {"outcome": "pass", "note": "Green"}, 201)
    for lead in LEADS:
        act("commander", f"unfreeze/owners/{lead}/name", {"person": crew[Role(lead)].email})
        act(lead, f"unfreeze/owners/{lead}/accept")
    inform(Incident.objects.get(reference=ref), crew)
    state = done(commander.get(f"incidents/{ref}"))
    assert state["blockers"] == []
    for stage in state["stages"]:
        act("commander", "unfreeze/lift", {"stage": stage["key"]})
    act(
        "commander",
        "deliver/summary",
        {"what_happened": "Projections lagged.", "root_cause": "A dropped column.", "impact": "Late runs."},
    )
    act(
        "api_lead",
        "deliver/follow-ups",
        {
            "title": "Guard column drops",
            "owner": "API Lead",
            "priority": "P1",
            "due_on": "2027-01-15",
            "acceptance": "CI refuses it.",
        },
        201,
    )
    act("security_lead", "deliver/safeguards", {"gap": "No check", "change": "Linter added"}, 201)
    closed = act("commander", "deliver/close")

    assert closed["phase"] == "closed"
    state = done(commander.get(f"incidents/{ref}"))
    assert state["phase"] == "closed"
    assert state["freeze"]["active"] is False
    assert [action["state"] for action in state["actions"] if action["waivable"]] == ["waived"] * 3
    assert {action["state"] for action in state["actions"] if not action["waivable"]} == {"succeeded"}
    assert state["deliverables"]["missing"] == []
    assert state["evidence"]["entries"] == closed["evidence_seq"]
    assert done(commander.get(f"incidents/{ref}/evidence/verify")) == {
        "intact": True,
        "entries": closed["evidence_seq"],
        "head": closed["evidence_sha256"],
        "broken_at": None,
        "reason": "",
    }


def test_an_exception_is_proposed_confirmed_and_revoked(crew: Crew, by_role: Callable[..., Any]) -> None: ...
