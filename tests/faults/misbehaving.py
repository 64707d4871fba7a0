"""Outside systems with bad manners, each on a port of its own, and how an action that meets them has to end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from tests.incidents.connectors.servers import Misbehaving, read_request, reset

OK = b"HTTP/1.1 200 OK\r\n"
BODY = b"Content-Length: 2147483648\r\n\r\n"


@dataclass
class Odd:
    """One of them: what it does, the state an action ends in, and how many requests reached it."""

    does: Callable[[socket.socket, threading.Event], None]
    ends: str
    scheme: str = "http"
    reached: int = field(default=0, init=False)
    place: str = field(default="", init=False)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.place}/act"

    def serve(self, connection: socket.socket, over: threading.Event) -> None:
        self.reached += 1
        self.does(connection, over)


def silent(connection: socket.socket, over: threading.Event) -> None:
    read_request(connection)
    over.wait(30)


def half(connection: socket.socket, over: threading.Event) -> None:
    read_request(connection)
    connection.sendall(OK + b"Content-Length: 100\r\n\r\nten bytes!")
    over.wait(30)


def breaks_off(connection: socket.socket, over: threading.Event) -> None:
    read_request(connection)
    reset(connection)


def floods(connection: socket.socket, over: threading.Event) -> None:
    """Two gigabytes, as long as somebody reads."""
    read_request(connection)
    connection.sendall(OK + BODY)
    with suppress(OSError):
        for _ in range(2048):
            connection.sendall(b"x" * 1_048_576)


def no_tls(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"220 this is no TLS\r\n")


def says(status: bytes, more: bytes = b"") -> Callable[[socket.socket, threading.Event], None]:
    def answer(connection: socket.socket, over: threading.Event) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 " + status + b"\r\n" + more + b"Content-Length: 0\r\nConnection: close\r\n\r\n")

    return answer


def servers(stack: ExitStack) -> dict[str, Odd]:
    """All of them, listening."""
    found = {
        "hangs before its answer": Odd(silent, "unknown"),
        "hangs within its answer": Odd(half, "unknown"),
        "breaks off": Odd(breaks_off, "unknown"),
        "floods": Odd(floods, "succeeded"),
        "500": Odd(says(b"500 Broken"), "unknown"),
        "502": Odd(says(b"502 Bad gateway"), "unknown"),
        "429": Odd(says(b"429 Busy"), "unknown"),
        "404": Odd(says(b"404 Not here"), "failed"),
        "redirect": Odd(says(b"302 Over there", b"Location: http://169.254.169.254/latest/meta-data\r\n"), "unknown"),
        "no TLS": Odd(no_tls, "queued", "https"),
    }
    for odd in found.values():
        server = Misbehaving(odd.serve)
        stack.callback(server.close)
        odd.place = f"127.0.0.1:{server.port}"
    return found
