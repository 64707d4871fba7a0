"""Making a bundle: what is in it, that the same state gives the same bytes, and that it is one moment's state."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import stat
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from incidents.evidence import attachments, bundle, checkpoints, keys, log
from incidents.evidence.bundle import Built, Part, Wanted, verify
from incidents.models import Incident
from incidents.steps import cleanup, declare, rollback, target
from incidents.terms import Aspect, Level, Phase, Role, TargetKind
from tests.factories import Crew, finish_action, make_crew, make_incident, tamper

pytestmark = pytest.mark.django_db
COMMIT = "dbe79f1c0ffee0000000000000000000000000aa"


@pytest.fixture(autouse=True)
def _own_files(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.KEY_DIR = tmp_path / "media", tmp_path / "keys"


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def files(built: Built) -> dict[str, bytes]:
    built.file.seek(0)
    with zipfile.ZipFile(io.BytesIO(built.file.read())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def verdict(built: Built) -> verify.Check:
    return verify.Check(verify.Zip(built.file), (), [verify.read_key(str(keys.verifiers()[0]))]).run()


def attach(incident: Incident, crew: Crew, name: str, content: bytes, **more: Any) -> Any:
    lead = crew[Role.DATA_EVIDENCE_LEAD]
    kept = attachments.store(incident, SimpleUploadedFile(name, content), lead)
    area = next(area for area in incident.book.cleanup if area.owner == Role.DATA_EVIDENCE_LEAD)
    on = cleanup.subject(area.evidence[0].key)
    cleanup.attach(incident, on, owner=area.owner, by=lead, attachment=kept, **more)
    return kept


def test_a_closed_incident_is_whole_and_holds(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.CLOSED, level=Level.L3)
    checkpoints.sign(incident.chain, "test")
    paths = sorted(path for path in files(bundle.build(incident)) if not path.startswith("checkpoints/"))

    found = verdict(bundle.build(incident))

    assert (found.code, found.findings, found.remarks) == (0, [], [])
    assert (found.log.count, found.log.head) == (incident.chain.seq, incident.chain.hash)
    assert paths == [
        "MANIFEST.json",
        "MANIFEST.note",
        "README.txt",
        "attachments.json",
        "entries.jsonl",
        "statements.jsonl",
        "verify.html",
        "verify.py",
        "vkey.txt",
    ]


def test_the_same_state_gives_the_same_bytes(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)
    checkpoints.sign(incident.chain, "test")

    first, second = (bundle.build(incident, Wanted(private=True, names=True)) for _ in range(2))

    assert first.file.read() == second.file.read()
    assert (first.sha256, first.size) == (second.sha256, second.size)
    first.file.seek(0)
    assert hashlib.sha256(first.file.read()).hexdigest() == first.sha256
    with zipfile.ZipFile(first.file) as archive:
        infos = archive.infolist()
    assert [info.filename for info in infos] == sorted(info.filename for info in infos)
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.external_attr >> 16 for info in infos} == {stat.S_IFREG | 0o644}


def test_the_manifest_lists_every_file_and_is_signed(crew: Crew) -> None:
    incident = make_incident(crew)

    found = files(bundle.build(incident))

    manifest = json.loads(found["MANIFEST.json"])
    head = incident.chain
    head.refresh_from_db()
    said = {name: manifest[name] for name in ("v", "incident", "product", "chain", "entries", "head")}
    assert said == {
        "v": 1,
        "incident": incident.reference,
        "product": incident.product.slug,
        "chain": str(head.pk),
        "entries": head.seq,
        "head": head.hash,
    }
    assert manifest["made_until"] == json.loads(found["entries.jsonl"].splitlines()[-1])["at"]
    assert manifest["files"] == [
        {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for path, content in sorted(found.items())
        if not path.startswith("MANIFEST")
    ]
    text, key = verify.opened(found["MANIFEST.note"].decode(), [verify.read_key(str(keys.verifiers()[0]))])
    assert text == f"{key.name}/bundle\n{hashlib.sha256(found['MANIFEST.json']).hexdigest()}\n"


def test_the_log_in_it_is_the_log_as_exported(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.TARGETED)

    assert files(bundle.build(incident))["entries.jsonl"] == b"".join(log.jsonl(incident.chain))


def test_keys_of_before_come_along_behind_the_one_in_use(crew: Crew) -> None:
    incident = make_incident(crew)
    checkpoints.sign(incident.chain, "test")
    old, new = keys.rotate()

    built = bundle.build(incident)

    assert files(built)["vkey.txt"].decode().split() == [str(new), str(old)]
    assert verify.Check(verify.Zip(built.file)).run().code == 0


def test_a_log_that_is_broken_is_handed_out_and_found_broken(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.TARGETED)
    tamper(incident, 3)

    found = verdict(bundle.build(incident))

    assert (found.code, found.broken_at) == (1, 3)


# Files --------------------------------------------------------------------------------------------------------------


def test_a_file_comes_under_its_hash_and_with_its_name(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    kept = attach(incident, crew, "check.log", b"All green\n")

    built = bundle.build(incident)

    found = files(built)
    assert found[f"attachments/{kept.sha256}"] == b"All green\n"
    assert json.loads(found["attachments.json"]) == [
        {"sha256": kept.sha256, "size": 10, "state": "present", "names": ["check.log"], "scans": [kept.scan]}
    ]
    assert verdict(built).code == 0


def test_a_damaged_file_and_an_erased_one_are_named(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    damaged = attach(incident, crew, "a.log", b"one")
    erased = attach(incident, crew, "b.log", b"two")
    default_storage.delete(attachments.path_of(damaged.sha256))
    type(erased).objects.filter(pk=erased.pk).update(erased_at=erased.uploaded_at)

    built = bundle.build(incident)

    found = files(built)
    states = {row["sha256"]: row["state"] for row in json.loads(found["attachments.json"])}
    assert states == {damaged.sha256: "damaged", erased.sha256: "erased"}
    assert not any(path.startswith("attachments/") for path in found)
    checked = verdict(built)
    assert checked.code == 0
    assert set(checked.remarks) == {f"attachments/{sha} is not here: {state}." for sha, state in states.items()}


def test_a_file_that_speaks_of_a_person_is_there_only_when_asked_for(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    kept = attach(incident, crew, "ada.pdf", b"Of Ada", personal=True)

    without, private = bundle.build(incident), bundle.build(incident, Wanted(private=True))

    assert (verdict(without).code, verdict(private).code) == (0, 0)
    assert b"ada.pdf" not in b"".join(files(without).values())
    assert b"Of Ada" not in b"".join(files(without).values())
    assert verdict(without).remarks == [f"attachments/{kept.sha256} is not here: withheld."]
    assert files(private)[f"attachments/{kept.sha256}"] == b"Of Ada"
    assert b"ada.pdf" in files(private)["attachments.json"]


# People -------------------------------------------------------------------------------------------------------------


def test_names_and_personal_values_are_there_by_choice_only(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.TARGETED)
    declare.add_note(incident, by=crew.commander, text="Call Ada: 555 01", personal=True)

    plain, full = (files(bundle.build(incident, wanted)) for wanted in (None, Wanted(private=True, names=True)))

    assert {"private.jsonl", "people.json"} & plain.keys() == set()
    everything = b"".join(plain.values())
    assert not any(person.name.encode() in everything for person in crew.people.values())
    assert b"555 01" not in everything
    assert json.loads(full["people.json"])[str(crew.commander.public_id)] == str(crew.commander)
    assert str(crew.outsider.public_id) not in json.loads(full["people.json"])
    assert [json.loads(line)["value"] for line in full["private.jsonl"].splitlines()] == ["Call Ada: 555 01"]
    assert verdict(bundle.build(incident, Wanted(private=True))).code == 0


# Statements ---------------------------------------------------------------------------------------------------------


def statements(found: dict[str, bytes]) -> list[dict[str, Any]]:
    lines = found["statements.jsonl"].splitlines()
    return [json.loads(base64.b64decode(json.loads(line)["payload"])) for line in lines]


def test_gate_runs_and_actions_are_statements_that_rest_on_their_entries(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.UNFREEZING)

    found = files(bundle.build(incident))

    said = statements(found)
    entries = {entry["seq"]: entry for entry in map(json.loads, found["entries.jsonl"].splitlines())}
    for one in said:
        rests_on = one["predicate"]["entry"]
        assert rests_on["hash"] == entries[rests_on["seq"]]["hash"]
        assert one["_type"] == "https://in-toto.io/Statement/v1"
        assert one["predicate"]["incident"] == incident.reference
    of_gates = [one["predicate"] for one in said if one["predicateType"] == "urn:lastgood:gate-run:v1"]
    of_actions = [one["predicate"] for one in said if one["predicateType"] == "urn:lastgood:action-attempt:v1"]
    assert {one["gate"]["key"]: one["outcome"] for one in of_gates} == dict.fromkeys(
        incident.gates.values_list("key", flat=True), "pass"
    )
    assert {one["action"]["key"]: (one["outcome"], one["by_hand"]) for one in of_actions} == {
        action.key: ("succeeded", True) for action in incident.actions.filter(attempts__isnull=False)
    }
    kinds = {entries[one["entry"]["seq"]]["entry"]["kind"] for one in [*of_gates, *of_actions]}
    assert kinds == {"gate.recorded", "action.succeeded"}


@pytest.mark.parametrize(
    ("kind", "identifier", "digest"),
    [
        (TargetKind.COMMIT, COMMIT, {"gitCommit": COMMIT}),
        (TargetKind.COMMIT, "dbe79f1", {"sha256": hashlib.sha256(b"dbe79f1").hexdigest()}),
        (TargetKind.BUILD, "1182", {"sha256": hashlib.sha256(b"1182").hexdigest()}),
    ],
)
def test_a_statement_is_about_the_target(crew: Crew, kind: TargetKind, identifier: str, digest: dict[str, str]) -> None:
    incident = make_incident(crew)
    target.choose(incident, kind=kind, identifier=identifier, reason="Last green", by=crew.commander)
    for aspect in Aspect:
        target.confirm(incident, aspect, by=crew[target.owner_of(incident, aspect)], note="Checked")
    rollback.make_plan(incident, by=crew.commander)
    finish_action(incident.actions.order_by("stage", "pk")[0], crew)

    [said] = statements(files(bundle.build(incident)))

    assert said["subject"] == [{"name": f"{kind}:{identifier}", "digest": digest}]


# One moment ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_what_is_written_while_it_is_made_is_not_in_it_and_waits_for_nobody() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    before = incident.chain.entries.count()

    def meanwhile(head: Any) -> Iterator[Part]:
        """Another person writes, in a connection of their own, while parts are being read."""

        def write() -> None:
            declare.add_note(incident, by=crew.commander, text="Written meanwhile", personal=True)
            checkpoints.sign(incident.chain, "meanwhile")
            connection.close()

        writer = threading.Thread(target=write)
        writer.start()
        writer.join(30)
        assert not writer.is_alive()
        yield Part("seen.txt", [f"{head.entries.count()} {head.checkpoints.count()}".encode()])

    built = bundle.build(incident, Wanted(private=True), meanwhile)

    found = files(built)
    assert found["seen.txt"] == f"{before} 0".encode()
    assert len(found["entries.jsonl"].splitlines()) == before
    assert b"meanwhile" not in found["private.jsonl"]
    assert incident.chain.entries.count() == before + 1
    assert not connection.in_atomic_block
