"""The steps of the walkthrough: one complete L3 incident, as its six people would live it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from portal.demo.person import Person, Unexpected, until

LEADS = ("api_lead", "infrastructure_lead", "data_evidence_lead", "security_lead")
TARGET = "dbe79f1"

Say = Callable[[str], None]


@dataclass
class Cast:
    """The people by role, and the incident they work on."""

    people: dict[str, Person]
    product: str = "portarium"
    reference: str = ""
    done: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, role: str) -> Person:
        return self.people[role]

    @property
    def commander(self) -> Person:
        return self.people["commander"]

    @property
    def path(self) -> str:
        return f"/incidents/{self.reference}"

    def state(self) -> Any:
        return self.commander.get(self.path)

    def check(self, operation: str, **asked: str) -> Any:
        query = "&".join(f"{name}={value.replace(' ', '%20')}" for name, value in asked.items())
        return self.commander.get(f"/freeze/{self.product}/check?operation={operation}&{query}")


def hold(is_true: bool, otherwise: str) -> None:
    if not is_true:
        raise Unexpected(otherwise)


def steps() -> Iterator[tuple[str, Callable[[Cast], str]]]:
    """What happens, in order: a name and what does it. Each returns the line that says what was seen."""
    yield "Before", before
    yield "Step 1: declare rollback mode", declare
    yield "Freeze", freeze
    yield "Roles", accept_roles
    yield "Template A", lambda cast: inform(cast, "A", timedelta(seconds=20))
    yield "Exception", exception
    yield "Step 2: rollback target", target
    yield "Step 3: the plan", plan
    yield "Step 3a–3e: actions", run_actions
    yield "Overdue update", overdue
    yield "Template B", lambda cast: inform(cast, "B", timedelta(minutes=30))
    yield "Step 3 checklist: mandatory cleanup", clean_up
    yield "Step 4: verification gates", verify
    yield "Ownership of next-cycle work", own_next_cycle
    yield "Template C", recovered
    yield "Step 5: controlled unfreeze", unfreeze
    yield "Deliverables", deliver
    yield "Closed", close


def before(cast: Cast) -> str:
    answer = cast.check("merge", subject="PR 40")
    hold(answer["decision"] == "allow", f"A merge is denied before any incident: {answer}")
    return "a merge is allowed"


def declare(cast: Cast) -> str:
    asked = {
        "product": cast.product,
        "trigger": "evidence_uncertain",
        "summary": "Hash-chain gap after projection migration 0412",
        "scope_level": "L3",
    }
    incident = cast.commander.post("/incidents", expect=201, **asked)
    cast.reference = incident["reference"]
    answer = cast.check("merge", subject="PR 41")
    hold(answer["decision"] == "deny", f"The first question after the declaration was not denied: {answer}")
    second = cast.commander.post("/incidents", expect=409, **asked)
    hold(second["reference"] == cast.reference, "The second declaration does not name the first.")
    level = f"L3 {incident['scope_level_name']}"
    return f"{cast.reference} at {level}; the next merge is denied; a second declaration is refused"


def freeze(cast: Cast) -> str:
    asked = [
        ("merge", {"subject": "PR 41"}, "deny"),
        ("claim", {"subject": "bead-0900", "labels": "feature"}, "deny"),
        ("claim", {"subject": "bead-0901", "labels": "rollback"}, "allow"),
        ("promote", {"environment": "staging"}, "deny"),
        ("deploy", {"environment": "prod", "actor": cast["outsider"].email}, "deny"),
    ]
    for operation, query, wanted in asked:
        answer = cast.check(operation, **query)
        hold(answer["decision"] == wanted, f"{operation} {query} was answered with {answer['decision']}.")
    return "merges, claims, promotions and deploys are held; a rollback bead may be claimed"


def accept_roles(cast: Cast) -> str:
    for role in (*LEADS, "communications_owner"):
        cast[role].post(f"{cast.path}/roles/{role}/accept")
    answer = cast.check("deploy", environment="prod", actor=cast["api_lead"].email)
    hold(answer["decision"] == "allow", "A rollback owner may not deploy.")
    return "five people accepted; rollback owners may deploy"


def inform(cast: Cast, kind: str, ahead: timedelta) -> str:
    owner = cast["communications_owner"]
    promised: dict[str, Any] = {} if kind == "C" else {"next_update_at": (datetime.now(UTC) + ahead).isoformat()}
    notice = owner.post(f"{cast.path}/notices/{kind}/issue", **promised)
    sent = until(f"update {kind} to be sent", lambda: _sent(cast, kind))
    return f"“{notice['subject']}” reached {sent} recipients"


def _sent(cast: Cast, kind: str) -> int:
    notices = _notices(cast)["issued"]
    latest = [notice for notice in notices if notice["kind"] == kind][-1]
    return len(latest["deliveries"]) if latest["state"] == "sent" else 0


def _notices(cast: Cast) -> Any:
    return cast["communications_owner"].get(f"{cast.path}/notices")


def exception(cast: Cast) -> str:
    proposal = cast.commander.post(
        f"{cast.path}/freeze/exceptions",
        measure="merges",
        subject="PR 41",
        reason="The revert of migration 0412 itself",
        expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    )
    hold(cast.check("merge", subject="PR 41")["decision"] == "deny", "One person alone let a merge through.")
    confirm(cast, proposal, "api_lead")
    hold(cast.check("merge", subject="PR 41")["decision"] == "allow", "The exception does not let PR 41 through.")
    hold(cast.check("merge", subject="PR 42")["decision"] == "deny", "The exception lets more through than it names.")
    return "PR 41 may merge after a second person agreed; PR 42 may not"


def confirm(cast: Cast, proposal: Any, role: str) -> None:
    cast[role].post(f"{cast.path}/proposals/{proposal['id']}/confirm")


def target(cast: Cast) -> str:
    cast.commander.post(
        f"{cast.path}/target/choose",
        kind="commit",
        identifier=TARGET,
        reason="Build 1182 was green in prod for six days",
    )
    for aspect, role, note in (
        ("migration_state", "data_evidence_lead", "Schema at 0411; 0412 has a tested down step"),
        ("environment_configuration", "infrastructure_lead", "Configuration revision 88 in dev, staging and prod"),
        ("evidence_cutover", "data_evidence_lead", "Evidence entry 48211, event offset 990120"),
    ):
        cast[role].post(f"{cast.path}/target/confirm", aspect=aspect, note=note)
    return f"commit {TARGET}; migration state, environment configuration and cutover point confirmed by their leads"


def plan(cast: Cast) -> str:
    cast.commander.post(f"{cast.path}/rollback/plan")
    actions = cast.state()["actions"]
    return f"{len(actions)} actions in {len({action['stage'] for action in actions})} stages"


def run_actions(cast: Cast) -> str:
    by_connector = 0
    for action in sorted(cast.state()["actions"], key=lambda action: (action["stage"], action["key"])):
        path = f"{cast.path}/rollback/actions/{action['key']}"
        owner = cast[action["owner"]]
        cast.commander.post(f"{path}/approve", digest=action["spec_digest"])
        owner.post(f"{path}/dispatch")
        if not action["by_hand"]:
            by_connector += 1
            until(f"{action['key']} to end", partial(_ended, cast, action["key"]))
        else:
            owner.upload(f"{path}/evidence/file", f"{action['key']}.txt", f"{action['name']}: looked at\n".encode())
            owner.post(f"{path}/complete", succeeded=True, result=f"{action['name']}: done and looked at")
    return f"every action done, {by_connector} by the worker, each after a second person's approval"


def _ended(cast: Cast, key: str) -> bool:
    action = next(found for found in cast.state()["actions"] if found["key"] == key)
    hold(
        action["state"] in ("planned", "running", "succeeded"), f"{key} ended as {action['state']}: {action['result']}"
    )
    return bool(action["state"] == "succeeded")


def overdue(cast: Cast) -> str:
    until("the promised update to become overdue", lambda: _notices(cast)["overdue"])
    until("the reminder", lambda: _sent_kinds(cast, "reminder"))
    return "the promised update was late, and the Communications Owner was reminded by mail"


def _sent_kinds(cast: Cast, kind: str) -> bool:
    notices = _notices(cast)["issued"]
    return any(notice["kind"] == kind and notice["state"] == "sent" for notice in notices)


def clean_up(cast: Cast) -> str:
    areas = cast.state()["cleanup"]
    for area in areas:
        owner = cast[area["owner"]]
        for wanted in area["evidence"]:
            path = f"{cast.path}/cleanup/evidence/{wanted['key']}"
            if wanted["key"] == "incident-links":
                owner.post(path, link=f"https://portarium.example/incidents/{cast.reference}")
            else:
                owner.upload(f"{path}/file", f"{wanted['key']}.txt", f"{wanted['name']} of {cast.reference}\n".encode())
        items = [item["key"] for item in area["items"]]
        owner.post(f"{cast.path}/cleanup/tick", items=items, note="Done and checked against the target")
    return f"{len(areas)} areas complete, with the evidence that the runbook asks for"


def verify(cast: Cast) -> str:
    cast.commander.post(f"{cast.path}/verify/begin")
    gates = cast.state()["gates"]
    return "; ".join(_probe(cast, gate) if gate["can_run"] else _by_hand(cast, gate) for gate in gates)


def _probe(cast: Cast, gate: Any) -> str:
    cast[gate["owner"]].post(f"{cast.path}/verify/gates/{gate['key']}/run")
    until(f"gate {gate['key']}", lambda: not _gate(cast, gate["key"])["blockers"])
    return f"{gate['key']} passed by probe"


def _gate(cast: Cast, key: str) -> Any:
    return next(found for found in cast.state()["gates"] if found["key"] == key)


def _by_hand(cast: Cast, gate: Any) -> str:
    path, owner = f"{cast.path}/verify/gates/{gate['key']}", cast[gate["owner"]]
    is_ci = gate["key"] == "ci"
    owner.upload(f"{path}/evidence/file", f"{gate['key']}.log", b"ci:gates: hash_mismatch package.json\n")
    owner.post(f"{path}/record", outcome="fail" if is_ci else "pass", note="Output attached")
    if not is_ci:
        return f"{gate['key']} passed"
    cast.commander.post(
        f"{path}/baseline",
        failing_step="ci:gates",
        kind="gate-baseline",
        proof="package.json differs from the baseline since 41aa0de, before this cycle began",
        not_executed="migrate:ci, typecheck, lint, format:check, spell, depcruise, knip, test:coverage, audit-high",
    )
    proposal = cast.commander.post(
        f"{path}/risk", reason="The blocker is older than the cycle; later steps ran by hand"
    )
    confirm(cast, proposal, "security_lead")
    return "ci failed on a baseline blocker, accepted as a risk by two people"


def own_next_cycle(cast: Cast) -> str:
    for role in LEADS:
        cast.commander.post(f"{cast.path}/unfreeze/owners/{role}/name", person=cast[role].email)
        cast[role].post(f"{cast.path}/unfreeze/owners/{role}/accept")
    return "four areas have an owner who accepted"


def recovered(cast: Cast) -> str:
    wanted = ("stable", "verified", "ownership")
    until(
        "the target to be stable",
        lambda: all(p["holds"] for p in cast.state()["preconditions"] if p["key"] in wanted),
        120,
    )
    return inform(cast, "C", timedelta())


def unfreeze(cast: Cast) -> str:
    opened = ["merges", "claims", "dev", "staging", "prod"]
    for stage in opened:
        cast.commander.post(f"{cast.path}/unfreeze/lift", stage=stage)
        if stage == "merges":
            hold(cast.check("merge", subject="PR 42")["decision"] == "allow", "Merges are lifted but denied.")
            hold(cast.check("promote", environment="prod")["decision"] == "deny", "Lifting merges opened prod.")
    hold(cast.state()["phase"] == "review", "The incident is not in review after the last stage.")
    return "lifted stage by stage: " + ", ".join(opened)


def deliver(cast: Cast) -> str:
    refused = cast.commander.post(f"{cast.path}/deliver/close", expect=409)
    cast.commander.post(
        f"{cast.path}/deliver/summary",
        what_happened="Migration 0412 rebuilt the projection and dropped a column that the evidence reader used.",
        root_cause="The column drop shipped one release before its last reader was removed.",
        impact="For 41 minutes new evidence entries could not be linked to the entry before.",
    )
    cast["api_lead"].post(
        f"{cast.path}/deliver/follow-ups",
        title="Refuse column drops while a reader is deployed",
        owner="API Lead",
        priority="P1",
        due_on=(datetime.now(UTC) + timedelta(days=14)).date().isoformat(),
        acceptance="ci:pr fails on a drop of a column that any deployed version reads.",
    )
    cast["data_evidence_lead"].post(
        f"{cast.path}/deliver/safeguards",
        gap="Nothing compared a migration with the readers in production",
        change="Runbook 3c asks for the reader check before a projection is rebuilt",
    )
    return f"closing was refused for {len(refused['blockers'])} reasons; then all three deliverables were written"


def close(cast: Cast) -> str:
    cast.commander.post(f"{cast.path}/deliver/close")
    verdict = cast.commander.get(f"{cast.path}/evidence/verify")
    hold(verdict["intact"], f"The evidence does not verify: {verdict}")
    return f"{cast.reference} is closed; {verdict['entries']} evidence entries verify"
