"""What marks affected runs: a log of any dialect is still whole with it; Portarium's privacy rule holds."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.evidence.foreign import DIALECTS, Code, check, marking
from incidents.evidence.foreign.marking import Marking
from tests.incidents.evidence.foreign.writing import WRITERS, compact, content, sha256, v1

URI = "https://portal.example.org/incidents/RB-2026-0007/files/ab/"


def file_of(value: Any) -> io.BytesIO:
    return io.BytesIO(json.dumps(value).encode())


def given_(dialect: str = "portarium-v1", before: str | None = "ab" * 32, **facts: Any) -> Marking:
    return replace(
        Marking(
            incident="RB-2026-0007",
            url="https://portal.example.org/incidents/RB-2026-0007/",
            at="2026-03-01T03:12:07.123Z",
            workspace="ws-acme",
            correlation="corr-7",
            dialect=DIALECTS[dialect],
            before=before,
            runs={"run-1": {"evi-0001": "aa" * 32}, "run-0": {}},
            evidence={"evi-0009": "", "evi-0002": "bb" * 32},
            source_sha256="cc" * 32,
        ),
        **facts,
    )


def annotated(given: Marking) -> dict[str, Any]:
    digest = sha256(marking.manifest(given).decode())
    return marking.annotate(given, evidence_id="evi-mark", manifest_uri=URI, manifest_sha256=digest)


@pytest.mark.parametrize("dialect", WRITERS)
def test_a_log_with_its_mark_appended_is_whole_and_ends_with_it(dialect: str) -> None:
    entries = WRITERS[dialect](4)
    before = check(file_of(entries))

    entry = annotated(given_(dialect, before.head))
    after = check(file_of([*entries, json.loads(marking.line(entry))]))

    assert (after.code, after.head_id, after.dialect.key, after.entries) == (Code.INTACT, "evi-mark", dialect, 5)
    assert after.head == entry[DIALECTS[dialect].hash]


@pytest.mark.parametrize("dialect", WRITERS)
def test_a_mark_may_begin_a_log(dialect: str) -> None:
    entry = annotated(given_(dialect, None))

    assert check(file_of([entry])).code == Code.INTACT


def test_the_entry_says_what_portarium_asks_for() -> None:
    given = given_()

    entry = annotated(given)

    hashed = {name: value for name, value in entry.items() if name != "hashSha256"}
    manifest = sha256(marking.manifest(given).decode())
    assert entry == {
        "schemaVersion": 1,
        "evidenceId": "evi-mark",
        "workspaceId": "ws-acme",
        "correlationId": "corr-7",
        "occurredAtIso": "2026-03-01T03:12:07.123Z",
        "category": "System",
        "summary": f"2 runs and 2 entries affected by incident RB-2026-0007; manifest SHA-256 {manifest}",
        "actor": {"kind": "Machine", "machineId": "lastgood"},
        "links": {
            "externalRefs": [
                {
                    "sorName": "Lastgood",
                    "portFamily": "MonitoringIncident",
                    "externalId": "RB-2026-0007",
                    "externalType": "Incident",
                    "displayLabel": "RB-2026-0007",
                    "deepLinkUrl": "https://portal.example.org/incidents/RB-2026-0007/",
                }
            ]
        },
        "payloadRefs": [{"kind": "Artifact", "uri": URI, "contentType": "application/json", "sha256": manifest}],
        "previousHash": "ab" * 32,
        "hashSha256": sha256(compact(hashed, sort=True)),
    }
    assert json.loads(marking.line(entry)) == entry
    assert marking.line(entry).endswith(b"}\n")


def test_the_manifest_is_canonical_and_lists_what_is_affected_with_the_hashes_that_are_known() -> None:
    raw = marking.manifest(given_())

    assert raw.decode() == compact(json.loads(raw), sort=True)
    assert json.loads(raw) == {
        "schemaVersion": 1,
        "kind": "AffectedEvidence",
        "incident": {
            "sorName": "Lastgood",
            "externalId": "RB-2026-0007",
            "deepLinkUrl": "https://portal.example.org/incidents/RB-2026-0007/",
        },
        "workspaceId": "ws-acme",
        "correlationId": "corr-7",
        "createdAtIso": "2026-03-01T03:12:07.123Z",
        "chain": {"dialect": "portarium-v1", "headHash": "ab" * 32, "sourceSha256": "cc" * 32},
        "runs": [
            {"runId": "run-0", "entries": []},
            {"runId": "run-1", "entries": [{"evidenceId": "evi-0001", "hash": "aa" * 32}]},
        ],
        "evidence": [{"evidenceId": "evi-0002", "hash": "bb" * 32}, {"evidenceId": "evi-0009"}],
    }


@given(st.permutations(["run-0", "run-1", "run-2"]))
def test_the_order_in_which_things_are_named_does_not_change_the_manifest(runs: list[str]) -> None:
    assert marking.manifest(given_(runs={run: {} for run in runs})) == marking.manifest(
        given_(runs={"run-0": {}, "run-1": {}, "run-2": {}})
    )


def test_hashes_are_looked_up_in_a_log() -> None:
    entries = v1(5)

    found = marking.known(file_of(entries), DIALECTS["portarium-v1"], ["run-1", "run-9"], ["evi-0002", "evi-0077"])

    hashes = {entry["evidenceId"]: entry["hashSha256"] for entry in entries}
    assert found.runs == {"run-1": {name: hashes[name] for name in ("evi-0001", "evi-0004")}, "run-9": {}}
    assert found.evidence == {"evi-0002": hashes["evi-0002"], "evi-0077": ""}


def test_a_log_with_more_affected_entries_than_a_manifest_lists_stops_there() -> None:
    entries = [content(n) | {"links": {"runId": "run-1"}, "hashSha256": f"{n}" * 64} for n in range(9)]

    found = marking.known(file_of(entries), DIALECTS["portarium-v1"], ["run-1"], [], most=3)

    assert len(found.runs["run-1"]) == 3


@pytest.mark.parametrize(
    ("facts", "uri", "sentence"),
    [
        ({"workspace": "ada@example.org"}, URI, "The workspace id “ada@example.org” holds an e-mail address"),
        (
            {"correlation": "x-ADA@EXAMPLE.ORG-y"},
            URI,
            "The correlation id “x-ADA@EXAMPLE.ORG-y” holds an e-mail address",
        ),
        ({"runs": {"ada@example.org": {}}}, URI, "The run id “ada@example.org” holds an e-mail address"),
        ({"evidence": {"ada@example.org": ""}}, URI, "The evidence id “ada@example.org” holds an e-mail address"),
        ({"workspace": ""}, URI, "The workspace id “” is no id"),
        ({"correlation": "two words"}, URI, "The correlation id “two words” is no id"),
        ({"evidence": {"x" * 201: ""}}, URI, "is no id"),
        ({"runs": {"run\x00": {}}}, URI, "is no id"),
        ({}, f"{URI}?token=1", "The address of the manifest must have no ? and no #."),
        ({}, f"{URI}#top", "The address of the manifest must have no ? and no #."),
    ],
)
def test_the_privacy_rule_of_portarium_holds(facts: dict[str, Any], uri: str, sentence: str) -> None:
    found = marking.faults(given_(**facts), uri)

    assert len(found) == 1
    assert sentence in found[0]


def test_a_mark_in_order_has_no_faults() -> None:
    assert marking.faults(given_(), URI) == []


@pytest.mark.parametrize(
    ("runs", "evidence", "words"),
    [
        (1, 0, "1 run affected"),
        (0, 1, "1 entry affected"),
        (2, 1, "2 runs and 1 entry affected"),
        (0, 1200, "1,200 entries affected"),
    ],
)
def test_the_summary_counts(runs: int, evidence: int, words: str) -> None:
    given = given_(runs={str(n): {} for n in range(runs)}, evidence=dict.fromkeys(map(str, range(evidence)), ""))

    assert given.summary == f"{words} by incident RB-2026-0007"
