"""Who may ask each operation of the API, and what is sent: the other half of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incidents.terms import Role
from tests.matrix.table import (
    AUDITOR,
    COMMANDER,
    COMMANDER_OR_LEAD,
    DATA_AND_EVIDENCE,
    HOLDERS,
    INFORMERS,
    INSIDE,
    NOBODY,
    SIGNED_IN,
    of,
)

FILE: dict[str, Any] = {"file": "a file"}
WHY = {"reason": "Because"}


@dataclass(frozen=True)
class Operation:
    """Who may ask, what is sent, and who finds what it is about."""

    may: frozenset[str] = INSIDE
    body: Any = None
    seen_by: frozenset[str] = INSIDE
    scope: str = "act"


def read(seen_by: frozenset[str] = INSIDE) -> Operation:
    return Operation(seen_by, seen_by=seen_by, scope="read")


_FOLLOW_UP = {
    "title": "Guard",
    "owner": "API Lead",
    "priority": "P1",
    "due_on": "2027-01-15",
    "acceptance": "CI",
}
_ADDED = {"track": "3a", "name": "More", "owner": "api_lead", "stage": 1, "destructive": False}
_EXCEPTION = {"measure": "merges", "subject": "PR-1", "expires_at": "2099-01-01T00:00:00Z"}
_MARK = {"workspace": "ws-1", "runs": ["run-1"], "dialect": "portarium-v1", "head": "0" * 64}
_DECLARATION = {"product": "{slug}", "trigger": "regression", "summary": "Lag", "scope_level": "L1"}
_ALERT = {"status": "firing", "alerts": [{"labels": {"alertname": "Lag"}}]}
_BASELINE = {"failing_step": "lint", "kind": "other", "proof": "Old"}
_WORDS = {"subject": "Update", "body": "It goes on."}
_INCIDENT = "/incidents/{ref}"
_ACTION = f"{_INCIDENT}/rollback/actions/{{key}}"
_GATE = f"{_INCIDENT}/verify/gates/{{key}}"
_NOTICE = f"{_INCIDENT}/notices/{{kind}}"

OPERATIONS: dict[str, Operation] = {
    "get /freeze/{product}": Operation(SIGNED_IN, seen_by=SIGNED_IN, scope="check"),
    "get /freeze/{product}/check": Operation(SIGNED_IN, seen_by=SIGNED_IN, scope="check"),
    "post /suggestions/{product}/alertmanager": Operation(SIGNED_IN, _ALERT, SIGNED_IN, "suggest"),
    "post /suggestions/{product}/ci": Operation(SIGNED_IN, {"pipeline": "ci:pr"}, SIGNED_IN, "suggest"),
    "get /suggestions": read(SIGNED_IN),
    "post /suggestions/{suggestion_id}/dismiss": Operation(COMMANDER, WHY, COMMANDER | {AUDITOR}),
    "post /incidents": Operation(frozenset({Role.COMMANDER}), _DECLARATION, SIGNED_IN),
    "get /incidents": read(SIGNED_IN),
    f"get {_INCIDENT}": read(),
    f"post {_INCIDENT}/declare/need-to-know": Operation(COMMANDER, WHY | {"need_to_know": True}),
    f"post {_INCIDENT}/declare/raise-level": Operation(COMMANDER, WHY | {"level": "L3"}),
    f"post {_INCIDENT}/declare/lower-level": Operation(COMMANDER, WHY | {"level": "L1"}),
    f"post {_INCIDENT}/declare/stand-down": Operation(COMMANDER, WHY),
    f"post {_INCIDENT}/declare/note": Operation(HOLDERS, {"text": "Noted"}),
    f"post {_INCIDENT}/declare/correct": Operation(
        COMMANDER, WHY | {"row": "incident", "field": "summary", "value": "Other"}
    ),
    f"post {_INCIDENT}/roles/{{role}}/assign": Operation(COMMANDER, {"person": "{person_mail}"}),
    f"post {_INCIDENT}/roles/{{role}}/accept": Operation(of(Role.API_LEAD)),
    f"post {_INCIDENT}/roles/{{role}}/hand-over": Operation(
        of(Role.COMMANDER, Role.API_LEAD), WHY | {"to": "{person_mail}"}
    ),
    f"post {_INCIDENT}/roles/{{role}}/take-over": Operation(of(Role.API_LEAD), WHY),
    f"post {_INCIDENT}/freeze/exceptions": Operation(COMMANDER_OR_LEAD, WHY | _EXCEPTION),
    f"post {_INCIDENT}/freeze/exceptions/{{exception_id}}/revoke": Operation(COMMANDER_OR_LEAD, WHY),
    f"post {_INCIDENT}/target/choose": Operation(
        of(Role.COMMANDER, Role.API_LEAD), WHY | {"kind": "commit", "identifier": "abc"}
    ),
    f"post {_INCIDENT}/target/confirm": Operation(DATA_AND_EVIDENCE, {"aspect": "migration_state", "note": "Looked"}),
    f"post {_INCIDENT}/rollback/plan": Operation(COMMANDER),
    f"post {_INCIDENT}/rollback/actions": Operation(COMMANDER_OR_LEAD, WHY | _ADDED),
    f"post {_ACTION}/approve": Operation(COMMANDER_OR_LEAD),
    f"post {_ACTION}/rehearse": Operation(COMMANDER_OR_LEAD),
    f"post {_ACTION}/dispatch": Operation(DATA_AND_EVIDENCE),
    f"post {_ACTION}/complete": Operation(DATA_AND_EVIDENCE, {"succeeded": True, "result": "Done"}),
    f"post {_ACTION}/abort": Operation(COMMANDER_OR_LEAD, WHY),
    f"post {_ACTION}/waive": Operation(DATA_AND_EVIDENCE, WHY),
    f"post {_ACTION}/resolve": Operation(COMMANDER_OR_LEAD, WHY | {"succeeded": True}),
    f"post {_ACTION}/evidence": Operation(DATA_AND_EVIDENCE, {"text": "Output"}),
    f"post {_ACTION}/evidence/file": Operation(DATA_AND_EVIDENCE, FILE),
    f"post {_INCIDENT}/cleanup/tick": Operation(DATA_AND_EVIDENCE, {"items": ["data-revert"], "note": "Done"}),
    f"post {_INCIDENT}/cleanup/items/{{key}}/waive": Operation(DATA_AND_EVIDENCE, WHY),
    f"post {_INCIDENT}/cleanup/evidence/{{key}}": Operation(DATA_AND_EVIDENCE, {"text": "Output"}),
    f"post {_INCIDENT}/cleanup/evidence/{{key}}/file": Operation(DATA_AND_EVIDENCE, FILE),
    f"post {_INCIDENT}/verify/begin": Operation(COMMANDER),
    f"post {_INCIDENT}/verify/reopen": Operation(COMMANDER, WHY),
    f"post {_GATE}/run": Operation(COMMANDER_OR_LEAD),
    f"post {_GATE}/record": Operation(COMMANDER_OR_LEAD, {"outcome": "pass", "note": "Green"}),
    f"post {_GATE}/baseline": Operation(COMMANDER, _BASELINE),
    f"post {_GATE}/risk": Operation(COMMANDER, WHY),
    f"post {_GATE}/evidence": Operation(COMMANDER_OR_LEAD, {"text": "Output"}),
    f"post {_GATE}/evidence/file": Operation(COMMANDER_OR_LEAD, FILE),
    f"post {_INCIDENT}/unfreeze/owners/{{area}}/name": Operation(COMMANDER, {"person": "{person_mail}"}),
    f"post {_INCIDENT}/unfreeze/owners/{{area}}/accept": Operation(NOBODY),
    f"post {_INCIDENT}/unfreeze/lift": Operation(COMMANDER, {"stage": "merges"}),
    f"post {_INCIDENT}/unfreeze/refreeze": Operation(COMMANDER, WHY),
    f"post {_INCIDENT}/deliver/summary": Operation(COMMANDER, {"what_happened": "Lag"}),
    f"post {_INCIDENT}/deliver/follow-ups": Operation(HOLDERS, _FOLLOW_UP),
    f"post {_INCIDENT}/deliver/safeguards": Operation(HOLDERS, {"gap": "None", "change": "Linter"}),
    f"post {_INCIDENT}/deliver/close": Operation(COMMANDER),
    f"get {_INCIDENT}/proposals": read(),
    f"post {_INCIDENT}/proposals/{{proposal_id}}/confirm": Operation(COMMANDER_OR_LEAD),
    f"post {_INCIDENT}/proposals/{{proposal_id}}/decline": Operation(COMMANDER_OR_LEAD, WHY),
    f"get {_INCIDENT}/attachments/{{attachment_id}}": read(),
    f"post {_INCIDENT}/foreign/verify": Operation(
        of(Role.COMMANDER, Role.DATA_EVIDENCE_LEAD), FILE | {"subject": "cleanup:chain-output"}
    ),
    f"post {_INCIDENT}/foreign/fetch": Operation(
        of(Role.COMMANDER, Role.DATA_EVIDENCE_LEAD), {"url": "https://portarium.example.org/evidence"}
    ),
    f"post {_INCIDENT}/foreign/annotate": Operation(of(Role.COMMANDER, Role.DATA_EVIDENCE_LEAD), _MARK),
    f"get {_INCIDENT}/evidence.jsonl": read(),
    f"get {_INCIDENT}/evidence/verify": read(),
    f"post {_INCIDENT}/evidence/verify": Operation(INSIDE, {"checkpoints": []}),
    f"get {_INCIDENT}/evidence/checkpoint": read(),
    f"get {_INCIDENT}/evidence/timeline": read(),
    f"post {_INCIDENT}/evidence/{{seq}}/correct": Operation(COMMANDER, WHY | {"text": "Other words"}),
    f"get {_INCIDENT}/evidence/personal": read(),
    f"post {_INCIDENT}/evidence/personal/erase": Operation(
        of(Role.COMMANDER, Role.SECURITY_LEAD), WHY | {"entry": 1, "path": "owner"}
    ),
    f"get {_INCIDENT}/notices": read(),
    f"get {_NOTICE}/draft": read(),
    f"put {_NOTICE}/draft": Operation(INFORMERS, _WORDS),
    f"delete {_NOTICE}/draft": Operation(INFORMERS),
    f"post {_INCIDENT}/notices/copies/{{copy_id}}/again": Operation(INFORMERS, {"address": "reader@example.test"}),
    f"post {_NOTICE}/preview": Operation(INSIDE, _WORDS),
    f"post {_NOTICE}/issue": Operation(INFORMERS, _WORDS),
    f"get {_INCIDENT}/report.pdf": read(),
    f"get {_INCIDENT}/report.md": read(),
    f"get {_INCIDENT}/followups.csv": read(),
    f"get {_INCIDENT}/followups.beads.jsonl": read(),
    f"get {_INCIDENT}/bundle.zip": read(),
}
