"""What a file would become where somebody opens it: an archive that unpacks to a flood, a picture of too many pixels.

Nothing is unpacked or drawn here, nor anywhere else in the portal: lists and headers say enough.
"""

from __future__ import annotations

import stat
import warnings
import zipfile
from collections.abc import Iterable
from typing import IO

MOST_NAMES = 1_000
MOST_UNPACKED = 200 * 1024**2
MOST_GROWTH = 100
MOST_PIXELS = 50_000_000
_CHUNK = 64 * 1024
_ENTRY = b"PK\x01\x02"
_PICTURES = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "ICO")


def danger(file: IO[bytes], size: int) -> str:
    """Why the file should not be passed on, as a sentence; empty if there is no reason."""
    try:
        return _archive(file, size) or _picture(file)
    finally:
        file.seek(0)


def _archive(file: IO[bytes], size: int) -> str:
    file.seek(0)
    if not zipfile.is_zipfile(file):
        return ""
    # Counted before the list is read: half a million names are small in the file and large in memory.
    if _entries(file) > MOST_NAMES:
        return f"This archive lists more than {MOST_NAMES:,} files."
    try:
        with zipfile.ZipFile(file) as archive:
            return _listed(archive.infolist(), size)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError):
        return "This archive is damaged: its list cannot be read."


def _entries(file: IO[bytes]) -> int:
    file.seek(0)
    found, rest = 0, b""
    while chunk := file.read(_CHUNK):
        found += (rest + chunk).count(_ENTRY)
        rest = chunk[-3:]
    return found


def _listed(rows: Iterable[zipfile.ZipInfo], size: int) -> str:
    rows = list(rows)
    unpacked = sum(row.file_size for row in rows)
    if unpacked > MOST_UNPACKED or unpacked > MOST_GROWTH * size:
        return f"This archive unpacks to {unpacked / 1024**2:,.0f} MB, which is too much for what it is."
    if any(stat.S_ISLNK(row.external_attr >> 16) for row in rows):
        return "This archive holds a link, which may lead anywhere when it is unpacked."
    if any(_leads_out(row.orig_filename) for row in rows):
        return "This archive holds a name that leads out of the folder it is unpacked in."
    return ""


def _leads_out(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or parts[0] == "" or parts[0].endswith(":") or "\x00" in name


def _picture(file: IO[bytes]) -> str:
    from PIL import Image, UnidentifiedImageError

    too_large = f"This picture has more than {MOST_PIXELS // 1_000_000} million pixels."
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(file, formats=_PICTURES) as picture:
                return too_large if picture.width * picture.height > MOST_PIXELS else ""
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            return too_large
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, OverflowError):
            return ""
