"""Child processes that end with us, however we end."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Child:
    """One process in a group of its own, with its output in a file."""

    name: str
    command: Sequence[str]
    log: Path
    env: dict[str, str]
    keep: Sequence[int] = ()
    user: str | None = None
    patience_seconds: float = 8
    process: subprocess.Popen = field(init=False, repr=False)

    def start(self) -> "Child":
        """Start it. Call from the main thread: the kernel ties the death signal to the thread that forks."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(self.keep),
                process_group=0,
                preexec_fn=follow_parent(os.getpid()),
                user=self.user,
                group=_group_of(self.user) if self.user else None,
                extra_groups=[] if self.user else None,
            )
        return self

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def tail(self, lines: int = 25) -> str:
        """The last lines it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, *, by: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end, wait, then end what is left of its group."""
        with suppress(ProcessLookupError):
            self.process.send_signal(by)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(self.patience_seconds)
        self.kill()

    def kill(self) -> None:
        """End the whole group at once, and wait for it."""
        self.strike()
        self.process.wait()

    def strike(self) -> None:
        """End the whole group without waiting: a signal handler may have interrupted a wait that holds its lock."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


def wait_until(holds: Callable[[], bool], *, seconds: float, every: float = 0.03) -> bool:
    """Ask again and again until it holds or the time is up."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def follow_parent(parent: int) -> Callable[[], None]:
    """What a new process does first: have the kernel end it when its parent ends."""

    def follow() -> None:
        if LIBC:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return follow


def _group_of(user: str) -> int:
    return pwd.getpwnam(user).pw_gid
