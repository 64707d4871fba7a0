"""Files as evidence: hashed while they are stored, kept under their hash, hashed again whenever they are read."""

from __future__ import annotations

import hashlib
import re
import tempfile
import unicodedata
from pathlib import PurePosixPath
from typing import IO, Any, cast

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile

from incidents import clock
from incidents.models import Attachment, Incident

FOLDER = "evidence"
MOST_FILES = 200
_CHUNK = 64 * 1024
_LONGEST_NAME = 200
_IN_MEMORY = 1024 * 1024


class NotStored(Exception):
    """The file is not accepted as evidence; the message is a sentence for the person who brought it."""


class TooLarge(NotStored):
    """The file is larger than settings.UPLOAD_MAX_BYTES."""


class Damaged(Exception):
    """The stored bytes are gone, or are not those that were uploaded."""


def store(incident: Incident, uploaded_file: UploadedFile, by: Any) -> Attachment:
    """Keep an uploaded file for an incident. Ask for the right to attach before calling it: bytes stay once written.

    Raises:
        NotStored: the file is empty, too large, or one too many; nothing is kept.
    """
    if incident.attachments.count() >= MOST_FILES:
        raise NotStored(f"{incident} holds {MOST_FILES} files already: link to further ones.")
    sha256, size = _measure(uploaded_file)
    _keep(uploaded_file, sha256)
    return Attachment.objects.create(
        incident=incident,
        sha256=sha256,
        name=clean_name(uploaded_file.name or ""),
        size=size,
        uploaded_by=by,
        uploaded_at=clock.now(),
    )


def open(attachment: Attachment) -> IO[bytes]:  # noqa: A001 - attachments.open reads as files do
    """The attachment's bytes, checked against its hash before the first one is handed out.

    Raises:
        Damaged: the file is missing or was changed; nothing of it is returned.
    """
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
