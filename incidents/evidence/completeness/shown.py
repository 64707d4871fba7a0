"""What was brought as evidence, what the gates said, and the personal values that entries hold commitments to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from incidents import clock
from incidents.evidence import chain as arithmetic
from incidents.evidence.completeness.account import ERASED, Account, Entry, Handler, Rule
from incidents.evidence.completeness.declared import person
from incidents.models import AcceptedRisk, Attachment, BaselineBlocker, Exhibit, Gate, GateRun, PrivateValue
from incidents.terms import AttemptState, GateOutcome, Kind

# Files and exhibits -------------------------------------------------------------------------------------------------

_FOREIGN = (Kind.FOREIGN_VERIFIED, Kind.FOREIGN_ANNOTATED)


def _each_of(handler: Handler) -> Handler:
    """An entry about a foreign log lists the files that it brought."""

    def told(said: Account, entry: Entry) -> None:
        for row in entry.body["files"]:
            handler(said, replace(entry, body=row))

    return told


def _filed(said: Account, entry: Entry) -> None:
    body = entry.body
    if "attachment" in body:
        name = entry.fact("file")
        facts = {fact: body[fact] for fact in ("sha256", "size", "scan")}
        said.says(body["attachment"], **facts, name=name, uploaded_by=entry.by, erased=name == ERASED)


ATTACHMENT = Rule(
    Attachment,
    "file",
    rows=lambda incident: incident.attachments.select_related("uploaded_by"),
    key=lambda row: row.pk,
    facts=lambda row: {
        "sha256": row.sha256,
        "name": row.name,
        "size": row.size,
        "scan": row.scan,
        "uploaded_by": person(row.uploaded_by),
        "erased": row.erased_at is not None,
    },
    says={Kind.EXHIBIT_ADDED: _filed, **dict.fromkeys(_FOREIGN, _each_of(_filed))},
    named=lambda row: f"File “{row}”",
)


def _brought(said: Account, entry: Entry) -> None:
    body, text, link = entry.body, entry.fact("text", ""), entry.fact("link", "")
    if link == ERASED:
        text, link = ERASED, ""
    said.says(
        body["exhibit"],
        subject=body["subject"],
        text=text,
        link=link,
        source=entry.fact("source", ""),
        collected_at=body.get("collected_at"),
        file=body.get("attachment"),
        by=entry.by,
    )


EXHIBIT = Rule(
    Exhibit,
    "evidence",
    rows=lambda incident: incident.exhibits.select_related("by"),
    key=lambda row: row.pk,
    facts=lambda row: {
        "subject": row.subject,
        "text": row.text,
        "link": row.link,
        "source": row.source,
        "collected_at": clock.stamp(row.collected_at) if row.collected_at else None,
        "file": row.attachment_id,
        "by": person(row.by),
    },
    says={Kind.EXHIBIT_ADDED: _brought, **dict.fromkeys(_FOREIGN, _each_of(_brought))},
    named=lambda row: f"Evidence {row.pk} on {row.subject}",
)


# Gates --------------------------------------------------------------------------------------------------------------


def _laid_out(said: Account, entry: Entry) -> None:
    assert entry.incident  # noqa: S101 - a declaration belongs to an incident
    for text in entry.incident.book.gates:
        said.says(text.key, name=text.name, owner=text.owner, allows_baseline_blocker=text.allows_baseline_blocker)


GATE = Rule(
    Gate,
    "gate",
    rows=lambda incident: incident.gates.all(),
    key=lambda row: row.key,
    facts=lambda row: {
        "name": row.name,
        "owner": row.owner,
        "allows_baseline_blocker": row.allows_baseline_blocker,
    },
    says={Kind.DECLARED: _laid_out},
)

_WAITING = (AttemptState.LEASED, AttemptState.STARTED)
_SAID_OF_RUN = {
    "gate": "gate",
    "target_id": "target",
    "change_number": "change_number",
    "outcome": "outcome",
    "note": "sentence",
    "result": "sentence",
    "output_sha256": "output_sha256",
}


def _asked(said: Account, entry: Entry) -> None:
    said.says(entry.body["run"], **_facts(entry), by=entry.by, state=AttemptState.QUEUED, outcome=GateOutcome.NOT_RUN)


def _recorded(said: Account, entry: Entry) -> None:
    body = entry.body
    dropped = body["outcome"] == GateOutcome.NOT_RUN
    by = {"by": entry.by} if body.get("by_hand") else {}
    said.says(body["run"], **_facts(entry), **by, state=AttemptState.CANCELLED if dropped else AttemptState.SUCCEEDED)
    if withdrawn := body.get("instead_of"):
        said.says(withdrawn, state=AttemptState.CANCELLED)


def _facts(entry: Entry) -> dict[str, Any]:
    return {fact: entry.body[name] for name, fact in _SAID_OF_RUN.items() if name in entry.body}


GATE_RUN = Rule(
    GateRun,
    "gate run",
    rows=lambda incident: GateRun.objects.filter(gate__incident=incident).select_related("gate", "by"),
    key=lambda row: str(row.pk),
    facts=lambda row: {
        "gate": row.gate.key,
        "target": row.target_id,
        "change_number": row.change_number,
        "state": AttemptState.QUEUED if row.state in _WAITING else row.state,
        "outcome": row.outcome,
        "sentence": row.sentence,
        "output_sha256": row.output_sha256,
        "by": person(row.by),
    },
    says={Kind.GATE_QUEUED: _asked, Kind.GATE_RECORDED: _recorded},
    named=lambda row: f"Gate run “{row}”",
)


def _explained(said: Account, entry: Entry) -> None:
    body = entry.body
    said.says(
        body["run"],
        failing_step=body["failing_step"],
        kind=body["blocker_kind"],
        proof=body["proof"],
        not_executed=body["not_executed"],
        by=entry.by,
    )


BASELINE_BLOCKER = Rule(
    BaselineBlocker,
    "baseline blocker of run",
    rows=lambda incident: BaselineBlocker.objects.filter(run__gate__incident=incident).select_related("accepted_by"),
    key=lambda row: str(row.run_id),
    facts=lambda row: {
        "failing_step": row.failing_step,
        "kind": row.kind,
        "proof": row.proof,
        "not_executed": row.not_executed,
        "by": person(row.accepted_by),
    },
    says={Kind.BASELINE_ACCEPTED: _explained},
)


def _accepted(said: Account, entry: Entry) -> None:
    body = entry.body
    said.says(
        body["risk"],
        gate=body["gate"],
        target=body["target_id"],
        change_number=body["change_number"],
        reason=body["reason"],
        by=entry.by,
        second=entry.second,
    )


ACCEPTED_RISK = Rule(
    AcceptedRisk,
    "accepted risk",
    rows=lambda incident: AcceptedRisk.objects.filter(gate__incident=incident).select_related("gate", "by", "second"),
    key=lambda row: row.pk,
    facts=lambda row: {
        "gate": row.gate.key,
        "target": row.target_id,
        "change_number": row.change_number,
        "reason": row.reason,
        "by": person(row.by),
        "second": person(row.second),
    },
    says={Kind.RISK_ACCEPTED: _accepted},
    named=lambda row: f"Accepted risk at {row.gate}",
)


# Personal values ----------------------------------------------------------------------------------------------------


def _committed(said: Account, entry: Entry) -> None:
    for row in entry.commits:
        said.says(f"{row['path']} of entry {entry.seq}", commitment=row["commit"])


def _erased(said: Account, entry: Entry) -> None:
    if "path" in entry.body:
        said.ends(f"{entry.body['path']} of entry {entry.body['entry']}")


PRIVATE_VALUE = Rule(
    PrivateValue,
    "personal value",
    rows=lambda incident: incident.chain.private_values.all(),
    key=str,
    facts=lambda row: {
        "commitment": arithmetic.commitment(str(row.chain_id), row.path, bytes(row.salt), row.value),
    },
    says={Kind.ERASED: _erased},
    always=_committed,
    named=lambda row: f"Personal value {row}",
)

RULES = (ATTACHMENT, EXHIBIT, GATE, GATE_RUN, BASELINE_BLOCKER, ACCEPTED_RISK, PRIVATE_VALUE)
