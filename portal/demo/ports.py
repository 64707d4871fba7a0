"""Loopback ports: a listening socket to hand on, and a number that no second demo will take."""

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"
PREFERRED = 8000


def listening(preferred: int = 0) -> tuple[socket.socket, int]:
    """A socket that already listens, for a child to inherit: no other process can slip in between."""
    try:
        taken = socket.create_server((HOST, preferred))
    except OSError:
        taken = socket.create_server((HOST, 0))
    taken.set_inheritable(True)
    return taken, taken.getsockname()[1]


@contextmanager
def claimed(asked: int | None) -> Iterator[int]:
    """The port for the web server, for this demo alone. Raises SystemExit if the one asked for is taken."""
    for port in (asked,) if asked else (PREFERRED, *(any_free() for _ in range(20))):
        with socket.socket(socket.AF_UNIX) as claim:
            if _is_claimed_by(claim, port) and _is_free(port):
                yield port
                return
    raise SystemExit(f"Port {asked} is taken. Name another one, or leave --port out and a free one is chosen.")


def any_free() -> int:
    """A port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as why:
            if why.errno == errno.EADDRINUSE:
                return False
            raise SystemExit(f"Port {port} cannot be used: {why.strerror}.") from None
    return True


def _is_claimed_by(claim: socket.socket, port: int) -> bool:
    """Two demos starting at once both see a port free, and granian's SO_REUSEPORT would let them share it."""
    if sys.platform != "linux":
        return True
    try:
        claim.bind(f"\0lastgood-port-{port}")
    except OSError:
        return False
    return True
