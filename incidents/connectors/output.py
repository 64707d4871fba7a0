"""Keep the head and the tail of an output of any length, in bounded memory, masked, with a digest of the whole."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from incidents.connectors.masking import StreamMask

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]+")


@dataclass(frozen=True, slots=True)
class Output:
    """What is kept. Counts and digest are of the whole masked stream, before `text` was cleaned for people."""

    text: str
    size: int
    dropped: int
    sha256: str


class Capture:
    """Takes chunks; keeps the first and the last half of `cap` bytes."""

    def __init__(self, cap: int, secrets: Iterable[str] = ()) -> None:
        self._half = max(1, cap // 2)
        self._mask = StreamMask(secrets)
        self._digest = sha256()
        self._size = 0
        self._head = bytearray()
        self._tail = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._keep(self._mask.feed(chunk))

    def finish(self) -> Output:
        """Return what was kept; call once, at the end."""
        self._keep(self._mask.finish())
        del self._tail[: max(0, len(self._tail) - self._half)]
        dropped = self._size - len(self._head) - len(self._tail)
        head, tail = clean(bytes(self._head)), clean(bytes(self._tail))
        text = f"{head}\n[… {dropped:,} bytes left out …]\n{tail}" if dropped else clean(bytes(self._head + self._tail))
        return Output(text, self._size, dropped, self._digest.hexdigest())

    def _keep(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._size += len(chunk)
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:][-self._half :] if room < len(chunk) else b""
        if len(self._tail) > 4 * self._half:
            del self._tail[: -self._half]


def of(content: bytes, cap: int, secrets: Iterable[str] = ()) -> Output:
    """Treat bytes that are already at hand in the same way."""
    capture = Capture(cap, secrets)
    capture.feed(content)
    return capture.finish()


def clean(content: bytes) -> str:
    """Make text that any database stores and any page or terminal shows harmlessly: no NUL, no control sequences."""
    text = _ESCAPES.sub("", content.decode("utf-8", "replace"))
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))
