"""One incident from declaration to closed, by nothing but the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from incidents.models import Incident
from incidents.terms import Aspect, Role
from tests.factories import Crew, inform

pytestmark = pytest.mark.django_db
LEADS = ("api_lead", "infrastructure_lead", "data_evidence_lead", "security_lead")
CONFIRMERS = {
    Aspect.MIGRATION_STATE: "data_evidence_lead",
    Aspect.ENVIRONMENT_CONFIGURATION: "infrastructure_lead",
    Aspect.EVIDENCE_CUTOVER: "data_evidence_lead",
}


@dataclass
class Walk:
    """One incident, and every role's way to act on it. An answer of another status ends the test."""

    by_role: Callable[..., Any]
    reference: str

    def act(self, role: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.by_role(role).post(f"incidents/{self.reference}/{path}", body)
        assert answer.status_code == status, answer.content
        return answer.json()

    def upload(self, role: str, path: str, name: str) -> None:
        file = SimpleUploadedFile(name, b"repaired")
        answer = self.by_role(role).upload(f"incidents/{self.reference}/{path}", file)
        assert answer.status_code == 201, answer.content

    def state(self) -> Any:
        return self.by_role("commander").get(f"incidents/{self.reference}").json()


def find_target(walk: Walk) -> None:
    walk.act("commander", "target/choose", {"kind": "commit", "identifier": "dbe79f1", "reason": "Last green"}, 201)
    for aspect, lead in CONFIRMERS.items():
        walk.act(lead, "target/confirm", {"aspect": aspect, "note": "Looked"})


def roll_back(walk: Walk) -> None:
    for action in walk.state()["actions"]:
        path, owner = f"rollback/actions/{action['key']}", action["owner"]
        if action["waivable"]:
            walk.act(owner, f"{path}/waive", {"reason": "No credentials touched"})
            continue
        if action["needs_second"]:
            walk.act("commander", f"{path}/approve", {"digest": action["spec_digest"]}, 201)
        walk.act(owner, f"{path}/dispatch", status=202)
        walk.act(owner, f"{path}/complete", {"succeeded": True, "result": "Done and looked at"})


def clean_up(walk: Walk) -> None:
    for area in walk.state()["cleanup"]:
        items = [item["key"] for item in area["items"]]
        walk.act(area["owner"], "cleanup/tick", {"items": items, "note": "Checked"})
        for wanted in area["evidence"]:
            walk.upload(area["owner"], f"cleanup/evidence/{wanted['key']}/file", f"{wanted['key']}.txt")


def pass_gates(walk: Walk) -> None:
    for gate in walk.state()["gates"]:
        path = f"verify/gates/{gate['key']}"
        walk.act(gate["owner"], f"{path}/evidence", {"text": "Output of the check"}, 201)
        walk.act(gate["owner"], f"{path}/record", {"outcome": "pass", "note": "Green"}, 201)


def own_next_cycle(walk: Walk, crew: Crew) -> None:
    for lead in LEADS:
        walk.act("commander", f"unfreeze/owners/{lead}/name", {"person": crew[Role(lead)].email})
        walk.act(lead, f"unfreeze/owners/{lead}/accept")


def deliver(walk: Walk) -> None:
    summary = {"what_happened": "Projections lagged.", "root_cause": "A dropped column.", "impact": "Late runs."}
    follow_up = {"title": "Guard column drops", "owner": "API Lead", "priority": "P1", "due_on": "2027-01-15"}
    walk.act("commander", "deliver/summary", summary)
    walk.act("api_lead", "deliver/follow-ups", follow_up | {"acceptance": "CI refuses it."}, 201)
    walk.act("security_lead", "deliver/safeguards", {"gap": "No check", "change": "Linter added"}, 201)


def test_an_incident_is_walked_from_declared_to_closed(
    crew: Crew, by_role: Callable[..., Any], settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    body = {"product": crew.product.slug, "trigger": "regression", "summary": "Lag", "scope_level": "L2"}
    walk = Walk(by_role, by_role("commander").post("incidents", body).json()["reference"])

    for role in list(Role)[1:]:
        walk.act(role, f"roles/{role}/accept")
    find_target(walk)
    assert walk.act("commander", "rollback/plan", status=201)["phase"] == "rolling_back"
    roll_back(walk)
    clean_up(walk)
    assert walk.act("commander", "verify/begin")["phase"] == "verifying"
    pass_gates(walk)
    own_next_cycle(walk, crew)
    inform(Incident.objects.get(), crew)
    assert walk.state()["blockers"] == []
    for stage in walk.state()["stages"]:
        walk.act("commander", "unfreeze/lift", {"stage": stage["key"]})
    deliver(walk)
    closed = walk.act("commander", "deliver/close")

    state = walk.state()
    assert (closed["phase"], state["phase"], state["freeze"]["active"]) == ("closed", "closed", False)
    assert [action["state"] for action in state["actions"] if action["waivable"]] == ["waived"] * 3
    assert {action["state"] for action in state["actions"] if not action["waivable"]} == {"succeeded"}
    assert state["deliverables"]["missing"] == []
    assert by_role("commander").get(f"incidents/{walk.reference}/evidence/verify").json() == {
        "intact": True,
        "entries": closed["evidence_seq"],
        "head": closed["evidence_sha256"],
        "broken_at": None,
        "reason": "",
        "code": 0,
        "compared": [],
        "gaps": [],
        "unsigned": [],
    }
