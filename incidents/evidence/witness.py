"""What was last signed of each chain, in files outside the database: a database that went back in time is noticed.

One file a chain, named by its UUID, holds the last signed note. An alarm is a file as well, so that it outlives the
restore that it speaks of. Several processes may write; the largest checkpoint stays.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from incidents.evidence import keys
from incidents.evidence.note import NotANote, NotSigned, Statement, opened

_NOTE = ".checkpoint"
# Apart from the notes, of which there is one for each log ever kept: every page asks for alarms.
_ALARMS = "alarms"


class Unreadable(Exception):
    """The file of a chain is there and is no checkpoint of ours."""


def last(chain_id: uuid.UUID) -> Statement | None:
    """What was last signed of a chain; None where nothing was.

    Raises:
        Unreadable: the file was damaged or forged.
    """
    try:
        note = _path(chain_id, _NOTE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{_path(chain_id, _NOTE)} cannot be read: {error}") from error
    try:
        found = Statement.read(opened(note, keys.verifiers()))
    except (NotANote, NotSigned) as error:
        raise Unreadable(f"{_path(chain_id, _NOTE)} is no checkpoint of this portal: {error}") from error
    if found.chain != str(chain_id):
        raise Unreadable(f"{_path(chain_id, _NOTE)} speaks of another chain.")
    return found


def chains() -> list[uuid.UUID]:
    """The chains that something was signed of."""
    return sorted(uuid.UUID(path.stem) for path in _folder().glob(f"*{_NOTE}") if _is_uuid(path.stem))


def keep(chain_id: uuid.UUID, note: str) -> None:
    """Keep a note as the last one of its chain, unless a larger one is there."""
    size = int(note.split("\n", 2)[1])
    with _locked():
        known = last_or_none(chain_id)
        if known is None or known.size < size:
            _write(_path(chain_id, _NOTE), note)


def alarm(chain_id: uuid.UUID, sentence: str) -> bool:
    """Raise the alarm for a chain. Returns whether it is a new one."""
    with _locked():
        path = _alarm_of(chain_id)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if path.exists() and path.read_text(encoding="utf-8") == sentence:
            return False
        _write(path, sentence)
        return True


def alarms() -> dict[uuid.UUID, str]:
    """The sentences of all alarms, by chain."""
    try:
        return {
            uuid.UUID(path.name): path.read_text(encoding="utf-8")
            for path in sorted((Path(settings.WITNESS_DIR) / _ALARMS).glob("*"))
            if _is_uuid(path.name)
        }
    except OSError:
        return {}


def quiet(chain_id: uuid.UUID) -> None:
    """Take the alarm of a chain back."""
    _alarm_of(chain_id).unlink(missing_ok=True)


def set_aside(chain_id: uuid.UUID) -> None:
    """Stop comparing with what was signed; the file stays beside, for whoever asks later."""
    with _locked():
        path = _path(chain_id, _NOTE)
        if path.exists():
            path.rename(path.with_suffix(f"{_NOTE}.{_free_number(path)}"))


def _free_number(path: Path) -> int:
    return 1 + len(list(path.parent.glob(f"{path.name}.*")))


def last_or_none(chain_id: uuid.UUID) -> Statement | None:
    """What was last signed, where it can be read."""
    try:
        return last(chain_id)
    except Unreadable:
        return None


@contextmanager
def _locked() -> Iterator[None]:
    with (_folder() / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


def _folder() -> Path:
    folder = Path(settings.WITNESS_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _path(chain_id: uuid.UUID, ending: str) -> Path:
    return Path(settings.WITNESS_DIR) / f"{chain_id}{ending}"


def _alarm_of(chain_id: uuid.UUID) -> Path:
    return Path(settings.WITNESS_DIR) / _ALARMS / str(chain_id)


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
