"""Where parts wait until all of them are known, and the zip that they become: the same parts give the same bytes."""

from __future__ import annotations

import hashlib
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

CHUNK = 1 << 20
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_MODE = stat.S_IFREG | 0o644


@dataclass(frozen=True)
class Part:
    """One file of a bundle: its path in the zip, and its bytes piece by piece."""

    path: str
    chunks: Iterable[bytes]


@dataclass(frozen=True)
class _Staged:
    start: int
    size: int
    sha256: str


class Stage:
    """Parts in one temporary file, hashed while they come in; none is ever whole in memory."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - gone with this object
        self._parts: dict[str, _Staged] = {}

    def add(self, part: Part) -> None:
        start, digest = self._file.tell(), hashlib.sha256()
        for chunk in part.chunks:
            self._file.write(chunk)
            digest.update(chunk)
        self._parts[part.path] = _Staged(start, self._file.tell() - start, digest.hexdigest())

    def listed(self) -> list[dict[str, Any]]:
        """What a manifest says of the parts, by path."""
        return [{"path": path, "sha256": part.sha256, "size": part.size} for path, part in sorted(self._parts.items())]

    def write(self, target: IO[bytes]) -> None:
        """Write the zip: names in order, nothing compressed, one date, one mode."""
        with ZipFile(target, "w", ZIP_STORED) as archive:
            for path, part in sorted(self._parts.items()):
                with archive.open(_info(path, part.size), "w") as member:
                    for chunk in self._read(part):
                        member.write(chunk)

    def _read(self, part: _Staged) -> Iterator[bytes]:
        self._file.seek(part.start)
        left = part.size
        while left:
            chunk = self._file.read(min(CHUNK, left))
            left -= len(chunk)
            yield chunk


def _info(path: str, size: int) -> ZipInfo:
    info = ZipInfo(path, _LONG_AGO)
    info.create_system, info.external_attr, info.file_size = _UNIX, _MODE << 16, size
    return info
