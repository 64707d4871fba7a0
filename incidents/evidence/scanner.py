"""Asks a virus scanner about a file before it is kept: clamd's INSTREAM command (clamd(8)), over TCP or a Unix socket.

A scanner that finds something refuses the file. One that does not answer, answers late, or says that it could not look
at the file leaves it unanswered, which is said wherever the file is shown; it is never taken for clean.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings

from incidents.terms import ScanState

CHUNK = 64 * 1024
# One word for each state, as it stands beside a file.
WORDS = {ScanState.NOT_SCANNED: "unscanned", ScanState.CLEAN: "clean", ScanState.UNANSWERED: "unanswered"}
_LONGEST_ANSWER = 4096
_LONGEST_NAME = 100


class Found(Exception):
    """The scanner found something; the message is the signature's name."""


@dataclass(frozen=True)
class Answer:
    """What is known of a file, and what the scanner said where that is not plain."""

    state: ScanState
    note: str = ""


class _Unanswered(Exception):
    """Why there is no answer, as a sentence."""


class NotAnAddress(ValueError):
    """LASTGOOD_CLAMD is no address of a scanner."""


def scan(chunks: Iterable[bytes], size: int) -> Answer:
    """Ask the scanner that LASTGOOD_CLAMD names; where it names none, nothing is asked.

    Args:
        chunks: the file's bytes.
        size: how many they are.

    Raises:
        Found: the file holds what the scanner knows.
    """
    if not settings.CLAMD:
        return Answer(ScanState.NOT_SCANNED)
    try:
        if size > settings.CLAMD_MAX_BYTES:
            raise _Unanswered(f"The file is larger than the {settings.CLAMD_MAX_BYTES:,} bytes that the scanner takes.")
        return _read(_ask(chunks, time.monotonic() + settings.CLAMD_SECONDS))
    except (_Unanswered, NotAnAddress) as reason:
        return Answer(ScanState.UNANSWERED, str(reason)[:200])


def place(address: str) -> tuple[str, int] | str:
    """Host and port, or the path of a socket: `tcp:host:port`, `unix:/path`.

    Raises:
        NotAnAddress: it is neither.
    """
    kind, _, rest = address.partition(":")
    host, _, port = rest.rpartition(":")
    if kind == "unix" and rest.startswith("/"):
        return rest
    if kind == "tcp" and host and port.isascii() and port.isdecimal() and 0 < int(port) < 65536:
        return host.strip("[]"), int(port)
    raise NotAnAddress("LASTGOOD_CLAMD has the form tcp:host:port or unix:/path.")


def _ask(chunks: Iterable[bytes], deadline: float) -> bytes:
    """Send the file and return the scanner's answer, without the NUL that ends it."""
    where = place(settings.CLAMD)
    try:
        with _connected(where, deadline) as line:
            # A scanner that refuses the rest says so and hangs up: what it said can still be read.
            with suppress(BrokenPipeError, ConnectionResetError):
                _send(line, chunks, deadline)
            return _answer(line, deadline)
    except TimeoutError as error:
        raise _Unanswered(f"The scanner did not answer within {settings.CLAMD_SECONDS} s.") from error
    except OSError as error:
        raise _Unanswered(f"The scanner cannot be reached: {error.strerror or type(error).__name__}.") from error


def _connected(where: tuple[str, int] | str, deadline: float) -> socket.socket:
    if isinstance(where, tuple):
        return socket.create_connection(where, timeout=_left(deadline))
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.settimeout(_left(deadline))
        line.connect(where)
    except OSError:
        line.close()
        raise
    return line


def _send(line: socket.socket, chunks: Iterable[bytes], deadline: float) -> None:
    """`zINSTREAM`, then each chunk after its length, then a length of nought."""
    parts = (chunk[start : start + CHUNK] for chunk in chunks for start in range(0, len(chunk), CHUNK))
    line.settimeout(_left(deadline))
    line.sendall(b"zINSTREAM\0")
    for part in parts:
        line.settimeout(_left(deadline))
        line.sendall(struct.pack("!L", len(part)) + part)
    line.settimeout(_left(deadline))
    line.sendall(struct.pack("!L", 0))


def _answer(line: socket.socket, deadline: float) -> bytes:
    said = b""
    while b"\0" not in said:
        line.settimeout(_left(deadline))
        try:
            more = line.recv(_LONGEST_ANSWER)
        except ConnectionResetError:
            more = b""
        said += more
        if not more or len(said) > _LONGEST_ANSWER:
            raise _Unanswered("The scanner hung up before it had answered.")
    return said.partition(b"\0")[0]


def _left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _read(answer: bytes) -> Answer:
    """`stream: OK`, `stream: <signature> FOUND`, or `… ERROR`; anything else is no answer."""
    said = "".join(char for char in answer.decode("utf-8", "replace") if char.isprintable())
    verdict = said.removeprefix("stream: ")
    if said == "stream: OK":
        return Answer(ScanState.CLEAN)
    if said != verdict and verdict.endswith(" FOUND"):
        raise Found(verdict.removesuffix(" FOUND")[:_LONGEST_NAME])
    if verdict.endswith("ERROR"):
        raise _Unanswered(f"The scanner could not look at it: {verdict.removesuffix('ERROR').strip(' .')}.")
    raise _Unanswered("The scanner said what no scanner says.")
