"""A virus scanner is asked before a file is kept: what it finds is refused, and silence is not taken for clean."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.files.uploadedfile import SimpleUploadedFile

from incidents.evidence import attachments, completeness, scanner
from incidents.models import Attachment, Incident
from incidents.steps import cleanup
from incidents.terms import Phase, Role, ScanState
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.evidence.clamd import EICAR, SIGNATURE, Clamd, clamd

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def incident(crew: Crew, settings: Any, tmp_path: Path) -> Incident:
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.CLAMD_SECONDS = 1
    return make_incident(crew, at=Phase.ROLLING_BACK)


@pytest.fixture
def well(settings: Any) -> Iterator[Clamd]:
    with clamd() as found:
        settings.CLAMD = found.address
        yield found


def kept(incident: Incident, content: bytes, name: str = "notes.txt") -> Attachment:
    commander = incident.declared_by
    return attachments.store(incident, SimpleUploadedFile(name, content), commander)


def files(settings: Any) -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def test_nothing_is_asked_where_no_scanner_is_set(incident: Incident) -> None:
    found = kept(incident, EICAR)

    assert (found.scan, found.scan_note) == (ScanState.NOT_SCANNED, "")


def test_a_clean_file_is_kept_and_says_so(incident: Incident, well: Clamd) -> None:
    content = bytes(range(256)) * 1000

    found = kept(incident, content)

    assert (found.scan, found.scan_note) == (ScanState.CLEAN, "")
    assert well.scanned == [content]
    with attachments.open(found) as stored:
        assert stored.read() == content


def test_what_the_scanner_finds_is_refused_by_name_and_not_kept(incident: Incident, well: Clamd, settings: Any) -> None:
    with pytest.raises(attachments.Infected) as refused:
        kept(incident, b"a letter, then " + EICAR)

    assert str(refused.value) == f"The virus scanner found {SIGNATURE} in this file: it is not kept."
    assert (files(settings), Attachment.objects.count()) == ([], 0)


def test_a_scanner_on_a_unix_socket_is_asked_as_well(incident: Incident, settings: Any) -> None:
    # Its own folder: the path of a socket holds at most some hundred characters.
    with tempfile.TemporaryDirectory() as folder, clamd(socket_file=Path(folder, "clamd.ctl")) as found:
        settings.CLAMD = found.address
        assert kept(incident, b"repaired").scan == ScanState.CLEAN
        with pytest.raises(attachments.Infected):
            kept(incident, EICAR)


FAILURES = {
    "silent": "The scanner did not answer within 1 s.",
    "trickles": "The scanner did not answer within 1 s.",
    "hangs_up": "The scanner hung up before it had answered.",
    "cut_off": "The scanner hung up before it had answered.",
    "floods": "The scanner hung up before it had answered.",
    "errs": "The scanner could not look at it: Can't allocate memory.",
    "babbles": "The scanner said what no scanner says.",
}


@pytest.mark.parametrize("mood", sorted(FAILURES))
def test_a_scanner_that_fails_leaves_the_file_unanswered(incident: Incident, settings: Any, mood: str) -> None:
    with clamd(mood) as failing:
        settings.CLAMD = failing.address
        begun = time.monotonic()
        found = kept(incident, b"repaired")
        took = time.monotonic() - begun

    assert (found.scan, found.scan_note) == (ScanState.UNANSWERED, FAILURES[mood])
    assert took < 2.5


def test_a_file_above_the_scanners_own_limit_is_unanswered_in_its_words(incident: Incident, settings: Any) -> None:
    with clamd(limit=100_000) as small:
        settings.CLAMD = small.address
        found = kept(incident, b"x" * 900_000)

    assert (found.scan, found.scan_note) == (
        ScanState.UNANSWERED,
        "The scanner could not look at it: INSTREAM size limit exceeded.",
    )


def test_a_scanner_that_slams_the_door_on_a_large_file_leaves_it_unanswered(incident: Incident, settings: Any) -> None:
    with clamd("slams", limit=1000) as small:
        settings.CLAMD = small.address
        found = kept(incident, b"x" * 20_000_000)

    # A reset can swallow the words on the way.
    assert (found.scan, found.scan_note) in {
        (ScanState.UNANSWERED, "The scanner could not look at it: INSTREAM size limit exceeded."),
        (ScanState.UNANSWERED, FAILURES["hangs_up"]),
    }


def test_a_file_above_our_limit_is_not_sent(incident: Incident, well: Clamd, settings: Any) -> None:
    settings.CLAMD_MAX_BYTES = 1000

    found = kept(incident, b"x" * 1001)

    assert found.scan_note == "The file is larger than the 1,000 bytes that the scanner takes."
    assert well.scanned == []


@pytest.mark.parametrize("address", ["tcp:127.0.0.1:1", "unix:/nowhere/clamd.ctl", "tcp:host.invalid:3310"])
def test_a_scanner_that_is_not_there_leaves_the_file_unanswered(
    incident: Incident, settings: Any, address: str
) -> None:
    settings.CLAMD = address

    found = kept(incident, b"repaired")

    assert found.scan == ScanState.UNANSWERED
    assert found.scan_note.startswith("The scanner cannot be reached: ")


@pytest.mark.parametrize("mood", ["silent", "hangs_up", "errs"])
def test_an_unanswered_file_is_refused_where_scanning_is_required(incident: Incident, settings: Any, mood: str) -> None:
    settings.SCAN_REQUIRED = True
    with clamd(mood) as failing:
        settings.CLAMD = failing.address
        with pytest.raises(attachments.NotStored) as refused:
            kept(incident, b"repaired")

    said = f"Only scanned files are kept here, and this one was not scanned. {FAILURES[mood]}"
    assert (str(refused.value), files(settings), Attachment.objects.count()) == (said, [], 0)


def test_a_clean_file_is_kept_where_scanning_is_required(incident: Incident, well: Clamd, settings: Any) -> None:
    settings.SCAN_REQUIRED = True

    assert kept(incident, b"repaired").scan == ScanState.CLEAN


def test_nothing_is_kept_where_scanning_is_required_and_no_scanner_is_set(incident: Incident, settings: Any) -> None:
    settings.SCAN_REQUIRED = True

    with pytest.raises(attachments.NotStored, match="No virus scanner is set up"):
        kept(incident, b"repaired")
    assert [error.id for error in run_checks(tags=["security"])] == ["incidents.E004"]


@pytest.mark.parametrize("address", ["clamd", "tcp:host", "tcp::3310", "tcp:host:0", "tcp:host:99999", "unix:clamd"])
def test_an_address_that_is_none_is_named_by_the_system_check(settings: Any, address: str) -> None:
    settings.CLAMD = address

    assert [error.id for error in run_checks(tags=["security"])] == ["incidents.E005"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("tcp:av.internal:3310", ("av.internal", 3310)),
        ("tcp:[::1]:3310", ("::1", 3310)),
        ("unix:/run/clamd.ctl", "/run/clamd.ctl"),
    ],
)
def test_an_address_is_read_as_it_is_written(settings: Any, address: str, expected: Any) -> None:
    settings.CLAMD = address

    assert scanner.place(address) == expected
    assert run_checks(tags=["security"]) == []


def test_what_the_scanner_said_stands_in_the_log(incident: Incident, crew: Crew, well: Clamd) -> None:
    lead = crew[Role.DATA_EVIDENCE_LEAD]
    file = kept(incident, b"repaired")

    cleanup.attach(incident, "cleanup:repair-notes", owner=Role.DATA_EVIDENCE_LEAD, by=lead, attachment=file)

    entry = incident.chain.entries.latest("seq")
    assert (entry.body["scan"], entry.body["sha256"]) == (ScanState.CLEAN, file.sha256)


# Types --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["notes.txt", "NOTES.TXT", "app.tar.log"])
def test_a_file_of_a_type_that_is_taken_is_kept(incident: Incident, settings: Any, name: str) -> None:
    settings.UPLOAD_TYPES = [".txt", ".log"]

    assert kept(incident, b"repaired", name).name == name


@pytest.mark.parametrize("name", ["page.html", "notes", "notes.txt.exe", ".txt"])
def test_a_file_of_another_type_is_refused_with_the_types_that_are_taken(
    incident: Incident, settings: Any, name: str
) -> None:
    settings.UPLOAD_TYPES = [".txt", ".log", ".pdf"]

    with pytest.raises(attachments.NotStored) as refused:
        kept(incident, b"repaired", name)

    assert str(refused.value) == (
        "Files are taken that end in .txt, .log or .pdf: this one does not. Link to it, or paste what it says."
    )
    assert files(settings) == []


def test_what_the_portal_makes_itself_is_of_any_type_and_not_scanned(
    incident: Incident, well: Clamd, settings: Any
) -> None:
    settings.UPLOAD_TYPES, settings.SCAN_REQUIRED = [".txt"], True
    file = SimpleUploadedFile("manifest.json", b"{}")

    found = attachments.store(incident, file, incident.declared_by, made_here=True)

    assert (found.scan, well.scanned) == (ScanState.NOT_SCANNED, [])


# Where it came from -------------------------------------------------------------------------------------------------


def test_source_and_time_of_collection_stand_in_row_and_log(incident: Incident, crew: Crew) -> None:
    lead = crew[Role.DATA_EVIDENCE_LEAD]

    exhibit = cleanup.attach(
        incident,
        "cleanup:repair-notes",
        owner=Role.DATA_EVIDENCE_LEAD,
        by=lead,
        text="42 rows repaired",
        source="db-2:/var/log/postgresql",
        collected_at=incident.declared_at,
    )

    body = incident.chain.entries.latest("seq").body
    assert (body["source"], exhibit.source) == ("db-2:/var/log/postgresql", "db-2:/var/log/postgresql")
    assert body["collected_at"] == incident.declared_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert completeness.check(incident) == []
