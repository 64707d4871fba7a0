"""Find and end what a lost wrapper left running."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from incidents.connectors import wrapper


def end(session: int, mark: str, seconds: float, reap: Callable[[], object]) -> bool:
    """SIGKILL the session of a wrapper and everything that shows its mark, until none is left or `seconds` pass.

    `mark` is a `NAME=value` of the environment, which daemons in a session of their own still carry. `reap` collects
    our own child. Returns whether all are gone.
    """
    until = time.monotonic() + seconds
    while found := _find(session, mark):
        if time.monotonic() > until:
            return False
        for pid in found:
            wrapper.kill(pid)
        reap()
    return True


def _find(session: int, mark: str) -> set[int]:
    ours = {pid for pid, _, leader in wrapper.processes() if leader == session or _has_mark(pid, mark)}
    return ours - {os.getpid()}


def _has_mark(pid: int, mark: str) -> bool:
    try:
        return mark.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
