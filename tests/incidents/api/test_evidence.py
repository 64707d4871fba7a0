"""The log exported and verified, and files brought as evidence and read back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from incidents.evidence import attachments, chain, checkpoints, keys, triggers
from incidents.models import Attachment
from incidents.terms import Kind, Phase
from tests.factories import Crew, cut, make_incident, tamper

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def files(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def test_the_exported_log_verifies_by_itself(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew, at=Phase.TARGETED)

    answer = by_role("security_lead").get(f"incidents/{incident.reference}/evidence.jsonl")

    assert answer.streaming
    assert answer["Content-Type"] == "application/x-ndjson"
    lines = b"".join(answer).splitlines()
    verdict = chain.verify(chain.read_jsonl(lines))
    incident.chain.refresh_from_db()
    assert (verdict.is_intact, verdict.count, verdict.head) == (True, incident.chain.seq, incident.chain.hash)


def test_a_changed_entry_is_found_at_its_place(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew, at=Phase.TARGETED)
    triggers.drop(connection)
    tamper(incident, 3)

    answer = by_role("security_lead").get(f"incidents/{incident.reference}/evidence/verify").json()

    assert (answer["intact"], answer["entries"], answer["broken_at"]) == (False, 2, 3)
    assert answer["reason"] == "Entry 3 was changed after it was written."


def test_a_checkpoint_that_was_kept_tells_what_was_cut(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew)
    found = checkpoints.sign(incident.chain, "test")
    assert found
    asked = {"checkpoints": [found.note, "nonsense"]}
    path = f"incidents/{incident.reference}/evidence/verify"
    before = by_role("security_lead").post(path, asked).json()
    cut(incident, found.size - 1)

    after = by_role("security_lead").post(path, asked).json()

    assert ([one["match"] for one in before["compared"]], before["code"]) == (["holds"], 3)
    assert ([one["match"] for one in after["compared"]], after["code"], after["intact"]) == (["cut"], 2, True)
    assert after["compared"][0]["sentence"].startswith(f"Entry {found.size} was cut off")
    assert after["unsigned"] == ["This is no signed note: text, a blank line and signatures are expected."]


def test_a_row_that_no_entry_explains_is_named(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew, at=Phase.TARGETED)
    incident.targets.update(identifier="slipped in")

    answer = by_role("security_lead").get(f"incidents/{incident.reference}/evidence/verify").json()

    assert (answer["intact"], answer["code"]) == (True, 1)
    assert any("slipped in" in gap for gap in answer["gaps"])


def test_a_key_that_is_none_is_refused(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew)

    answer = by_role("security_lead").post(
        f"incidents/{incident.reference}/evidence/verify", {"checkpoints": [], "keys": ["x"]}
    )

    assert answer.status_code == 409
    assert "no verifier key" in answer.content.decode()


def test_the_last_checkpoint_is_handed_out_with_the_keys(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew)
    path = f"incidents/{incident.reference}/evidence/checkpoint"
    nothing = by_role("security_lead").get(path)
    found = checkpoints.sign(incident.chain, "test")
    assert found

    answer = by_role("security_lead").get(path).json()

    assert nothing.status_code == 404
    assert (answer["note"], answer["size"]) == (found.note, found.size)
    assert answer["keys"] == [str(key) for key in keys.verifiers()]


@pytest.mark.parametrize(
    ("role", "path", "subject"),
    [
        ("data_evidence_lead", "cleanup/evidence/repair-notes", "cleanup:repair-notes"),
        ("security_lead", "rollback/actions/3e-revoke/evidence", "action:3e-revoke"),
        ("api_lead", "verify/gates/ci/evidence", "gate:ci"),
    ],
)
def test_a_file_is_stored_by_its_hash_and_read_back(
    crew: Crew, by_role: Callable[..., Any], files: Path, role: str, path: str, subject: str
) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    content = b"line\n" * 1000
    sha256 = hashlib.sha256(content).hexdigest()
    caller = by_role(role)

    made = caller.upload(
        f"incidents/{incident.reference}/{path}/file", SimpleUploadedFile("../../Notes ü.txt", content), text="Output"
    )

    assert made.status_code == 201
    entry = incident.chain.entries.last()
    assert (entry.kind, entry.body["sha256"], entry.body["file"]) == (Kind.EXHIBIT_ADDED, sha256, "Notes ü.txt")
    [shown] = caller.get(f"incidents/{incident.reference}").json()["exhibits"]
    assert (shown["id"], shown["subject"], shown["text"]) == (made.json()["id"], subject, "Output")
    assert (shown["file"]["name"], shown["file"]["size"], shown["file"]["sha256"]) == ("Notes ü.txt", 5000, sha256)
    assert [path.name for path in files.rglob("*") if path.is_file()] == [sha256]
    read = caller.get(shown["file"]["url"].partition("/api/v1/")[2])
    assert b"".join(read) == content
    assert read["Content-Disposition"] == "attachment; filename*=utf-8''Notes%20%C3%BC.txt"
    assert read["Content-Type"] == "application/octet-stream"
    assert read["Content-Length"] == "5000"
    assert read["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in read["Content-Security-Policy"]


def test_a_file_that_was_changed_is_not_handed_out(crew: Crew, by_role: Callable[..., Any], files: Path) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    attachment = attachments.store(incident, SimpleUploadedFile("a.txt", b"as it was"), crew.commander)
    (files / attachments.path_of(attachment.sha256)).write_bytes(b"as it is!")

    answer = by_role("commander").get(f"incidents/{incident.reference}/attachments/{attachment.pk}")

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:lastgood:damaged")
    assert "is not what was uploaded any more" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [(b"", 422, "The file is empty."), (b"x" * 1001, 413, "A file may hold at most 1000 bytes: link to larger ones.")],
)
def test_a_file_beyond_the_limits_is_refused_in_a_sentence(
    crew: Crew, by_role: Callable[..., Any], settings: Any, files: Path, content: bytes, status: int, says: str
) -> None:
    settings.UPLOAD_MAX_BYTES = 1000
    incident = make_incident(crew, at=Phase.ROLLING_BACK)

    answer = by_role("data_evidence_lead").upload(
        f"incidents/{incident.reference}/cleanup/evidence/repair-notes/file", SimpleUploadedFile("a", content)
    )

    assert answer.status_code == status
    assert says in answer.json()["detail"]
    assert not Attachment.objects.exists()
    assert not [path for path in files.rglob("*") if path.is_file()]


def test_a_file_nobody_may_bring_now_is_not_stored(crew: Crew, by_role: Callable[..., Any], files: Path) -> None:
    incident = make_incident(crew)
    path = f"incidents/{incident.reference}/cleanup/evidence/repair-notes/file"

    answers = [
        by_role(role).upload(path, SimpleUploadedFile("a.txt", b"a")).status_code
        for role in ("api_lead", "data_evidence_lead")
    ]

    assert answers == [403, 409]
    assert not [path for path in files.rglob("*") if path.is_file()]


def test_cleanup_evidence_the_checklist_does_not_ask_for_is_404(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)

    answer = by_role("data_evidence_lead").post(
        f"incidents/{incident.reference}/cleanup/evidence/anything", {"text": "x"}
    )

    assert answer.status_code == 404


def test_evidence_that_shows_nothing_is_refused(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)

    answer = by_role("data_evidence_lead").post(f"incidents/{incident.reference}/cleanup/evidence/repair-notes", {})

    assert (answer.status_code, answer.json()["blockers"]) == (409, ["Give a file, a link or a text."])
