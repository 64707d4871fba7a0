"""The doer seen from outside: strace counts its system calls, ends it at one of them, or lets one of them fail.

Nothing of ours takes part, so that what dies between two statements of Python dies as well: the twin of `die_at`.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

from portal.bootstrap.libraries import tracer
from portal.demo.processes import wait_until
from tests.faults.installation import Lines

# What makes a change last or leave, and what follows at once: a page of the database's file, its way to the disk and
# its locks; a message to a server, and the server's answer.
CALLS = "pwrite64,fdatasync,fsync,fcntl,connect,sendto,recvfrom"


class Traced:
    """Asks a doer, whose act runs into `fault` at the system call that `die_at` counts.

    Which one that is, is known from the shortest act that ran to its end: one that waited for a lock called more often.
    Strace counts each name by itself.
    """

    def __init__(self, doer: Lines, folder: Path, fault: str = "signal=KILL") -> None:
        self.doer, self.log, self.fault = doer, folder / "strace.log", fault
        self.names: list[str] = []

    def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        asked = dict(asked)
        if die_at := asked.pop("die_at", 0):
            name = self.names[die_at - 1]
            return self._asked(asked, f"inject={name}:{self.fault}:when={self.names[:die_at].count(name)}")
        said = self._asked(asked)
        self.names = min(filter(None, (self.names, self._called())), key=len)
        return said | {"points": self.names}

    def _asked(self, asked: dict[str, Any], *fault: str) -> dict[str, Any]:
        """Strace counts by process as well: the fork that does the act begins at one."""
        options = ["-f", "-qq", "-o", str(self.log), "-p", str(self.doer.pid)]
        told = [part for expression in (f"trace={CALLS}", *fault) for part in ("-e", expression)]
        with subprocess.Popen([tracer() or "strace", *options, *told], stderr=subprocess.PIPE, text=True) as tracing:
            try:
                attached = wait_until(lambda: self._is_traced() or tracing.poll() is not None, seconds=10, every=0.005)
                assert attached and self._is_traced(), tracing.communicate()[1]  # noqa: PT018
                return self.doer.ask(asked)
            finally:
                tracing.send_signal(signal.SIGINT)
                tracing.wait(10)

    def _is_traced(self) -> bool:
        return "TracerPid:\t0\n" not in Path(f"/proc/{self.doer.pid}/status").read_text()

    def _called(self) -> list[str]:
        """The calls of the fork, in order: a line of the log is `PID call(…`."""
        rows = [line.split(None, 1) for line in self.log.read_text().splitlines()]
        return [row.partition("(")[0] for pid, row in rows if "(" in row and int(pid) != self.doer.pid]
