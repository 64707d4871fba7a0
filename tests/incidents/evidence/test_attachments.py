"""Files as evidence: under their hash, once, bounded, and refused on read when they are not what they were."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile

from incidents.evidence import attachments
from incidents.evidence.attachments import Damaged, NotStored, TooLarge, clean_name
from incidents.models import Attachment, Incident
from tests.factories import UserFactory, make_crew, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def incident() -> Incident:
    return make_incident(make_crew())


def stored(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_is_kept_under_its_hash_with_what_is_known_of_it(incident: Incident, folder: Path) -> None:
    by, sha256 = UserFactory(), hashlib.sha256(b"repaired").hexdigest()

    attachment = attachments.store(incident, SimpleUploadedFile("notes.txt", b"repaired"), by)

    assert (attachment.name, attachment.size, attachment.sha256) == ("notes.txt", 8, sha256)
    assert (attachment.incident, attachment.uploaded_by) == (incident, by)
    assert stored(folder) == [f"evidence/{sha256[:2]}/{sha256}"]
    with attachments.open(attachment) as content:
        assert content.read() == b"repaired"


def test_the_same_bytes_are_kept_once_under_two_names(incident: Incident, folder: Path) -> None:
    first, second = (
        attachments.store(incident, SimpleUploadedFile(name, b"same"), UserFactory()) for name in ("a.txt", "b.txt")
    )

    assert (first.name, second.name, first.sha256) == ("a.txt", "b.txt", second.sha256)
    assert len(stored(folder)) == 1


def test_a_large_upload_that_django_put_on_disk_is_kept_as_well(incident: Incident) -> None:
    upload = TemporaryUploadedFile("big.bin", "application/octet-stream", 0, None)
    content = b"0123456789abcdef" * 200_000
    upload.write(content)

    attachment = attachments.store(incident, upload, UserFactory())

    with attachments.open(attachment) as read:
        assert read.read() == content


def test_bytes_that_were_changed_are_refused_before_the_first_is_read(incident: Incident, folder: Path) -> None:
    attachment = attachments.store(incident, SimpleUploadedFile("a.txt", b"as it was"), UserFactory())
    (folder / stored(folder)[0]).write_bytes(b"as it is")

    with pytest.raises(Damaged, match="is not what was uploaded any more"):
        attachments.open(attachment)


def test_bytes_that_are_gone_are_said_to_be(incident: Incident, folder: Path) -> None:
    attachment = attachments.store(incident, SimpleUploadedFile("a.txt", b"as it was"), UserFactory())
    (folder / stored(folder)[0]).unlink()

    with pytest.raises(Damaged, match="cannot be read from the storage"):
        attachments.open(attachment)


def test_a_file_that_a_crash_left_half_written_is_made_whole_by_the_next_upload(
    incident: Incident, folder: Path
) -> None:
    path = folder / attachments.path_of(hashlib.sha256(b"whole").hexdigest())
    path.parent.mkdir(parents=True)
    path.write_bytes(b"who")

    attachment = attachments.store(incident, SimpleUploadedFile("a.txt", b"whole"), UserFactory())

    with attachments.open(attachment) as content:
        assert content.read() == b"whole"
    assert len(stored(folder)) == 1


def test_two_uploads_of_the_same_bytes_at_once_leave_one_file(
    incident: Incident, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = attachments.store(incident, SimpleUploadedFile("a.txt", b"same"), UserFactory())
    looks, really = iter([False]), default_storage.exists
    monkeypatch.setattr(default_storage, "exists", lambda name: next(looks, None) is None and really(name))

    attachments.store(incident, SimpleUploadedFile("b.txt", b"same"), UserFactory())

    assert stored(folder) == [attachments.path_of(first.sha256)]


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        (b"", NotStored, "The file is empty."),
        (b"x" * 101, TooLarge, "A file may hold at most 100 bytes: link to larger ones."),
    ],
)
def test_limits_are_told_in_sentences_and_keep_nothing(
    incident: Incident, folder: Path, settings: Any, content: bytes, kind: type[Exception], says: str
) -> None:
    settings.UPLOAD_MAX_BYTES = 100

    with pytest.raises(kind) as refused:
        attachments.store(incident, SimpleUploadedFile("a.txt", content), UserFactory())

    assert str(refused.value) == says
    assert (stored(folder), Attachment.objects.count()) == ([], 0)


def test_an_incident_holds_a_bounded_number_of_files(incident: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "MOST_FILES", 1)
    attachments.store(incident, SimpleUploadedFile("a.txt", b"a"), UserFactory())

    with pytest.raises(NotStored, match=f"{incident} holds 1 files already: link to further ones."):
        attachments.store(incident, SimpleUploadedFile("b.txt", b"b"), UserFactory())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("notes.txt", "notes.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\report.pdf", "report.pdf"),
        ("a\r\nSet-Cookie: x.txt", "a Set-Cookie: x.txt"),
        ("in\x00voice.pdf", "in voice.pdf"),
        ("\u202efdp.exe", "fdp.exe"),
        ("a\ud800b.txt", "ab.txt"),
        ("U\u0308ber.txt", "Über.txt"),
        ("..", "file"),
        ("", "file"),
        (".env", "env"),
        ("x" * 300 + ".txt", "x" * 196 + ".txt"),
        ("a." + "x" * 300, "a." + "x" * 19),
    ],
)
def test_names_keep_their_ending_and_lose_what_could_mislead(given: str, kept: str) -> None:
    assert clean_name(given) == kept
