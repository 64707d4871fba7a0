"""Secrets that are known by sight, and a search for them in whatever an installation leaves behind."""

from __future__ import annotations

import base64
import gzip
import re
import secrets
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import quote, quote_plus

from tests.comms.reports.reading import text_of

SIGNED_SESSION = re.compile(rb"\.([\w-]{20,}):[\w-]+:[\w-]{20,}")
SHORT = 12


@dataclass(frozen=True)
class Hit:
    """A secret that stands where it should not."""

    secret: str
    spelling: str
    where: str
    around: bytes


def canary(name: str) -> str:
    """A secret that no other text has, with characters that each way of writing spells differently."""
    return f"canary+{name}/{secrets.token_hex(12)}"


def signing_canary() -> str:
    """The same in the form that a webhook's secret must have."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def spellings(secret: bytes) -> dict[bytes, str]:
    """How a secret may be written, and what that is called."""
    found = {
        secret: "raw",
        secret.hex().encode(): "hex",
        secret.hex().upper().encode(): "hex",
        quote(secret, safe="").encode(): "URL-encoded",
        quote_plus(secret).encode(): "URL-encoded",
        quote(secret, safe="").lower().encode(): "URL-encoded",
    }
    for before in range(3):
        # A character at either end also holds bits of what stands beside the secret.
        coded = base64.b64encode(b"\0" * before + secret + b"\0\0\0")
        inner = coded[-(-8 * before // 6) : 8 * (before + len(secret)) // 6]
        found |= {inner: "base64", inner.translate(bytes.maketrans(b"+/", b"-_")): "base64"}
    return {needle: name for needle, name in reversed(found.items()) if needle}


def search(known: Mapping[str, str | bytes], artefacts: Iterable[tuple[str, bytes]]) -> list[Hit]:
    """Every secret in every artefact, also within what is packed there."""
    needles = [
        (name, spelling, needle)
        for name, secret in known.items()
        for needle, spelling in spellings(secret if isinstance(secret, bytes) else secret.encode()).items()
    ]
    return [
        Hit(name, spelling, where, content[max(0, at - 60) : at + 90])
        for outer, packed in artefacts
        for where, content in unpacked(outer, packed)
        for name, spelling, needle in needles
        if (at := _place_of(needle, content)) >= 0
    ]


def _place_of(needle: bytes, content: bytes) -> int:
    """Where it stands; a short one, as the digits of a recovery code, only as a word of its own."""
    at = content.find(needle)
    if at < 0 or len(needle) >= SHORT:
        return at
    found = re.search(rb"(?<![\w.-])" + re.escape(needle) + rb"(?![\w.-])", content)
    return found.start() if found else -1


def unpacked(where: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """The bytes as they are, and what a reader finds in them."""
    yield where, content
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from unpacked(f"{where} › {name}", archive.read(name))
    elif content.startswith(b"%PDF-"):
        yield f"{where} › text", text_of(content).encode()
    elif content.startswith(b"\x1f\x8b"):
        yield from unpacked(f"{where} › unzipped", gzip.decompress(content))
    for session in SIGNED_SESSION.findall(content):
        yield f"{where} › session", zlib.decompress(base64.urlsafe_b64decode(session + b"=" * (-len(session) % 4)))
