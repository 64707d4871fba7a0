"""The data folder of a demo: made by us, marked as ours, used by one demo at a time."""

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.bootstrap.places import LOCKS, ROOT

MARKER = ".lastgood-data"
PREPARED_WORDS = 3  # fingerprint, port of the portal, port of the receiver
# What the prepared database depends on; while none of it changes, a warm start skips migrations and seed.
SOURCES = (
    "*/migrations/*.py",
    "*/*/migrations/*.py",
    "portal/demo/seed.py",
    "portal/demo/people.py",
    "portal/demo/outside.py",
    "incidents/runbook/*",
)


@contextmanager
def claimed(folder: Path, *, fresh: bool) -> Iterator[None]:
    """Make the folder or take it over, for this demo alone.

    Raises SystemExit when it is not ours to use or another demo uses it.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise SystemExit(f"{folder} holds other files. Name an empty or a new folder with --data.")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    held = os.open(folder / MARKER, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SystemExit(f"A demo already runs from {folder}. Stop it, or name another folder with --data.") from None
    try:
        if fresh:
            _wipe(folder)
        # WhiteNoise warns of a missing folder, though here it serves from the sources.
        (folder / "static").mkdir(exist_ok=True)
        yield
    finally:
        os.close(held)


def _wipe(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != MARKER:
            entry.unlink()


def secret_key(folder: Path) -> str:
    """The signing key of this folder's portal, made once."""
    path = folder / "secret-key"
    if not path.exists():
        write_privately(path, secrets.token_urlsafe(50))
    return path.read_text()


def scratch(folder: Path) -> Path:
    """Temporary files of this demo's processes: what an earlier one left behind goes."""
    path = folder / "tmp"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    return path


def write_privately(path: Path, text: str) -> None:
    """Write a whole file at once, for the owner's eyes only."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    part.replace(path)


def fingerprint() -> str:
    """One value for everything the prepared database depends on."""
    files = sorted({path for pattern in SOURCES for path in ROOT.glob(pattern) if path.is_file()})
    digest = hashlib.sha256(LOCKS["run"].read_bytes())
    for path in files:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def receiver_port(folder: Path) -> int:
    """The port that the connectors of this folder speak to since it was prepared; 0 before."""
    prepared = folder / "prepared"
    words = prepared.read_text().split() if prepared.exists() else []
    return int(words[-1]) if len(words) == PREPARED_WORDS and words[-1].isdecimal() else 0
