"""The evidence bundle with its updates: whole, by page and by API, on record, and a witness of what was cut."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from comms import bundle
from comms.models import Delivery, Notice
from incidents.evidence import checkpoints, keys, log
from incidents.evidence.bundle import Wanted, verify
from incidents.models import AuditGrant, Checkpoint, EvidenceChain, Incident
from incidents.steps import declare
from incidents.terms import NoticeKind, Phase, Role
from tests.comms.world import arrive, eventful_incident, issue, told_crew
from tests.factories import Crew, UserFactory, cut, make_incident
from tests.incidents.api.calling import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_files(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.KEY_DIR = tmp_path / "media", tmp_path / "keys"


def files(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def checked(content: bytes, *kept: tuple[str, bytes]) -> verify.Check:
    known = [verify.read_key(str(keys.verifiers()[0]))]
    return verify.Check(verify.Zip(io.BytesIO(content)), kept, known).run()


def told(crew: Crew) -> Incident:
    """An incident with an update that arrived."""
    incident = make_incident(crew)
    arrive(issue(incident, crew, NoticeKind.A))
    return incident


def page(incident: Incident, query: str = "") -> str:
    return f"/incidents/{incident.reference}/bundle.zip{query}"


# What is in it ------------------------------------------------------------------------------------------------------


def test_a_whole_incident_holds_with_all_that_was_said(crew: Crew) -> None:
    incident = eventful_incident(crew)

    content = bundle.build(incident, Wanted(private=True, names=True)).file.read()

    found, check = files(content), checked(content)
    assert (check.code, check.findings) == (0, [])
    assert sorted(path for path in found if path.startswith("notices/")) == [
        "notices/001-A.txt",
        "notices/001-A/1.eml",
        "notices/001-A/2.eml",
        "notices/002-B.txt",
        "notices/002-B/1.eml",
        "notices/002-B/2.eml",
        "notices/003-C.txt",
        "notices/003-C/1.eml",
        "notices/003-C/2.eml",
    ]
    notice = Notice.objects.get(kind="B")
    assert found["notices/002-B.txt"].decode() == f"{notice.subject}\n\n{notice.body}"
    assert hashlib.sha256(found["notices/002-B.txt"]).hexdigest() == notice.words_sha256
    assert {found[f"notices/002-B/{place}.eml"] for place in (1, 2)} == {
        bytes(copy.content) for copy in notice.deliveries.all()
    }


def test_mails_and_addresses_stay_out_of_it_unless_asked_for(crew: Crew) -> None:
    incident = told(crew)

    found = files(bundle.build(incident).file.read())

    assert [path for path in found if path.startswith("notices/")] == ["notices/001-A.txt"]
    assert b"ops@example.test" not in b"".join(found.values())


def test_a_copy_that_no_server_takes_has_no_mail_and_breaks_nothing() -> None:
    crew = told_crew("ops@example.test", "no mailbox")
    incident = told(crew)

    content = bundle.build(incident, Wanted(private=True)).file.read()

    assert checked(content).findings == []
    assert len([path for path in files(content) if path.endswith(".eml")]) == 1


def test_words_that_were_changed_after_they_were_issued_are_found(crew: Crew) -> None:
    incident = told(crew)
    Notice.objects.update(body="We never said so.")
    Delivery.objects.filter(email="ops@example.test").update(content=b"Nor to you.")

    check = checked(bundle.build(incident, Wanted(private=True)).file.read())

    seq = incident.chain.entries.get(kind="notice.issued").seq
    assert (check.code, check.broken_at) == (1, seq)
    assert f"notices/001-A.txt does not hold the words that entry {seq} issued." in {
        finding.sentence for finding in check.findings
    }
    assert sum(f"is not the mail that entry {seq} issued" in finding.sentence for finding in check.findings) == 1


@pytest.mark.django_db(transaction=True)
def test_one_old_mail_tells_of_a_bundle_made_after_the_log_was_cut(settings: Any, tmp_path: Path) -> None:
    crew = told_crew()
    incident = told(crew)
    mail = ("old.eml", bytes(Delivery.objects.filter(notice__incident=incident)[0].content))
    size = Checkpoint.objects.get(chain=incident.chain).size
    intact = checked(bundle.build(incident).file.read(), mail)
    cut(incident, size - 2)
    Checkpoint.objects.all().delete()
    settings.WITNESS_DIR = tmp_path / "elsewhere"

    unseen = checked(bundle.build(incident).file.read())
    seen = checked(bundle.build(incident).file.read(), mail)

    assert (intact.code, unseen.code, seen.code) == (0, 0, 2)
    assert [held.sentence for held in seen.checkpoints] == [
        f"Entries {size - 1} to {size} were cut off: {size} entries were signed, {size - 2} are there."
    ]


def test_the_portals_own_verifier_comes_to_the_same(crew: Crew) -> None:
    incident = told(crew)
    checkpoints.sign(incident.chain, "test")
    note = incident.chain.checkpoints.latest("size").note

    call_command("verify_evidence", incident.reference)

    check = checked(bundle.build(incident).file.read(), ("note.txt", note.encode()))
    assert (check.code, check.log.count, check.log.head) == (0, incident.chain.seq, incident.chain.hash)


# Taking it away -----------------------------------------------------------------------------------------------------


def test_it_is_a_file_and_its_taking_is_on_record(crew: Crew, signed_in: Callable[[Any], Client]) -> None:
    incident = told(crew)

    answer = signed_in(crew.commander).get(page(incident))

    content = answer.getvalue()
    assert answer["Content-Disposition"] == f'attachment; filename="{incident.reference}-bundle.zip"'
    assert (answer["Content-Type"], answer["Content-Length"]) == ("application/zip", str(len(content)))
    assert answer["Cache-Control"] == "private, no-store"
    assert checked(content).code == 0
    [entry] = EvidenceChain.objects.get(custody_of=incident).entries.all()
    incident.chain.refresh_from_db()
    assert entry.actor == {"kind": "user", "id": str(crew.commander.public_id)}
    assert entry.body == {
        "sentence": f"Evidence bundle up to entry {incident.chain.seq} handed out",
        "what": "bundle",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "entries": incident.chain.seq,
        "private": False,
        "names": False,
    }


def test_who_took_it_before_stands_in_the_next_one(crew: Crew) -> None:
    incident = told(crew)
    first = bundle.hand_out(incident, Wanted(), by=crew.commander)

    content = bundle.hand_out(incident, Wanted(names=True), by=crew[Role.API_LEAD]).file.read()

    custody = EvidenceChain.objects.get(custody_of=incident)
    assert checked(content).code == 0
    assert files(content)["custody.jsonl"] == b"".join(log.jsonl(custody, until=1))
    assert first.sha256.encode() in files(content)["custody.jsonl"]
    assert custody.entries.get(seq=2).sentence.endswith("handed out, with names")


@pytest.mark.parametrize("role", Role)
def test_personal_values_leave_with_those_who_may_erase_them(
    crew: Crew, signed_in: Callable[[Any], Client], role: Role
) -> None:
    incident = told(crew)
    declare.add_note(incident, by=crew.commander, text="Call Ada: 555 01", personal=True)
    may = role in (Role.COMMANDER, Role.SECURITY_LEAD)

    answer = signed_in(crew[role]).get(page(incident, "?private=1&people=names"))

    assert answer.status_code == (200 if may else 403)
    assert EvidenceChain.objects.filter(custody_of=incident).exists() == may
    if may:
        content = answer.getvalue()
        assert b"555 01" in files(content)["private.jsonl"]
        assert checked(content).code == 0
        assert (
            EvidenceChain.objects.get(custody_of=incident)
            .entries.get()
            .sentence.endswith("with personal values and names")
        )


def test_whoever_may_not_know_of_the_incident_gets_nothing(crew: Crew, signed_in: Callable[[Any], Client]) -> None:
    incident = told(crew)

    assert signed_in(crew.outsider).get(page(incident)).status_code == 404
    assert Client().get(page(incident)).status_code == 302
    assert not EvidenceChain.objects.filter(custody_of=incident).exists()


def test_an_auditor_takes_it_without_personal_values(crew: Crew, signed_in: Callable[[Any], Client]) -> None:
    incident, auditor = told(crew), UserFactory()
    AuditGrant.objects.create(user=auditor, granted_by=crew.commander, expires_at="2099-01-01T00:00:00Z")

    assert signed_in(auditor).get(page(incident)).status_code == 200
    assert signed_in(auditor).get(page(incident, "?private=1")).status_code == 403


def test_the_api_gives_the_same(crew: Crew, calling: Callable[..., Caller]) -> None:
    incident = make_incident(crew, at=Phase.CLOSED)
    path = f"incidents/{incident.reference}/bundle.zip"
    commander, lead = calling(crew.commander), calling(crew[Role.API_LEAD])

    plain, full = commander.get(path), commander.get(path, private="true", people="names")

    assert (plain.status_code, plain["Content-Type"]) == (200, "application/zip")
    assert checked(plain.getvalue()).code == 0
    found = files(full.getvalue())
    assert {"private.jsonl", "people.json", "custody.jsonl"} <= found.keys()
    assert lead.get(path).status_code == 200
    assert lead.get(path, private="true").status_code == 403
    assert commander.get(path, people="everybody").status_code == 422
    assert calling(crew.outsider).get(path).status_code == 404


def test_the_evidence_page_leads_to_it(crew: Crew, signed_in: Callable[[Any], Client]) -> None:
    incident = told(crew)

    html = signed_in(crew.commander).get(f"/incidents/{incident.reference}/evidence/").content.decode()

    assert f'href="{page(incident)}"' in html
