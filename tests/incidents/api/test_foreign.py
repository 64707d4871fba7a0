from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from incidents.models import Attachment, Incident
from incidents.terms import Level, Phase
from tests.factories import Crew, make_incident
from tests.incidents.connectors.servers import Answer, Receiver
from tests.incidents.evidence.foreign.writing import prefixed, sha256, v1

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def incident(crew: Crew) -> Incident:
    return make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)


@pytest.fixture
def upload(incident: Incident, by_role: Callable[..., Any]) -> Callable[..., Any]:
    """Send a log: `upload(entries, keep="false")`."""

    def send(entries: Any, role: str = "data_evidence_lead", **fields: str) -> Any:
        raw = entries if isinstance(entries, bytes) else json.dumps({"items": entries}).encode()
        path = f"incidents/{incident.reference}/foreign/verify"
        return by_role(role).upload(path, SimpleUploadedFile("log.json", raw), **fields)

    return send


@pytest.fixture
def post(incident: Incident, by_role: Callable[..., Any]) -> Callable[..., Any]:
    def send(path: str, body: dict[str, Any]) -> Any:
        return by_role("data_evidence_lead").post(f"incidents/{incident.reference}/foreign/{path}", body)

    return send


def test_a_log_is_verified_and_kept_in_one_call(incident: Incident, upload: Callable[..., Any]) -> None:
    raw = json.dumps({"items": v1(4)}).encode()

    answer = upload(raw)

    said = answer.json()
    assert answer.status_code == 201
    assert said["kept"] == {
        "reference": incident.reference,
        "phase": "rolling_back",
        "id": incident.chain.entries.count(),
        "evidence_seq": incident.chain.entries.count(),
        "evidence_sha256": incident.chain.entries.latest("seq").hash,
    }
    assert {name: said[name] for name in ("verdict", "mode", "dialect", "sha256", "entries", "head", "findings")} == {
        "verdict": "intact",
        "mode": "whole",
        "dialect": "portarium-v1",
        "sha256": sha256(raw.decode()),
        "entries": 4,
        "head": v1(4)[-1]["hashSha256"],
        "findings": [],
    }
    assert incident.exhibits.get().subject == "cleanup:chain-output"


def test_a_log_is_only_looked_at_when_asked_to(incident: Incident, upload: Callable[..., Any]) -> None:
    before = incident.chain.entries.count()
    entries = v1(5)
    entries[1] |= {"summary": "Other"}

    answer = upload(entries, keep="false", mode="segment")

    said = answer.json()
    assert (answer.status_code, said["kept"], said["verdict"], said["mode"]) == (200, None, "tampered", "segment")
    assert said["found"] == [{"code": "tampered", "count": 1}]
    assert said["findings"][0]["ids"] == ["evi-0001"]
    assert (incident.chain.entries.count(), Attachment.objects.count()) == (before, 0)


def test_it_is_kept_for_what_is_named(incident: Incident, upload: Callable[..., Any]) -> None:
    assert upload(v1(2), subject="action:3d-chain").status_code == 201
    assert incident.exhibits.get().subject == "action:3d-chain"
    assert upload(v1(3), subject="gate:ci").status_code == 409


@pytest.mark.parametrize(
    ("raw", "fields", "field"),
    [
        (b"hello", {}, "file"),
        (b"[]", {}, "file"),
        (b'[{"a": 1}]', {}, "file"),
        (b"[{}]", {"mode": "half"}, "form.mode"),
        (b"[{}]", {"anchor": "abc"}, "form.anchor"),
        (b"[{}]", {"keep": "perhaps"}, "form.keep"),
        (b"[{}]", {"owner": "me"}, "owner"),
        (b"[{}]", {"subject": "a\x00b"}, "form.subject"),
    ],
)
def test_what_is_no_log_is_422(upload: Callable[..., Any], raw: bytes, fields: dict[str, str], field: str) -> None:
    answer = upload(raw, **fields)

    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [field])


def test_the_same_log_twice_is_409(upload: Callable[..., Any]) -> None:
    assert [upload(v1(2)).status_code, upload(v1(2)).status_code] == [201, 409]


