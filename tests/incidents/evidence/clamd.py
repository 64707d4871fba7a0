"""A scanner that speaks clamd's protocol as clamd(8) documents it, and its ways to fail, on a real socket."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# The test file that every scanner finds, in two halves so that none finds it here.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
SIGNATURE = "Eicar-Test-Signature"


class Clamd:
    """Answers one scan after another.

    Args:
        mood: `well`, or the way it fails: `silent`, `trickles`, `hangs_up`, `slams` (when it is too much), `errs`,
            `babbles`, `cut_off`, `floods`.
        limit: its StreamMaxLength in bytes.
    """

    def __init__(self, listener: socket.socket, address: str, mood: str = "well", limit: int = 1_000_000) -> None:
        self.address, self.mood, self.limit = address, mood, limit
        self.scanned: list[bytes] = []
        self._listener = listener

    def serve(self) -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                line, _ = self._listener.accept()
                with line, suppress(ConnectionError, TimeoutError):
                    line.settimeout(5)
                    self._answer(line)

    def _answer(self, line: socket.socket) -> None:
        command = _exactly(line, len(b"zINSTREAM\0"))
        if command != b"zINSTREAM\0":
            line.sendall(b"UNKNOWN COMMAND\0")
            return
        if self.mood == "hangs_up":
            return
        content = self._stream(line)
        if content is None:
            line.sendall(b"INSTREAM size limit exceeded. ERROR\0")
            if self.mood != "slams":
                _drain(line)
            return
        self.scanned.append(content)
        verdict = f"stream: {SIGNATURE} FOUND\0" if EICAR in content else "stream: OK\0"
        self._say(line, verdict.encode())

    def _stream(self, line: socket.socket) -> bytes | None:
        """What came in, up to the chunk of length nought; None where it is more than the limit."""
        content = b""
        while length := struct.unpack("!L", _exactly(line, 4))[0]:
            if len(content) + length > self.limit:
                return None
            content += _exactly(line, length)
        return content

    def _say(self, line: socket.socket, verdict: bytes) -> None:
        if self.mood == "silent":
            time.sleep(1.6)
        elif self.mood == "trickles":
            for _ in range(30):
                line.sendall(b"s")
                time.sleep(0.1)
        else:
            line.sendall(_WRONG.get(self.mood, verdict))


# What a scanner says that is out of memory, is none, dies while it speaks, or never ends.
_WRONG = {
    "errs": b"stream: Can't allocate memory ERROR\0",
    "babbles": b"HTTP/1.1 200 OK\0",
    "cut_off": b"stream: OK",
    "floods": b"stream: " + b"x" * 100_000,
}


def _drain(line: socket.socket) -> None:
    """Take what still comes, so that the answer is not lost in a reset."""
    while line.recv(65_536):
        pass


def _exactly(line: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = line.recv(min(65_536, size - len(found)))
        if not more:
            raise ConnectionError
        found += more
    return found


@contextmanager
def clamd(mood: str = "well", *, limit: int = 1_000_000, socket_file: Path | None = None) -> Iterator[Clamd]:
    """A running scanner, on a port of this machine or on a Unix socket."""
    listener = socket.socket(socket.AF_UNIX if socket_file else socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(str(socket_file) if socket_file else ("127.0.0.1", 0))
    listener.listen()
    address = f"unix:{socket_file}" if socket_file else f"tcp:127.0.0.1:{listener.getsockname()[1]}"
    scanner = Clamd(listener, address, mood, limit)
    thread = threading.Thread(target=scanner.serve, daemon=True)
    thread.start()
    try:
        yield scanner
    finally:
        # `close` alone leaves `accept` waiting.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=10)
        assert not thread.is_alive()
