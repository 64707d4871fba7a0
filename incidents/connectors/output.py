"""Keep the head and the tail of an output of any length, in bounded memory, masked, with a digest of the whole.

What was printed so far can be looked at meanwhile; it never shows bytes that might still be the begin of a secret.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

from incidents.connectors.masking import StreamMask

SHOWN_BYTES = 16_384
SHOWN_EVERY_SECONDS = 1.0
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
        head, tail = bytes(self._head), bytes(self._tail)
        text = _both_ends(head, tail, dropped) if dropped else clean(head + tail)
        return Output(text, self._size, dropped, self._digest.hexdigest())

    @property
    def size(self) -> int:
        """How many bytes of the masked stream there are so far."""
        return self._size

    def so_far(self, cap: int = SHOWN_BYTES) -> Output:
        """Return both ends of what is known to hold no secret, without ending anything."""
        whole = bytes(self._head + self._tail)
        half = min(cap // 2, self._half)
        dropped = max(0, self._size - 2 * half)
        text = _both_ends(whole[:half], whole[-half:], dropped) if dropped else clean(whole)
        return Output(text, self._size, dropped, self._digest.copy().hexdigest())

    def _keep(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._size += len(chunk)
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:][-self._half :] if room < len(chunk) else b""
        if len(self._tail) > 4 * self._half:
            del self._tail[: -self._half]


class Show:
    """Tells what was printed so far, now and then, and only when there is more."""

    def __init__(self, capture: Capture, tell: Callable[[Output], None], every: float = SHOWN_EVERY_SECONDS) -> None:
        self._capture, self._tell, self._every = capture, tell, every
        self._told, self._next = 0, 0.0

    def pulse(self) -> float:
        """Tell if it is time; return for how long one may wait before there may be something to tell, in seconds."""
        if self._capture.size == self._told:
            return float("inf")
        if (wait := self._next - time.monotonic()) > 0:
            return wait
        self._tell(self._capture.so_far())
        self._told, self._next = self._capture.size, time.monotonic() + self._every
        return float("inf")


def _both_ends(head: bytes, tail: bytes, dropped: int) -> str:
    return f"{clean(head)}\n[… {dropped:,} bytes left out …]\n{clean(tail)}"


def of(content: bytes, cap: int, secrets: Iterable[str] = ()) -> Output:
    """Treat bytes that are already at hand in the same way."""
    capture = Capture(cap, secrets)
    capture.feed(content)
    return capture.finish()


def clean(content: bytes) -> str:
    """Make text that any database stores and any page or terminal shows harmlessly: no NUL, no control sequences."""
    text = _ESCAPES.sub("", content.decode("utf-8", "replace"))
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))
