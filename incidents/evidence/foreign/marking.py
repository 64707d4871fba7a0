"""Marking what an incident affected: nothing old is touched, one entry is appended that names a hashed manifest.

Portarium's schema has no field for an incident. What fits is an entry of category System with an external reference to
the incident and a payload reference to the manifest; its privacy rule is Portarium's own (`evidence-privacy-v1`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from incidents.evidence.foreign import canonical
from incidents.evidence.foreign.dialects import EXPERIMENT, Dialect
from incidents.evidence.foreign.reading import Entry, Reader, run_of

SYSTEM = "Lastgood"
MACHINE = "lastgood"
MOST_LISTED = 20_000
_EMAIL = re.compile(r"\b[A-Z0-9._%+-]{1,64}@[A-Z0-9.-]{1,253}\.[A-Z]{2,63}\b", re.IGNORECASE)
_ID = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True)
class Marking:
    """What is marked, and in which log.

    Attributes:
        incident: the reference; `url` leads to it.
        at: when, as the log writes times.
        runs: the affected runs; by run, the id and hash of each entry that is known.
        evidence: the affected entries by id, with their hash where it is known.
        before: the hash that the new entry follows, None where it begins the log.
        source_sha256: of the file in which the hashes were found.
    """

    incident: str
    url: str
    at: str
    workspace: str
    correlation: str
    dialect: Dialect
    before: str | None
    runs: Mapping[str, Mapping[str, str]]
    evidence: Mapping[str, str]
    source_sha256: str = ""

    @property
    def counts(self) -> str:
        found = [_counted(len(self.runs), "run"), _counted(len(self.evidence), "entry", "entries")]
        return " and ".join(filter(None, found))

    @property
    def summary(self) -> str:
        return f"{self.counts} affected by incident {self.incident}"


@dataclass
class Known:
    """What a log knows of the affected ones: hashes by entry, and the entries of each run."""

    runs: dict[str, dict[str, str]] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)


def known(
    source: IO[bytes], dialect: Dialect, runs: Iterable[str], evidence: Iterable[str], most: int = MOST_LISTED
) -> Known:
    """Look the affected ones up in a log.

    Args:
        most: how many entries are listed at most.
    """
    found = Known({run: {} for run in runs}, dict.fromkeys(evidence, ""))
    listed = 0
    for entry in Reader(source):
        identity, stated = entry.get("evidenceId"), entry.get(dialect.hash)
        if not (isinstance(identity, str) and isinstance(stated, str) and listed < most):
            continue
        if identity in found.evidence:
            found.evidence[identity] = stated
            listed += 1
        if (run := run_of(entry)) in found.runs and _ID.fullmatch(identity):
            found.runs[run][identity] = stated
            listed += 1
    return found


def faults(marking: Marking, manifest_uri: str) -> list[str]:
    """Why this cannot stand in such a log, as sentences: Portarium's privacy rule, and ids that are none."""
    named = {"workspace id": [marking.workspace], "correlation id": [marking.correlation]}
    named |= {"run id": list(marking.runs), "evidence id": list(marking.evidence)}
    found = [
        f"The {what} “{value[:60]}” holds an e-mail address: use an opaque id."
        for what, values in named.items()
        for value in values
        if _EMAIL.search(value)
    ]
    found += [
        f"The {what} “{value[:60]}” is no id: 1 to 200 visible ASCII characters."
        for what, values in named.items()
        for value in values
        if not _ID.fullmatch(value)
    ]
    if "?" in manifest_uri or "#" in manifest_uri:
        found.append("The address of the manifest must have no ? and no #.")
    return found[:20]


def manifest(marking: Marking) -> bytes:
    """The list of what is affected, canonical JSON (RFC 8785): its SHA-256 stands in the appended entry."""
    runs = [
        {"runId": run, "entries": [_named(*row) for row in sorted(rows.items())]}
        for run, rows in sorted(marking.runs.items())
    ]
    return canonical.write(
        {
            "schemaVersion": 1,
            "kind": "AffectedEvidence",
            "incident": {"sorName": SYSTEM, "externalId": marking.incident, "deepLinkUrl": marking.url},
            "workspaceId": marking.workspace,
            "correlationId": marking.correlation,
            "createdAtIso": marking.at,
            "chain": {"dialect": marking.dialect.key, "headHash": marking.before or ""}
            | ({"sourceSha256": marking.source_sha256} if marking.source_sha256 else {}),
            "runs": runs,
            "evidence": [_named(*row) for row in sorted(marking.evidence.items())],
        }
    )


def annotate(marking: Marking, *, evidence_id: str, manifest_uri: str, manifest_sha256: str) -> Entry:
    """The entry to append, with its hash in the dialect of the log.

    Where the dialect does not hash its references, the manifest's hash stands in the summary, which it does.
    """
    if marking.dialect is EXPERIMENT:
        entry = _experiment_entry(marking, evidence_id, manifest_sha256)
    else:
        entry = _v1_entry(marking, evidence_id, manifest_uri, manifest_sha256)
    return entry | {marking.dialect.hash: marking.dialect.hash_of(entry)}


def line(entry: Entry) -> bytes:
    """The entry as one line of JSON, its fields in the order in which they are hashed."""
    return canonical.write(entry, canonical.as_inserted) + b"\n"


def _v1_entry(marking: Marking, evidence_id: str, uri: str, sha256: str) -> Entry:
    reference = {
        "sorName": SYSTEM,
        "portFamily": "MonitoringIncident",
        "externalId": marking.incident,
        "externalType": "Incident",
        "displayLabel": marking.incident,
        "deepLinkUrl": marking.url,
    }
    entry: dict[str, Any] = {
        "schemaVersion": 1,
        "evidenceId": evidence_id,
        "workspaceId": marking.workspace,
        "correlationId": marking.correlation,
        "occurredAtIso": marking.at,
        "category": "System",
        "summary": f"{marking.summary}; manifest SHA-256 {sha256}",
        "actor": {"kind": "Machine", "machineId": MACHINE},
        "links": {"externalRefs": [reference]},
        "payloadRefs": [{"kind": "Artifact", "uri": uri, "contentType": "application/json", "sha256": sha256}],
    }
    return entry | ({"previousHash": marking.before} if marking.before else {})


def _experiment_entry(marking: Marking, evidence_id: str, sha256: str) -> Entry:
    return {
        "evidenceId": evidence_id,
        "phase": "incident-marked",
        "atIso": marking.at,
        "summary": f"{marking.summary}; {marking.url}; manifest SHA-256 {sha256}",
        "previousHash": marking.before or EXPERIMENT.genesis,
    }


def _named(identity: str, hash_: str) -> dict[str, str]:
    return {"evidenceId": identity} | ({"hash": hash_} if hash_ else {})


def _counted(count: int, one: str, more: str = "") -> str:
    return f"{count:,} {one if count == 1 else more or f'{one}s'}" if count else ""
