"""Take secrets out of text and of byte streams before anything is kept, also when one is split over two writes.

A secret is found as it is, line by line when it has several (a key in PEM form), and as programs print it: in base64
(also as part of something longer, as in `Authorization: Basic`), in hex, percent-encoded, and escaped for JSON.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = b"[masked]"
SHORTEST_PART = 8  # shorter lines and fragments are words like "BEGIN", not secrets


class StreamMask:
    """Masks a stream of chunks. It holds back the end of what has come as long as that may begin a secret."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._needles = sorted(set(_spellings(secrets)), key=len, reverse=True)
        self._longest = max(map(len, self._needles), default=1)
        self._firsts = frozenset(needle[0] for needle in self._needles)
        self._pattern = re.compile(b"|".join(map(re.escape, self._needles)))
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next chunk and return what is now safe to keep."""
        text = self._held + chunk
        done, end = self._mask(text, self._settled(text))
        self._held = text[end:]
        return done

    def _settled(self, text: bytes) -> int:
        """Where the earliest end of `text` begins that is how a spelling begins; its length where there is none."""
        for at in range(max(0, len(text) - self._longest + 1), len(text)):
            if text[at] in self._firsts and any(needle.startswith(text[at:]) for needle in self._needles):
                return at
        return len(text)

    def finish(self) -> bytes:
        """Return the rest."""
        done, _ = self._mask(self._held, len(self._held))
        self._held = b""
        return done

    def _mask(self, text: bytes, settled: int) -> tuple[bytes, int]:
        """Mask what begins before `settled`: only there could no longer spelling still be on its way."""
        if not any(needle in text for needle in self._needles):
            return text[:settled], settled
        pieces, end = [], 0
        for match in self._pattern.finditer(text):
            if match.start() >= settled:
                break
            pieces += [text[end : match.start()], MASK]
            end = match.end()
        settled = max(settled, end)
        return b"".join([*pieces, text[end:settled]]), settled


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without the secrets."""
    stream = StreamMask(secrets)
    raw = text.encode("utf-8", "surrogatepass")
    return (stream.feed(raw) + stream.finish()).decode("utf-8", "surrogatepass")


def _spellings(secrets: Iterable[str]) -> Iterator[bytes]:
    for secret in filter(None, secrets):
        raw = secret.encode("utf-8", "surrogatepass")
        yield raw
        yield from _encoded(secret, raw)
        yield from (line for line in map(bytes.strip, raw.splitlines()) if len(line) >= SHORTEST_PART)


def _encoded(secret: str, raw: bytes) -> Iterator[bytes]:
    yield json.dumps(secret)[1:-1].encode()
    yield json.dumps(secret, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")
    yield quote(raw, safe="").encode()
    yield quote_plus(raw).encode()
    if len(raw) >= SHORTEST_PART // 2:
        yield raw.hex().encode()
        yield raw.hex().upper().encode()
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + raw).rstrip(b"=")
        # The first and last characters mix with what stands beside the secret.
        inner = whole[(0, 2, 3)[shift] : len(whole) - (1 if (shift + len(raw)) % 3 else 0)]
        if len(inner) >= SHORTEST_PART:
            yield inner
            yield inner.translate(bytes.maketrans(b"+/", b"-_"))
