"""The watcher that outlives a supervisor killed with no chance to tidy up.

It holds one end of a pipe. The kernel closes the other end when the supervisor ends, in whatever way, and then every
process group named through the pipe is ended too: Celery's pool children as well, which no death signal reaches.
"""

import os
import shutil
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 2.0


class Guard:
    """Names process groups, folders and files that must not outlive this process."""

    def __init__(self) -> None:
        """Fork the watcher, in a session of its own so that a signal to our group does not reach it."""
        reading, self._writing = os.pipe()
        if os.fork() == 0:
            os.close(self._writing)
            os.setsid()
            _watch(reading)
            os._exit(0)
        os.close(reading)

    def over_group(self, group: int) -> None:
        """End this process group when we end."""
        os.write(self._writing, f"group {group}\n".encode())

    def release(self, group: int) -> None:
        """Forget a group that has ended: the kernel may give its number to somebody else."""
        os.write(self._writing, f"ended {group}\n".encode())

    def over_folder(self, folder: str) -> None:
        """Remove this folder when we end."""
        os.write(self._writing, f"folder {folder}\n".encode())

    def over_file(self, file: str) -> None:
        """Remove this file when we end."""
        os.write(self._writing, f"file {file}\n".encode())


def _watch(reading: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with os.fdopen(reading) as told:
        groups, folders, files = _named(told)
    _signal_all(groups, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(map(_is_alive, groups)) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal_all(groups, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    for file in files:
        Path(file).unlink(missing_ok=True)


def _named(told: Iterable[str]) -> tuple[list[int], list[str], list[str]]:
    groups: dict[int, None] = {}
    paths: dict[str, list[str]] = {"folder": [], "file": []}
    for line in told:
        kind, _, value = line.rstrip("\n").partition(" ")
        if kind == "group":
            groups[int(value)] = None
        elif kind == "ended":
            groups.pop(int(value), None)
        else:
            paths[kind].append(value)
    return list(groups), paths["folder"], paths["file"]


def _signal_all(groups: list[int], number: signal.Signals) -> None:
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True
