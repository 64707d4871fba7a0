"""Forks Celery workers from a process that has imported the portal once: a tenth of a worker's usual start.

One JSON line per worker comes in on standard input, its process id goes out.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from portal.demo.processes import PR_SET_PDEATHSIG, Child


class Nursery:
    """The parent's side: asks for workers."""

    def __init__(self, log: Path, env: dict[str, str]) -> None:
        """Start the process; it is ready when it answers its first request."""
        self._output = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            text=True,
        )

    def start(self, child: Child) -> Child:
        """Fork a worker in the place of the child's own start; `child.command` holds the worker's arguments."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([list(child.command), str(child.log)]), file=self._process.stdin, flush=True)
        child.process = Forked(int(self._process.stdout.readline()))
        return child

    def close(self) -> None:
        """End the process and with it whatever it still has."""
        self._process.terminate()
        self._process.communicate()
        self._output.close()


class Forked:
    """A process that is not our child, with the part of Popen that a Child needs."""

    def __init__(self, pid: int) -> None:
        """Stand for this process."""
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """None while it lives."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            self.returncode = 0
        return self.returncode

    def wait(self, timeout: float = 10) -> int:
        """Wait until it is gone."""
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.01)
        return 0

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


def _serve() -> None:
    import django

    django.setup()
    from portal.celery import app

    app.loader.import_default_modules()
    # The kernel reaps for us; a worker waits for its own children, so it undoes this.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        arguments, log = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become_worker(arguments, log)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _become_worker(arguments: Sequence[str], log: str) -> None:
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target in (1, 2):
        os.dup2(output, target)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    from portal.celery import app

    sys.argv = ["celery", "worker"]
    app.worker_main(list(arguments))
    os._exit(0)


if __name__ == "__main__":
    _serve()