@pytest.fixture
def serving(settings: Any) -> Iterator[Receiver]:
    with closing(Receiver(Answer(body=json.dumps({"items": prefixed(3)}).encode()))) as server:
        settings.OUTBOUND_HOSTS = settings.OUTBOUND_PRIVATE_HOSTS = [f"127.0.0.1:{server.port}"]
        yield server


def test_a_log_is_fetched(incident: Incident, post: Callable[..., Any], serving: Receiver) -> None:
    url = f"http://127.0.0.1:{serving.port}/evidence"

    looked = post("fetch", {"url": url, "keep": False})
    kept = post("fetch", {"url": url, "token": "s3cr3t"})

    assert (looked.status_code, looked.json()["dialect"]) == (200, "portarium-v1-prefixed")
    assert kept.status_code == 201
    assert serving.heard[-1].headers["authorization"] == "Bearer s3cr3t"
    assert incident.exhibits.get().source == url


def test_an_address_that_is_not_allowed_is_422(post: Callable[..., Any]) -> None:
    answer = post("fetch", {"url": "https://169.254.169.254/latest"})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "url")
    assert "is not in LASTGOOD_OUTBOUND_HOSTS" in answer.json()["detail"]


def test_a_mark_takes_what_a_kept_log_knows(
    incident: Incident, upload: Callable[..., Any], post: Callable[..., Any], by_role: Callable[..., Any]
) -> None:
    log = upload(v1(5)).json()

    answer = post(
        "annotate", {"workspace": "ws-acme", "runs": ["run-1"], "evidence": ["evi-0002"], "log": log["kept"]["id"]}
    )

    said = answer.json()
    assert answer.status_code == 201
    assert said["entry"]["previousHash"] == log["head"]
    assert said["entry"]["correlationId"] == incident.reference
    assert said["entry"]["payloadRefs"][0]["sha256"] == said["manifest_file"]["sha256"]
    for name in ("entry_file", "manifest_file"):
        download = by_role("commander").get(said[name]["url"].partition("/api/v1/")[2])
        assert sha256(b"".join(download.streaming_content).decode()) == said[name]["sha256"]
    assert said["evidence_seq"] == said["id"] == incident.chain.entries.count()


def test_a_mark_by_hand_names_dialect_and_head(post: Callable[..., Any]) -> None:
    given = {"workspace": "ws-1", "evidence": ["evi-1"], "dialect": "portarium-v1-prefixed", "head": "ab" * 32}

    said = post("annotate", given).json()

    assert said["entry"]["previousHash"] == "sha256:" + "ab" * 32
    assert said["entry"]["hashSha256"].startswith("sha256:")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"workspace": "ws-1", "runs": ["a"]}, 422, "dialect"),
        ({"workspace": "ws-1", "runs": ["a"], "dialect": "latin"}, 422, "dialect"),
        ({"workspace": "ws-1", "runs": ["a"], "dialect": "portarium-v1"}, 422, "head"),
        ({"workspace": "ws-1", "runs": ["a"], "log": 999}, 422, "log"),
        ({"workspace": "ws-1", "runs": ["a"], "log": "1"}, 422, "body.log"),
        ({"runs": ["a"], "dialect": "portarium-v1", "head": "ab" * 32}, 422, "body.workspace"),
        ({"workspace": "ws-1", "runs": [""], "dialect": "portarium-v1", "head": "ab" * 32}, 422, "body.runs.0"),
        ({"workspace": "ws-1", "dialect": "portarium-v1", "head": "ab" * 32}, 409, ""),
        ({"workspace": "a@b.org", "runs": ["a"], "dialect": "portarium-v1", "head": "ab" * 32}, 409, ""),
    ],
)
def test_what_cannot_be_marked_says_why(
    incident: Incident, post: Callable[..., Any], body: dict[str, Any], status: int, field: str
) -> None:
    before = incident.chain.entries.count()

    answer = post("annotate", body)

    assert (answer.status_code, [error["field"] for error in answer.json().get("errors", [])]) == (
        status,
        [field] if field else [],
    )
    assert incident.chain.entries.count() == before


def test_only_two_roles_may(upload: Callable[..., Any]) -> None:
    assert {role: upload(v1(2), role, keep="false").status_code for role in ("commander", "api_lead")} == {
        "commander": 200,
        "api_lead": 403,
    }
