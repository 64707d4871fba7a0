"""Files as evidence: hashed while they are stored, kept under their hash, hashed again whenever they are read."""

from __future__ import annotations

import hashlib
import re
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any, cast

import structlog
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile

from incidents import clock
from incidents.evidence import contents, scanner
from incidents.evidence.scanner import Answer
from incidents.models import Attachment, Incident
from incidents.terms import ScanState

FOLDER = "evidence"
MOST_FILES = 200
_CHUNK = 64 * 1024
_LONGEST_NAME = 200
_IN_MEMORY = 1024 * 1024
_events = structlog.get_logger()


class NotStored(Exception):
    """The file is not accepted as evidence; the message is a sentence for the person who brought it."""


class TooLarge(NotStored):
    """The file is larger than settings.UPLOAD_MAX_BYTES."""


class Infected(NotStored):
    """The virus scanner found something in the file."""


class Damaged(Exception):
    """The stored bytes are gone, or are not those that were uploaded."""


@dataclass(frozen=True)
class Received:
    """A file whose bytes are kept, and of which no row speaks yet."""

    name: str
    sha256: str
    size: int
    scanned: Answer


def receive(incident: Incident, uploaded_file: UploadedFile, *, made_here: bool = False) -> Received:
    """Look at an uploaded file and keep its bytes. Outside any transaction: a scanner may take long to answer.

    Ask for the right to attach before calling it: bytes stay once written.

    Args:
        made_here: the portal wrote the file itself, so it is of any type and no scanner is asked.

    Raises:
        NotStored: the file is empty, too large, one too many, of a type that is not taken, would harm whoever opens
            it, or a scanner found something in it; nothing is kept.
    """
    if incident.attachments.count() >= MOST_FILES:
        raise NotStored(f"{incident} holds {MOST_FILES} files already: link to further ones.")
    name = clean_name(uploaded_file.name or "")
    if not made_here:
        _check_type(name)
    sha256, size = _measure(uploaded_file)
    if not made_here and (why := contents.danger(cast(IO[bytes], uploaded_file.file), size)):
        raise NotStored(f"{why} It is not kept: link to it, or bring what matters of it.")
    scanned = Answer(ScanState.NOT_SCANNED) if made_here else _scanned(incident, uploaded_file, sha256, size)
    _keep(uploaded_file, sha256)
    return Received(name, sha256, size, scanned)


def enter(incident: Incident, received: Received, by: Any) -> Attachment:
    """Make the row of a file that was received, in the transaction of the act that speaks of it."""
    return Attachment.objects.create(
        incident=incident,
        sha256=received.sha256,
        name=received.name,
        size=received.size,
        scan=received.scanned.state,
        scan_note=received.scanned.note,
        uploaded_by=by,
        uploaded_at=clock.now(),
    )


def store(incident: Incident, uploaded_file: UploadedFile, by: Any, *, made_here: bool = False) -> Attachment:
    """Receive a file and make its row.

    Raises:
        NotStored: as `receive` does.
    """
    return enter(incident, receive(incident, uploaded_file, made_here=made_here), by)


def _check_type(name: str) -> None:
    taken = settings.UPLOAD_TYPES
    ending = PurePosixPath(name).suffix.lower()
    if taken and ending not in taken:
        *others, last = taken
        known = f"{', '.join(others)} or {last}" if others else last
        raise NotStored(f"Files are taken that end in {known}: this one does not. Link to it, or paste what it says.")


def _scanned(incident: Incident, uploaded_file: UploadedFile, sha256: str, size: int) -> Answer:
    try:
        found = scanner.scan(uploaded_file.chunks(scanner.CHUNK), size)
    except scanner.Found as signature:
        _events.warning("attachment.infected", incident=incident.reference, sha256=sha256, signature=str(signature))
        raise Infected(f"The virus scanner found {signature} in this file: it is not kept.") from signature
    if settings.SCAN_REQUIRED and found.state != ScanState.CLEAN:
        why = found.note or "No virus scanner is set up."
        raise NotStored(f"Only scanned files are kept here, and this one was not scanned. {why}")
    return found


def open(attachment: Attachment) -> IO[bytes]:  # noqa: A001 - attachments.open reads as files do
    """The attachment's bytes, checked against its hash before the first one is handed out.

    Raises:
        Damaged: the file is missing or was changed; nothing of it is returned.
    """
    if attachment.erased_at:
        raise Damaged(f"This file was erased on {attachment.erased_at:%Y-%m-%d}, as the log says.")
    copy = cast(IO[bytes], tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 - the caller closes it
    try:
        with default_storage.open(path_of(attachment.sha256)) as stored:
            found = _copied(stored, copy)
    except OSError as error:
        raise Damaged(f"“{attachment}” cannot be read from the storage.") from error
    if found != attachment.sha256:
        raise Damaged(f"“{attachment}” is not what was uploaded any more: its SHA-256 is {found}.")
    copy.seek(0)
    return copy


def path_of(sha256: str) -> str:
    """Where the storage keeps these bytes; the name that a person gave plays no part in it."""
    return f"{FOLDER}/{sha256[:2]}/{sha256}"


def clean_name(name: str) -> str:
    """A file name without folders, control and direction characters, at most 200 characters, with its ending kept."""
    name = unicodedata.normalize("NFC", name.encode("utf-8", "ignore").decode())
    name = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in re.split(r"[/\\]", name)[-1])
    path = PurePosixPath(" ".join(name.split()).strip(". ") or "file")
    ending = path.suffix[:20]
    return path.name.removesuffix(path.suffix)[: _LONGEST_NAME - len(ending)] + ending


def _measure(uploaded_file: UploadedFile) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for chunk in uploaded_file.chunks(_CHUNK):
        size += len(chunk)
        if size > settings.UPLOAD_MAX_BYTES:
            raise TooLarge(f"A file may hold at most {_in_words(settings.UPLOAD_MAX_BYTES)}: link to larger ones.")
        digest.update(chunk)
    if not size:
        raise NotStored("The file is empty.")
    return digest.hexdigest(), size


def _in_words(size: int) -> str:
    return f"{size / 1024**2:.0f} MB" if size >= 1024**2 else f"{size} bytes"


def _keep(uploaded_file: UploadedFile, sha256: str) -> None:
    """Write the bytes under their hash. A half-written or damaged file of that name is replaced by good bytes."""
    path = path_of(sha256)
    if default_storage.exists(path):
        with default_storage.open(path) as stored:
            if _copied(stored) == sha256:
                return
        default_storage.delete(path)
    uploaded_file.seek(0)
    written = default_storage.save(path, File(uploaded_file, name=sha256))
    if written != path:  # someone stored the same bytes at the same moment
        default_storage.delete(written)


def _copied(source: Any, to: IO[bytes] | None = None) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        if to is not None:
            to.write(chunk)
    return digest.hexdigest()
