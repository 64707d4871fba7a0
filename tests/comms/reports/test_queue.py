"""A report's way: one for an entry of the log, rendered once, taken up again when its worker was lost."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.db.models import F
from pypdf import PdfReader

from comms import tasks
from comms.models import Report, ReportState
from comms.reports import document, queue
from comms.reports.request import once_more, request
from incidents import clock
from incidents.evidence import chain, log
from incidents.models import Incident
from incidents.steps import declare
from incidents.terms import Phase
from tests.comms.reports.reading import text_of
from tests.comms.world import eventful_incident
from tests.factories import Crew, make_incident, walk

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]


@pytest.fixture(autouse=True)
def _files_of_this_test(settings: object, tmp_path: object) -> None:
    settings.MEDIA_ROOT = tmp_path


def lose(report: Report) -> None:
    """The worker is gone and its lease has ended."""
    Report.objects.filter(pk=report.pk).update(lease_until=F("lease_until") - timedelta(hours=1))
    queue.take_back()
    report.refresh_from_db()


@pytest.mark.one_engine
def test_the_report_of_a_closed_incident_can_be_read_back(crew: Crew) -> None:
    incident = eventful_incident(crew)
    report = queue.ask(incident.pk)

    queue.run(report.pk)

    report.refresh_from_db()
    with report.file.open("rb") as file:
        content = file.read()
    text = text_of(content)
    assert (report.state, report.problem) == (ReportState.READY, "")
    assert (report.size, report.pages) == (len(content), text.count(f"/ {report.pages}") + 1)
    for said in (
        "Hash-chain gap after projection migration 0412",
        f"{incident.reference} · Portarium",
        "L3 Code, data, evidence and credentials",
        f"{log.entries_of(incident).count()} entries, each bound to the one before it by SHA-256",
        "Incident Commander Principal Engineer Declares rollback mode and coordinates decisions Mara Lind",
        "Freeze new bead claims for implementation work (allow only rollback and incident beads).",
        "Preserve append-only evidence history; do not rewrite immutable records.",
        "Attempt 1 failed.",
        "Known baseline blocker",
        "Portarium rollback complete - controlled unfreeze",
        "Lock the head row in every migration",
        "13:14:05",
        "Inês Duarte",
    ):
        assert said in text


def test_the_report_carries_the_log_that_it_can_be_checked_against(crew: Crew) -> None:
    incident = make_incident(crew)
    report = queue.ask(incident.pk)

    queue.run(report.pk)

    report.refresh_from_db()
    with report.file.open("rb") as file:
        reader = PdfReader(io.BytesIO(file.read()))
    [attached] = reader.attachments["evidence.jsonl"]
    verdict = chain.verify(chain.read_jsonl(attached.splitlines()))
    incident.chain.refresh_from_db()
    assert attached == b"".join(log.jsonl(incident.chain))
    assert (verdict.is_intact, verdict.count, verdict.head) == (True, 6, incident.chain.hash)
    assert f"head {verdict.head[:16]}" in reader.pages[1].extract_text()


def test_a_log_that_is_too_large_is_not_attached(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MOST_ATTACHED", 100)

    written = document.written(make_incident(crew))

    assert written.evidence == b""
    assert "exported beside it" in written.html


@pytest.mark.one_engine
def test_the_same_entry_gives_the_same_bytes(crew: Crew) -> None:
    incident = eventful_incident(crew)
    report = queue.ask(incident.pk)
    hashes = []

    for _ in range(2):
        queue.run(report.pk)
        report.refresh_from_db()
        hashes.append(report.sha256)
        Report.objects.update(state=ReportState.QUEUED)

    assert hashes[0] == hashes[1] != ""


def test_whoever_asks_at_the_same_entry_gets_the_same_report(crew: Crew) -> None:
    incident = make_incident(crew)

    first, second = queue.ask(incident.pk), queue.ask(incident.pk)
    declare.add_note(incident, by=crew.commander, text="One more entry")
    third = queue.ask(incident.pk)

    assert first.pk == second.pk != third.pk
    assert (first.evidence_seq, third.evidence_seq) == (6, 7)


def test_a_report_says_which_entry_it_was_written_at(crew: Crew) -> None:
    incident = make_incident(crew)
    report = queue.ask(incident.pk)
    declare.add_note(incident, by=crew.commander, text="Came in between")

    queue.run(report.pk)

    report.refresh_from_db()
    assert (report.state, report.evidence_seq) == (ReportState.READY, 7)
    assert queue.newest(incident, since_entry=6) == report
    assert queue.newest(incident, since_entry=8) is None


def test_a_report_that_a_newer_one_replaces_is_not_rendered(crew: Crew) -> None:
    incident = make_incident(crew)
    old = queue.ask(incident.pk)
    declare.add_note(incident, by=crew.commander, text="One more entry")
    new = queue.ask(incident.pk)

    queue.run(old.pk)
    queue.run(new.pk)

    assert [(report.pk, report.state) for report in Report.objects.all()] == [(new.pk, ReportState.READY)]


def test_a_report_that_takes_too_long_says_so_and_can_be_tried_again(crew: Crew, settings: object) -> None:
    report = queue.ask(make_incident(crew).pk)
    settings.REPORT_SECONDS = 0

    queue.run(report.pk)

    report.refresh_from_db()
    assert (report.state, report.problem) == (ReportState.FAILED, "The report took too long and was stopped.")
    settings.REPORT_SECONDS = 60
    once_more(report)
    queue.run(report.pk)
    report.refresh_from_db()
    assert (report.state, report.problem) == (ReportState.READY, "")


def test_a_lost_workers_report_is_taken_up_again_and_in_the_end_given_up(crew: Crew) -> None:
    report = queue.ask(make_incident(crew).pk)

    for number in range(1, queue.MOST_TRIES):
        assert queue.claim(report.pk)
        queue.take_back()
        report.refresh_from_db()
        assert report.state == ReportState.RENDERING
        lose(report)
        assert (report.state, report.tries, list(queue.due())) == (ReportState.QUEUED, number, [])
    queue.claim(report.pk)
    lose(report)

    assert (report.state, report.problem) == (
        ReportState.FAILED,
        "The worker was lost 3 times while it made this report.",
    )


def test_a_worker_that_was_taken_over_keeps_nothing(crew: Crew, tmp_path: object) -> None:
    report = queue.ask(make_incident(crew).pk)
    stalled = queue.claim(report.pk)
    lose(report)
    queue.claim(report.pk)

    queue.keep(stalled, 6, queue.Rendered(b"%PDF-late", 1, "0" * 64))

    report.refresh_from_db()
    assert (report.state, report.sha256) == (ReportState.RENDERING, "")
    assert list(tmp_path.rglob("*.pdf")) == []


def test_the_sweep_rings_reports_that_nobody_rang(crew: Crew) -> None:
    report = request(make_incident(crew))
    assert list(queue.due()) == []

    Report.objects.update(asked_at=clock.now() - timedelta(minutes=1))
    assert list(queue.due()) == [report]

    Report.objects.update(rung_at=clock.now())
    assert list(queue.due()) == []


def test_closing_an_incident_asks_for_its_report(crew: Crew, django_capture_on_commit_callbacks: object) -> None:
    incident = make_incident(crew, at=Phase.REVIEW)

    with django_capture_on_commit_callbacks(execute=True):
        walk(incident, crew, Phase.CLOSED)

    assert Report.objects.get().incident == incident


def test_a_sweep_asks_for_the_report_of_an_incident_closed_lately(crew: Crew) -> None:
    incident = make_incident(crew)
    walk(incident, crew, Phase.CLOSED)
    Report.objects.all().delete()

    tasks.sweep()
    tasks.sweep()

    assert Report.objects.get().incident == incident
    Report.objects.all().delete()
    Incident.objects.update(ended_at=clock.now() - timedelta(days=8))
    tasks.sweep()
    assert not Report.objects.exists()
