"""Who took which evidence away stands in a log of its own, an entry for each file, whoever they are and however."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile

from comms.models import Report, ReportState
from comms.reports import document, queue
from incidents import clock
from incidents.evidence import attachments, checkpoints, completeness, log
from incidents.models import Attachment, AuditGrant, EvidenceChain, Incident
from incidents.steps import cleanup
from incidents.terms import Kind, Phase, Role, ScanState
from tests.factories import Crew, make_incident
from tests.incidents.api.calling import act, by_role, calling, crew, static_folder
from tests.incidents.evidence.clamd import EICAR, SIGNATURE, clamd
from tests.incidents.views.pages import at, refusals, text_in, text_of

__all__ = ["act", "by_role", "calling", "crew", "static_folder"]

pytestmark = pytest.mark.django_db

NAME = "letter-of-jane-doe.txt"


@pytest.fixture
def incident(crew: Crew, settings: Any, tmp_path: Path) -> Incident:
    settings.MEDIA_ROOT = tmp_path
    return make_incident(crew, at=Phase.ROLLING_BACK)


@pytest.fixture
def file(incident: Incident, crew: Crew) -> Attachment:
    return attachments.store(incident, SimpleUploadedFile(NAME, b"repaired"), crew.commander)


@pytest.fixture
def report(incident: Incident) -> Report:
    """A report of the log as it stands, as the renderer leaves it."""
    made = queue.ask(incident.pk)
    content = b"%PDF-1.7 report"
    made.file.save(f"{incident.reference}.pdf", ContentFile(content), save=False)
    made.state, made.size, made.sha256 = ReportState.READY, len(content), hashlib.sha256(content).hexdigest()
    made.save()
    return made


def custody(incident: Incident) -> list[tuple[str | None, dict[str, Any]]]:
    """Who got what, as the custody log has it; and that it verifies."""
    chain = EvidenceChain.objects.filter(custody_of=incident).first()
    if chain is None:
        return []
    assert log.verify(chain).is_intact
    return [(entry.actor.get("id"), entry.body) for entry in chain.entries.filter(kind=Kind.HANDED_OUT)]


def body_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


# What is handed out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["page", "api"])
def test_a_file_that_is_handed_out_is_on_record_with_its_hash_and_without_its_name(
    incident: Incident, file: Attachment, crew: Crew, by_role: Callable[..., Any], way: str
) -> None:
    lead = crew[Role.SECURITY_LEAD]
    before = log.entries_of(incident).count()

    if way == "page":
        answer = at(incident, lead).open("attachment", file.sha256)
    else:
        answer = by_role(Role.SECURITY_LEAD).get(f"incidents/{incident.reference}/attachments/{file.pk}")

    assert body_of(answer) == b"repaired"
    assert custody(incident) == [
        (
            str(lead.public_id),
            {
                "sentence": f"File {file.sha256[:16]} handed out",
                "what": "attachment",
                "attachment": file.pk,
                "sha256": hashlib.sha256(b"repaired").hexdigest(),
                "size": 8,
            },
        )
    ]
    assert NAME not in incident.custody.entries.get().canonical
    assert log.entries_of(incident).count() == before


@pytest.mark.parametrize("way", ["page", "api"])
def test_the_log_that_is_handed_out_ends_with_the_entry_that_custody_names(
    incident: Incident, crew: Crew, by_role: Callable[..., Any], way: str
) -> None:
    lead = crew[Role.API_LEAD]
    if way == "page":
        answer = at(incident, lead).open("evidence_jsonl")
    else:
        answer = by_role(Role.API_LEAD).get(f"incidents/{incident.reference}/evidence.jsonl")
    make_later_entry(incident, crew)

    lines = body_of(answer).splitlines()

    [(who, body)] = custody(incident)
    assert (who, body["what"], body["entries"]) == (str(lead.public_id), "log", len(lines))
    assert body["head"] in lines[-1].decode()


def make_later_entry(incident: Incident, crew: Crew) -> None:
    said = {"sentence": "Written while the log is on its way"}
    log.append(incident.chain, Kind.NOTE_ADDED, at=clock.now(), actor=log.person(crew.commander), body=said)


@pytest.mark.parametrize("way", ["page", "api"])
def test_a_report_that_is_handed_out_is_on_record(
    incident: Incident, report: Report, crew: Crew, by_role: Callable[..., Any], way: str
) -> None:
    owner = crew[Role.COMMUNICATIONS_OWNER]
    if way == "page":
        answer = at(incident, owner).client.get(f"/incidents/{incident.reference}/report.pdf")
    else:
        answer = by_role(Role.COMMUNICATIONS_OWNER).get(f"incidents/{incident.reference}/report.pdf")

    assert body_of(answer) == b"%PDF-1.7 report"
    [(who, body)] = custody(incident)
    assert (who, body["what"], body["sha256"]) == (str(owner.public_id), "report", report.sha256)
    assert body["entries"] == report.evidence_seq


@pytest.mark.parametrize("way", ["page", "api"])
@pytest.mark.parametrize(
    ("name", "what"), [("report.md", "review"), ("followups.csv", "follow-ups"), ("followups.beads.jsonl", "beads")]
)
def test_an_export_is_on_record_with_its_hash(
    incident: Incident, crew: Crew, by_role: Callable[..., Any], name: str, what: str, way: str
) -> None:
    lead = crew[Role.API_LEAD]
    address = f"incidents/{incident.reference}/{name}"

    answer = by_role(Role.API_LEAD).get(address) if way == "api" else at(incident, lead).client.get(f"/{address}")

    assert answer.status_code == 200
    [(who, body)] = custody(incident)
    assert (who, body["what"]) == (str(lead.public_id), what)
    assert (body["sha256"], body["size"]) == (hashlib.sha256(answer.content).hexdigest(), len(answer.content))


@pytest.mark.parametrize("way", ["page", "api"])
def test_a_checkpoint_that_is_handed_out_is_on_record(
    incident: Incident, crew: Crew, by_role: Callable[..., Any], way: str
) -> None:
    signed = checkpoints.sign(incident.chain, "act")
    if way == "page":
        answer = at(incident, crew[Role.API_LEAD]).open("checkpoint_txt")
    else:
        answer = by_role(Role.API_LEAD).get(f"incidents/{incident.reference}/evidence/checkpoint")

    assert answer.status_code == 200
    [(_, body)] = custody(incident)
    assert (body["what"], body["entries"], body["head"]) == ("checkpoint", signed.size, signed.head)


@pytest.mark.parametrize("way", ["page", "api"])
def test_a_damaged_list_of_keys_is_told_and_nothing_is_handed_out(
    incident: Incident, crew: Crew, by_role: Callable[..., Any], settings: Any, tmp_path: Path, way: str
) -> None:
    checkpoints.sign(incident.chain, "act")
    settings.KEY_DIR = tmp_path
    (tmp_path / "verifiers.txt").write_text("no key at all\n")
    page = at(incident, crew[Role.API_LEAD])
    if way == "page":
        answers = [page.open("evidence"), page.client.get(f"/incidents/{incident.reference}/bundle.zip")]
    else:
        call = by_role(Role.API_LEAD)
        base = f"incidents/{incident.reference}"
        answers = [call.get(f"{base}/evidence/checkpoint"), call.get(f"{base}/bundle.zip")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert all("verifiers.txt cannot be used" in answer.content.decode() for answer in answers)
    assert custody(incident) == []


def test_each_hand_out_is_one_entry_and_an_auditor_is_a_person_like_any_other(
    incident: Incident, file: Attachment, crew: Crew
) -> None:
    AuditGrant.objects.create(user=crew.outsider, reason="Audit", expires_at=clock.now() + timedelta(days=1))
    for reader in (crew.commander, crew.outsider, crew.outsider):
        at(incident, reader).open("attachment", file.sha256)

    people = [crew.commander, crew.outsider, crew.outsider]
    assert [who for who, _ in custody(incident)] == [str(reader.public_id) for reader in people]


# What is not --------------------------------------------------------------------------------------------------------


def test_nothing_is_on_record_where_nothing_was_handed_out(
    incident: Incident, file: Attachment, crew: Crew, settings: Any
) -> None:
    visitor = at(incident, crew.commander)
    outsider = at(incident, crew.outsider)
    Path(settings.MEDIA_ROOT, attachments.path_of(file.sha256)).write_bytes(b"changed")

    answers = [
        visitor.open("attachment", file.sha256),
        visitor.open("attachment", "0" * 64),
        outsider.open("attachment", file.sha256),
        outsider.open("evidence_jsonl"),
        visitor.client.get(f"/incidents/{incident.reference}/report.pdf"),
        visitor.client.head(visitor.url("attachment", file.sha256)),
        visitor.client.head(visitor.url("evidence_jsonl")),
    ]

    assert [answer.status_code for answer in answers] == [410, 404, 404, 404, 302, 405, 405]
    assert custody(incident) == []


# What is said beside a file, and brought with it --------------------------------------------------------------------


def test_a_file_says_in_one_word_what_the_scanner_said(incident: Incident, crew: Crew, settings: Any) -> None:
    lead = at(incident, crew[Role.SECURITY_LEAD])
    lead.send("cleanup_area", "credentials", **{"rotation-log-file": SimpleUploadedFile("a.txt", b"one")})
    with clamd() as found:
        settings.CLAMD = found.address
        lead.send("cleanup_area", "credentials", **{"rotation-log-file": SimpleUploadedFile("b.txt", b"two")})
    lead.send("cleanup_area", "credentials", **{"rotation-log-file": SimpleUploadedFile("c.txt", b"three")})

    said = text_of(lead.open("cleanup_area", "credentials"))

    states = Attachment.objects.order_by("name").values_list("scan", flat=True)
    assert list(states) == [ScanState.NOT_SCANNED, ScanState.CLEAN, ScanState.UNANSWERED]
    for words in ("3 bytes · unscanned ·", "3 bytes · clean ·", "5 bytes · unanswered ·"):
        assert words in said


def test_a_page_and_the_api_refuse_what_the_scanner_finds(
    incident: Incident, crew: Crew, by_role: Callable[..., Any], settings: Any
) -> None:
    sentence = f"The virus scanner found {SIGNATURE} in this file: it is not kept."
    with clamd() as found:
        settings.CLAMD = found.address
        page = at(incident, crew[Role.SECURITY_LEAD]).send(
            "cleanup_area", "credentials", **{"rotation-log-file": SimpleUploadedFile("a.txt", EICAR)}
        )
        answer = by_role(Role.SECURITY_LEAD).upload(
            f"incidents/{incident.reference}/cleanup/evidence/rotation-log/file", SimpleUploadedFile("a.txt", EICAR)
        )

    assert refusals(page) == [sentence]
    assert (answer.status_code // 100, sentence in answer.content.decode()) == (4, True)
    assert Attachment.objects.count() == 0


def test_source_and_time_are_brought_on_the_page_shown_and_on_record(incident: Incident, crew: Crew) -> None:
    lead = at(incident, crew[Role.SECURITY_LEAD])
    slot = "rotation-log"

    lead.send(
        "cleanup_area",
        "credentials",
        **{
            f"{slot}-text": "All keys rotated",
            f"{slot}-source": "vault-1:/audit",
            f"{slot}-collected_at": "2026-01-02T03:04",
        },
    )

    exhibit = incident.exhibits.get()
    assert (exhibit.source, exhibit.collected_at.isoformat()) == ("vault-1:/audit", "2026-01-02T03:04:00+00:00")
    assert "from vault-1:/audit · taken 2 Jan 2026 03:04 UTC" in text_of(lead.open("cleanup_area", "credentials"))
    assert completeness.check(incident) == []


def test_an_origin_of_nothing_is_refused_with_what_is_missing(incident: Incident, crew: Crew) -> None:
    page = at(incident, crew[Role.SECURITY_LEAD]).send(
        "cleanup_area", "credentials", **{"rotation-log-source": "vault-1:/audit"}
    )

    assert "Bring the file, link or text that this is about." in text_of(page)
    assert incident.exhibits.count() == 0


def test_evidence_that_was_taken_in_the_future_is_refused(incident: Incident, by_role: Callable[..., Any]) -> None:
    answer = by_role(Role.SECURITY_LEAD).post(
        f"incidents/{incident.reference}/cleanup/evidence/rotation-log",
        {"text": "All keys rotated", "collected_at": "2099-01-01T00:00:00Z"},
    )

    assert answer.status_code == 409
    assert "2099-01-01 00:00 UTC is still to come" in answer.content.decode()


def test_source_and_time_are_brought_through_the_api_and_told_again(
    incident: Incident, by_role: Callable[..., Any]
) -> None:
    caller = by_role(Role.SECURITY_LEAD)
    path = f"incidents/{incident.reference}/cleanup/evidence/rotation-log"
    said = {"source": "vault-1:/audit", "collected_at": "2026-01-02T03:04:05Z"}

    made = caller.upload(f"{path}/file", SimpleUploadedFile("a.txt", b"rotated"), **said)

    [shown] = caller.get(f"incidents/{incident.reference}").json()["exhibits"]
    assert made.status_code == 201
    assert {name: shown[name] for name in said} == said
    assert (shown["file"]["scan"], shown["file"]["scan_note"]) == ("not_scanned", "")


def test_the_report_says_beside_a_file_what_the_scanner_said_and_where_it_came_from(
    incident: Incident, file: Attachment, crew: Crew
) -> None:
    cleanup.attach(
        incident,
        "cleanup:rotation-log",
        owner=Role.SECURITY_LEAD,
        by=crew[Role.SECURITY_LEAD],
        attachment=file,
        source="vault-1:/audit",
        collected_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )

    said = text_in(document.written(incident).html)

    assert f"file {NAME}" in said
    assert "8 bytes, unscanned" in said
    assert "from vault-1:/audit, taken 2 Jan 2026, 03:04 UTC" in said.replace("\N{NO-BREAK SPACE}", " ")
