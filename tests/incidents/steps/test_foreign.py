"""A foreign log kept as evidence is one entry, and so is a mark; both say enough to be checked without this portal."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from incidents.evidence import attachments, completeness
from incidents.evidence.foreign import DIALECTS, Code, Mode, Unreadable, check
from incidents.models import Attachment, EvidenceEntry, Incident
from incidents.steps import cleanup, foreign
from incidents.steps.base import Denied, Refused
from incidents.terms import Level, Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.evidence.foreign.writing import WRITERS, sha256, v1

pytestmark = pytest.mark.django_db
OUTPUT, LINKS = "cleanup:chain-output", "cleanup:incident-links"


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.PUBLIC_URL = "https://portal.example.org"


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def incident(crew: Crew) -> Incident:
    return make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)


def log_file(entries: Any, name: str = "evidence.json") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, json.dumps({"items": entries}).encode())


def kept(incident: Incident, by: Any, entries: Any, on: str = OUTPUT, **how: Any) -> EvidenceEntry:
    file = log_file(entries)
    verdict = foreign.checked(file, how.pop("mode", Mode.WHOLE), how.pop("anchor", ""))
    return foreign.keep(incident, file, verdict, on=on, by=by, **how)


def asked(entry: EvidenceEntry, **changes: Any) -> foreign.Mark:
    given = foreign.mark_of(
        entry.chain.incident,
        entry,
        workspace="ws-acme",
        correlation="corr-7",
        dialect=foreign.dialect_of(entry),
        head=entry.body["head"],
        runs=["run-1", " run-1 ", "", "run-9"],
        evidence=["evi-0002"],
    )
    return replace(given, **changes)


# Keeping --------------------------------------------------------------------------------------------------------------


def test_keeping_a_log_is_one_entry_one_file_and_one_piece_of_evidence(incident: Incident, crew: Crew) -> None:
    before, raw = incident.chain.seq, json.dumps({"items": v1(5)})
    lead = crew[Role.DATA_EVIDENCE_LEAD]

    entry = kept(incident, lead, v1(5))

    attachment, exhibit = incident.attachments.get(), incident.exhibits.get()
    assert (entry.seq, incident.chain.entries.count()) == (before + 1, before + 1)
    assert entry.actor == {"kind": "user", "id": str(lead.public_id), "role": "data_evidence_lead"}
    assert entry.sentence == "Foreign evidence log checked, intact: evidence.json"
    assert entry.body["sha256"] == attachment.sha256 == sha256(raw)
    assert {
        name: entry.body[name] for name in ("verdict", "dialect", "mode", "entries", "head", "found", "subject")
    } == {
        "verdict": "intact",
        "dialect": "portarium-v1",
        "mode": "whole",
        "entries": 5,
        "head": v1(5)[-1]["hashSha256"],
        "found": [],
        "subject": OUTPUT,
    }
    assert (exhibit.subject, exhibit.attachment, exhibit.by) == (OUTPUT, attachment, lead)
    assert exhibit.text.startswith("Intact. This log is whole and unchanged.\n5 entries, Portarium EvidenceEntryV1")
    with attachments.open(attachment) as stored:
        assert stored.read().decode() == raw
    assert completeness.check(incident) == []


def test_it_is_the_output_that_the_checklist_asks_for(incident: Incident, crew: Crew) -> None:
    area = incident.book.area("evidence")
    asked_for = "Evidence rollback safe: “Evidence chain verification output” is not attached."
    before = cleanup.missing(incident, area)

    kept(incident, crew[Role.DATA_EVIDENCE_LEAD], v1(3))

    after = cleanup.missing(Incident.objects.get(pk=incident.pk), area)
    assert (asked_for in before, asked_for in after) == (True, False)


def test_what_is_wrong_with_a_log_is_in_the_entry_and_in_the_evidence(incident: Incident, crew: Crew) -> None:
    entries = v1(60)
    for entry in entries[::2]:
        entry["summary"] = "Other"
    del entries[40]

    found = kept(incident, crew.commander, entries)

    assert found.body["found"] == [{"code": "tampered", "count": 29}, {"code": "missing_predecessor", "count": 1}]
    assert [one["code"] for one in found.body["findings"]].count("tampered") == 10
    assert "“evi-0041”" in incident.exhibits.get().text
    assert found.sentence == "Foreign evidence log checked, changed entry: evidence.json"


def test_a_fetched_log_says_where_it_comes_from(incident: Incident, crew: Crew) -> None:
    at = incident.declared_at

    entry = kept(incident, crew.commander, v1(2), source="https://api.example.org/evidence", collected_at=at)

    exhibit = incident.exhibits.get()
    assert (exhibit.source, exhibit.collected_at) == ("https://api.example.org/evidence", at)
    assert entry.body["source"] == "https://api.example.org/evidence"


@pytest.mark.parametrize("on", [OUTPUT, LINKS, "cleanup:repair-notes", "action:3d-chain", "action:3d-annotate"])
def test_what_it_can_be_kept_for(incident: Incident, crew: Crew, on: str) -> None:
    kept(incident, crew[Role.DATA_EVIDENCE_LEAD], v1(2), on)

    assert incident.exhibits.get().subject == on


@pytest.mark.parametrize(
    "on", ["", "cleanup:nothing", "action:3a-redeploy", "cleanup:rotation-log", "gate:ci", "x" * 300]
)
def test_nothing_is_kept_for_anything_else(incident: Incident, crew: Crew, on: str) -> None:
    before = incident.chain.entries.count()

    with pytest.raises(Refused):
        kept(incident, crew.commander, v1(2), on)

    assert (incident.chain.entries.count(), Attachment.objects.count()) == (before, 0)
    assert not default_storage.exists("evidence")


def test_a_runbook_without_those_keys_offers_what_it_has(incident: Incident) -> None:
    keys = [key for key, _ in foreign.subjects(incident)]

    assert foreign.offered(incident, OUTPUT) == OUTPUT
    assert foreign.offered(incident, "cleanup:other") == keys[0]


def test_only_the_commander_and_the_evidence_lead_keep_and_mark(incident: Incident, crew: Crew) -> None:
    entry = kept(incident, crew.commander, v1(2))

    for role in set(Role) - {Role.COMMANDER, Role.DATA_EVIDENCE_LEAD}:
        with pytest.raises(Denied, match="is for the Incident Commander or Data and Evidence Lead"):
            kept(incident, crew[role], v1(3))
        with pytest.raises(Denied, match="is for the Incident Commander or Data and Evidence Lead"):
            foreign.mark(incident, asked(entry), on=LINKS, by=crew[role])
    assert Attachment.objects.count() == 1


def test_the_same_form_sent_twice_is_one_act(incident: Incident, crew: Crew) -> None:
    first = kept(incident, crew.commander, v1(2))

    with pytest.raises(Refused, match="on record already"):
        kept(incident, crew.commander, v1(2))

    assert (incident.chain.entries.count(), incident.attachments.count()) == (first.seq, 1)
    assert kept(incident, crew.commander, v1(2), mode=Mode.SEGMENT).body["verdict"] == "segment_intact"


def test_a_file_that_is_not_the_one_that_was_checked_is_refused(incident: Incident, crew: Crew) -> None:
    verdict = foreign.checked(log_file(v1(2)), Mode.WHOLE, "")

    with pytest.raises(Refused, match="changed while it was read"):
        foreign.keep(incident, log_file(v1(3)), verdict, on=OUTPUT, by=crew.commander)

    assert (Attachment.objects.count(), incident.exhibits.count()) == (0, 0)


def test_an_ended_incident_keeps_nothing(crew: Crew) -> None:
    closed = make_incident(crew, at=Phase.CLOSED)

    with pytest.raises(Refused, match="it is closed"):
        kept(closed, crew.commander, v1(2))


def test_a_log_larger_than_a_file_may_be_is_a_sentence(incident: Incident, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 1024**2

    with pytest.raises(Unreadable, match="larger than 1 MB"):
        foreign.checked(log_file([row | {"note": "x" * 8000} for row in v1(200)]), Mode.WHOLE, "")


def test_ids_that_no_database_could_keep_are_kept_as_they_can_be_shown(incident: Incident, crew: Crew) -> None:
    entries = v1(2)
    entries[1] |= {"evidenceId": "evi-\x00\ud800", "workspaceId": "ws-\x00", "links": {"runId": "run-\x00"}}

    entry = kept(incident, crew.commander, entries)

    assert entry.body["findings"][0]["ids"] == ["evi-\ufffd\ufffd"]
    assert {"run": "run-\ufffd", "entries": 1} in entry.body["runs"]


# Marking --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", WRITERS)
def test_a_mark_is_one_entry_and_continues_the_log_it_is_for(incident: Incident, crew: Crew, dialect: str) -> None:
    entries = WRITERS[dialect](6)
    log = kept(incident, crew.commander, entries)

    entry = foreign.mark(incident, asked(log), on=LINKS, by=crew[Role.DATA_EVIDENCE_LEAD])

    appended, manifest = (read(row) for row in foreign.files_of(incident, entry))
    whole = check(log_file([*entries, json.loads(appended)]))
    assert (whole.code, whole.head) == (Code.INTACT, entry.body["hash"])
    assert entry.seq == log.seq + 1
    assert entry.body["manifest_sha256"] == sha256(manifest)
    assert entry.body["manifest_sha256"] in appended
    assert completeness.check(incident) == []


def test_a_mark_names_the_incident_the_manifest_and_what_is_affected(incident: Incident, crew: Crew) -> None:
    entries = v1(6)
    log = kept(incident, crew.commander, entries)

    entry = foreign.mark(incident, asked(log), on=LINKS, by=crew.commander)

    appended, manifest = (json.loads(read(row)) for row in foreign.files_of(incident, entry))
    url = f"https://portal.example.org/incidents/{incident.reference}/"
    assert appended["links"]["externalRefs"][0]["externalId"] == incident.reference
    assert appended["links"]["externalRefs"][0]["deepLinkUrl"] == manifest["incident"]["deepLinkUrl"] == url
    assert appended["payloadRefs"][0]["uri"] == f"{url}files/{entry.body['manifest_sha256']}/"
    assert (appended["previousHash"], appended["hashSha256"]) == (log.body["head"], entry.body["hash"])
    assert manifest["chain"]["sourceSha256"] == log.body["sha256"]
    assert manifest["runs"] == [
        {
            "runId": "run-1",
            "entries": [{"evidenceId": entries[n]["evidenceId"], "hash": entries[n]["hashSha256"]} for n in (1, 4)],
        },
        {"runId": "run-9", "entries": []},
    ]
    assert manifest["evidence"] == [{"evidenceId": "evi-0002", "hash": entries[2]["hashSha256"]}]
    assert (entry.body["says"], entry.body["runs"]) == ("2 runs and 1 entry affected", ["run-1", "run-9"])
    assert [row.subject for row in incident.exhibits.exclude(subject=OUTPUT)] == [LINKS, LINKS]


def read(attachment: Attachment) -> str:
    with attachments.open(attachment) as stored:
        return stored.read().decode()


def test_a_mark_never_bears_an_earlier_time_than_the_entry_it_follows(incident: Incident, crew: Crew) -> None:
    log = kept(incident, crew.commander, v1(2))
    ahead = asked(log, head_time="2999-01-01T00:00:00.000Z")
    nonsense = asked(log, head_time="zzz", runs=("run-2",))

    late = foreign.mark(incident, ahead, on=LINKS, by=crew.commander)
    usual = foreign.mark(incident, nonsense, on=LINKS, by=crew.commander)

    times = [json.loads(read(foreign.files_of(incident, entry)[0]))["occurredAtIso"] for entry in (late, usual)]
    assert times[0] == "2999-01-01T00:00:00.000Z"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", times[1])


def test_a_mark_for_a_log_that_nobody_kept_needs_its_last_hash(incident: Incident, crew: Crew) -> None:
    by_hand = foreign.Mark("ws-1", "corr-1", ("run-1",), (), DIALECTS["portarium-v1-prefixed"], "sha256:" + "ab" * 32)

    entry = foreign.mark(incident, by_hand, on=LINKS, by=crew.commander)

    assert entry.body["previous_hash"] == "sha256:" + "ab" * 32
    assert entry.body["source_sha256"] == ""


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"runs": (), "evidence": ()}, "Name at least one run or one entry"),
        ({"runs": tuple(map(str, range(1001)))}, "at most 1,000 runs and entries: this has 1,002"),
        ({"head": "abc"}, "is not one of this dialect"),
        ({"head": ""}, "is not one of this dialect"),
        ({"workspace": "ada@example.org"}, "holds an e-mail address"),
        ({"correlation": "a b"}, "is no id"),
        ({"evidence": ("ada@example.org",)}, "holds an e-mail address"),
    ],
)
def test_what_cannot_be_marked_is_a_sentence_and_stores_nothing(
    incident: Incident, crew: Crew, changes: dict[str, Any], sentence: str
) -> None:
    log = kept(incident, crew.commander, v1(2))

    with pytest.raises(Refused, match=sentence):
        foreign.mark(incident, asked(log, **changes), on=LINKS, by=crew.commander)

    assert (incident.attachments.count(), incident.chain.entries.count()) == (1, log.seq)


def test_the_same_mark_sent_twice_is_one_act(incident: Incident, crew: Crew) -> None:
    log = kept(incident, crew.commander, v1(2))
    first = foreign.mark(incident, asked(log), on=LINKS, by=crew.commander)

    with pytest.raises(Refused, match="on record already"):
        foreign.mark(incident, asked(log), on=LINKS, by=crew.commander)

    assert (incident.attachments.count(), incident.chain.entries.count()) == (3, first.seq)


def test_a_kept_log_whose_bytes_are_gone_cannot_be_looked_into(incident: Incident, crew: Crew) -> None:
    log = kept(incident, crew.commander, v1(2))
    default_storage.delete(attachments.path_of(log.body["sha256"]))

    with pytest.raises(Refused, match="cannot be read from the storage"):
        foreign.mark(incident, asked(log), on=LINKS, by=crew.commander)


def test_what_was_kept_and_marked_is_listed_newest_first(incident: Incident, crew: Crew) -> None:
    logs = [kept(incident, crew.commander, v1(length)) for length in (2, 3)]
    marks = [foreign.mark(incident, asked(log), on=LINKS, by=crew.commander) for log in logs]

    assert [entry.seq for entry in foreign.kept(incident)] == [log.seq for log in reversed(logs)]
    assert [entry.seq for entry in foreign.marks(incident)] == [mark.seq for mark in reversed(marks)]
