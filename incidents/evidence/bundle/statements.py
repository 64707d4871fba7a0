"""Gate runs and actions as signed statements that other tools read (in-toto Statement v1 in a DSSE envelope).

Each rests on one entry of the log, which it names by number and hash: whoever checks the log has checked what the
statement says.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Any

from incidents import clock
from incidents.evidence.bundle.form import compact
from incidents.evidence.note import Signer
from incidents.models.evidence import EvidenceChain, EvidenceEntry
from incidents.models.incident import Incident
from incidents.models.rollback import Attempt
from incidents.models.target import Target
from incidents.models.verify import GateRun
from incidents.terms import Kind, TargetKind

PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
GATE_RUN = "urn:lastgood:gate-run:v1"
ACTION_ATTEMPT = "urn:lastgood:action-attempt:v1"
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_ENDS = {
    Kind.ACTION_SUCCEEDED: "succeeded",
    Kind.ACTION_FAILED: "failed",
    Kind.ACTION_UNKNOWN: "unknown",
    Kind.ACTION_CANCELLED: "cancelled",
    Kind.ACTION_RESOLVED: "",
}


def signed(incident: Incident, head: EvidenceChain, signer: Signer) -> Iterator[bytes]:
    """A line for each gate run that was recorded and each attempt that ended, in the order of their entries."""
    found = [*_gate_runs(incident, head), *_attempts(incident, head)]
    for _, statement in sorted(found, key=lambda pair: pair[0]):
        yield envelope(statement, signer)


def envelope(statement: dict[str, Any], signer: Signer) -> bytes:
    """The statement as one line, signed (DSSE v1)."""
    payload = compact(statement)
    signature = signer.private.sign(b"DSSEv1 %d %b %d %b" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload))
    key = signer.verifier
    return (
        compact(
            {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": PAYLOAD,
                "signatures": [
                    {"keyid": f"{key.name}+{key.id.hex()}", "sig": base64.b64encode(signature).decode()},
                ],
            }
        )
        + b"\n"
    )


def _entries(head: EvidenceChain, *kinds: Kind) -> Any:
    return head.entries.filter(kind__in=kinds, seq__lte=head.seq).order_by("seq").defer("canonical")


def _gate_runs(incident: Incident, head: EvidenceChain) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = GateRun.objects.filter(gate__incident=incident).select_related("gate", "target").defer("output")
    runs = {str(run.pk): run for run in rows}
    for entry in _entries(head, Kind.GATE_RECORDED):
        if run := runs.get(entry.body.get("run", "")):
            yield entry.seq, _statement(incident, run.target, GATE_RUN, _of_run(run, entry), entry)


def _of_run(run: GateRun, entry: EvidenceEntry) -> dict[str, Any]:
    return {
        "gate": {"key": run.gate.key, "name": run.gate.name, "owner": run.gate.owner},
        "run": str(run.pk),
        "outcome": entry.body["outcome"],
        "by_hand": bool(entry.body.get("by_hand")),
        "change_number": run.change_number,
        "asked_at": clock.stamp(run.asked_at),
        "recorded_at": clock.stamp(entry.at),
        "output_sha256": entry.body.get("output_sha256") or None,
    }


def _attempts(incident: Incident, head: EvidenceChain) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = Attempt.objects.filter(action__incident=incident).select_related("action", "target").defer("output")
    attempts = {str(attempt.pk): attempt for attempt in rows}
    # An outcome that was unknown first is settled by a later entry: the last one counts.
    ends = {entry.body.get("attempt"): entry for entry in _entries(head, *_ENDS)}
    for key, entry in ends.items():
        if attempt := attempts.get(key):
            said = _of_attempt(attempt, entry)
            yield entry.seq, _statement(incident, attempt.target, ACTION_ATTEMPT, said, entry)


def _of_attempt(attempt: Attempt, entry: EvidenceEntry) -> dict[str, Any]:
    action = attempt.action
    return {
        "action": {"key": action.key, "name": action.name, "track": action.track, "owner": action.owner},
        "attempt": str(attempt.pk),
        "number": attempt.number,
        "outcome": _ENDS[Kind(entry.kind)] or entry.body["state"],
        "by_hand": attempt.by_hand,
        "destructive": action.destructive,
        "spec_sha256": attempt.digest,
        "queued_at": clock.stamp(attempt.queued_at),
        "started_at": clock.stamp(attempt.started_at) if attempt.started_at else None,
        "ended_at": clock.stamp(entry.at),
        "output_sha256": entry.body.get("output_sha256") or None,
    }


def _statement(
    incident: Incident, target: Target, kind: str, said: dict[str, Any], entry: EvidenceEntry
) -> dict[str, Any]:
    rests_on = {"chain": str(entry.chain_id), "seq": entry.seq, "hash": entry.hash}
    return {
        "_type": STATEMENT,
        "subject": [{"name": f"{target.kind}:{target.identifier}", "digest": _digest(target)}],
        "predicateType": kind,
        "predicate": {"incident": incident.reference, "entry": rests_on, **said},
    }


def _digest(target: Target) -> dict[str, str]:
    """A whole commit hash as git knows it; of any other name, its SHA-256."""
    if target.kind == TargetKind.COMMIT and _COMMIT.fullmatch(target.identifier):
        return {"gitCommit": target.identifier}
    return {"sha256": hashlib.sha256(target.identifier.encode()).hexdigest()}
