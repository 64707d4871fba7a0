"""Who may read and who may send to each address. An address without a row fails.

Nobody else gets anything: who may not know of an incident finds none (404), who sees it but lacks the role is told so
(403), a method that an address does not know is 405, and a visitor is led to the sign-in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incidents.policy import LEADS
from incidents.terms import Role
from tests.matrix.world import ANONYMOUS, AUDITOR, MIXED, NO_ROLE, OTHER_COMMANDER, PEOPLE, ROLES, STAFF, SUPERUSER

EVERYBODY = frozenset(PEOPLE)
SIGNED_IN = EVERYBODY - {ANONYMOUS}
# The person who leads the API here and commands elsewhere is, here, an API Lead and nothing more.
HOLDERS = frozenset({*ROLES, MIXED})
INSIDE = HOLDERS | {AUDITOR}
OUTSIDE = frozenset({NO_ROLE, OTHER_COMMANDER, STAFF, SUPERUSER})
NOBODY: frozenset[str] = frozenset()
ADMINS = frozenset({STAFF, SUPERUSER})


def of(*roles: Role) -> frozenset[str]:
    return frozenset(roles) | ({MIXED} if Role.API_LEAD in roles else set())


COMMANDER = of(Role.COMMANDER)
COMMANDER_OR_LEAD = of(Role.COMMANDER, *LEADS)
DATA_AND_EVIDENCE = of(Role.DATA_EVIDENCE_LEAD)
INFORMERS = of(Role.COMMUNICATIONS_OWNER, Role.COMMANDER)


@dataclass(frozen=True)
class Row:
    """One address: who may read it, who may send to it, what is sent, and who finds it at all."""

    read: frozenset[str] | None = INSIDE
    send: frozenset[str] | None = None
    body: Any = None
    seen_by: frozenset[str] = INSIDE
    # What is taken away is on record, so it is not asked for by halves.
    head: bool = True


READ = Row()
TAKEN = Row(head=False)
PAGES: dict[str, Row] = {
    "incidents:board": Row(SIGNED_IN, seen_by=EVERYBODY),
    "incidents:declare": Row(
        SIGNED_IN,
        frozenset({Role.COMMANDER, OTHER_COMMANDER, MIXED}),
        {"product": "{slug}", "trigger": "regression", "summary": "Lag", "scope_level": "L1"},
        seen_by=EVERYBODY,
    ),
    "incidents:suggestions": Row(SIGNED_IN, seen_by=EVERYBODY),
    "incidents:dismiss_suggestion": Row(None, COMMANDER, seen_by=COMMANDER | {AUDITOR}),
    "incidents:list": Row(SIGNED_IN, seen_by=EVERYBODY),
    "incidents:work": Row(SIGNED_IN, seen_by=EVERYBODY),
    "incidents:runbook": Row(SIGNED_IN, seen_by=EVERYBODY),
    "incidents:runbook_version": Row(SIGNED_IN, seen_by=EVERYBODY),
    "incidents:status": Row(EVERYBODY, seen_by=EVERYBODY),
    "incidents:status_feed": Row(EVERYBODY, seen_by=EVERYBODY),
    "incidents:war_room": READ,
    "incidents:roles": Row(send=COMMANDER, body={"act": "assign", "role": "api_lead", "person": "{person}"}),
    "incidents:level": Row(send=COMMANDER),
    "incidents:knowledge": Row(send=COMMANDER),
    "incidents:stand_down": Row(send=COMMANDER),
    "incidents:notes": Row(send=HOLDERS),
    "incidents:proposal_confirm": Row(send=COMMANDER_OR_LEAD),
    "incidents:proposal_decline": Row(send=COMMANDER_OR_LEAD),
    "incidents:evidence": READ,
    "incidents:personal_values": Row(send=of(Role.COMMANDER, Role.SECURITY_LEAD)),
    "incidents:verify_evidence": Row(None, INSIDE),
    "incidents:correct_entry": Row(send=COMMANDER),
    "incidents:checkpoint_txt": TAKEN,
    "incidents:evidence_jsonl": TAKEN,
    "incidents:freeze": READ,
    "incidents:propose_exception": Row(send=COMMANDER_OR_LEAD),
    "incidents:revoke_exception": Row(send=COMMANDER_OR_LEAD),
    "incidents:target": Row(send=of(Role.COMMANDER, Role.API_LEAD)),
    "incidents:confirm_target": Row(send=DATA_AND_EVIDENCE),
    "incidents:rollback": READ,
    "incidents:make_plan": Row(send=COMMANDER),
    "incidents:add_action": Row(send=COMMANDER_OR_LEAD),
    "incidents:action": READ,
    "incidents:rehearse_action": Row(send=COMMANDER_OR_LEAD),
    "incidents:approve_action": Row(send=COMMANDER_OR_LEAD),
    "incidents:dispatch_action": Row(send=DATA_AND_EVIDENCE),
    "incidents:complete_action": Row(send=DATA_AND_EVIDENCE),
    "incidents:abort_action": Row(send=COMMANDER_OR_LEAD),
    "incidents:waive_action": Row(send=DATA_AND_EVIDENCE),
    "incidents:resolve_action": Row(send=COMMANDER_OR_LEAD),
    "incidents:cleanup": READ,
    "incidents:cleanup_area": Row(send=DATA_AND_EVIDENCE),
    "incidents:waive_cleanup": Row(send=DATA_AND_EVIDENCE),
    "incidents:verify": READ,
    "incidents:begin_verification": Row(send=COMMANDER),
    "incidents:reopen_rollback": Row(send=COMMANDER),
    "incidents:gate": READ,
    "incidents:run_gate": Row(send=COMMANDER_OR_LEAD),
    "incidents:record_gate": Row(send=COMMANDER_OR_LEAD),
    "incidents:accept_baseline": Row(send=COMMANDER),
    "incidents:accept_risk": Row(send=COMMANDER),
    "incidents:unfreeze": READ,
    "incidents:lift": Row(send=COMMANDER),
    "incidents:refreeze": Row(send=COMMANDER),
    "incidents:name_owner": Row(send=COMMANDER),
    "incidents:accept_ownership": Row(send=NOBODY),
    "incidents:deliver": READ,
    "incidents:write_summary": Row(send=COMMANDER),
    "incidents:add_follow_up": Row(send=HOLDERS),
    "incidents:add_safeguard": Row(send=HOLDERS),
    "incidents:close": Row(send=COMMANDER),
    "incidents:foreign": Row(send=of(Role.COMMANDER, Role.DATA_EVIDENCE_LEAD)),
    "incidents:mark_foreign": Row(send=of(Role.COMMANDER, Role.DATA_EVIDENCE_LEAD)),
    "incidents:foreign_log": READ,
    "incidents:attachment": TAKEN,
    "comms:notices": READ,
    "comms:notice": READ,
    "comms:again": Row(None, INFORMERS),
    "comms:write": Row(None, INFORMERS),
    "comms:report": READ,
    "comms:make_report": Row(None, INSIDE),
    "comms:report_pdf": TAKEN,
    "comms:bundle_zip": TAKEN,
    "comms:report_md": TAKEN,
    "comms:followups_csv": TAKEN,
    "comms:followups_beads": TAKEN,
    "api_reference": Row(SIGNED_IN, seen_by=EVERYBODY),
    "healthz": Row(EVERYBODY, seen_by=EVERYBODY),
    "readyz": Row(EVERYBODY, seen_by=EVERYBODY),
    "metrics": Row(EVERYBODY, seen_by=EVERYBODY),
}

# What staff may do to the rows of each model beyond reading them. What belongs to an incident is only read there.
BACK_OFFICE: dict[str, tuple[str, ...]] = {
    "incidents.cleanupitem": (),
    "incidents.exhibit": (),
    "incidents.attachment": (),
    "incidents.rehearsal": (),
    "incidents.callbackreceipt": (),
    "incidents.dispatchstop": (),
    "incidents.connector": ("add", "change", "delete"),
    "incidents.wiring": ("add", "change", "delete"),
    "incidents.incident": (),
    "incidents.membership": (),
    "incidents.proposal": (),
    "incidents.suggestion": (),
    "incidents.review": (),
    "incidents.followup": (),
    "incidents.safeguard": (),
    "incidents.evidencechain": (),
    "incidents.checkpoint": (),
    "incidents.evidenceentry": (),
    "incidents.freeze": (),
    "incidents.freezemeasure": (),
    "incidents.freezeexception": (),
    "incidents.product": ("add", "change"),
    "incidents.auditgrant": ("add", "change"),
    "incidents.action": (),
    "incidents.approval": (),
    "incidents.attempt": (),
    "incidents.runbookversion": (),
    "incidents.target": (),
    "incidents.confirmation": (),
    "incidents.cycleowner": (),
    "incidents.gate": (),
    "incidents.gaterun": (),
    "incidents.baselineblocker": (),
    "incidents.acceptedrisk": (),
    "accounts.user": ("add", "change"),
    "accounts.apitoken": ("add",),
    "comms.recipient": ("add", "change", "delete"),
    "comms.notice": (),
    "comms.delivery": (),
    "comms.report": (),
}
