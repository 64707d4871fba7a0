"""Keep one command, and everything it starts, inside one deadline. Its own process; standard library only.

    python -I -S wrapper.py <parent pid> <deadline, CLOCK_MONOTONIC> <status fd> <rlimits as JSON> /absolute/program …

It is started as leader of a new session. Standard input is a lifeline: when the other end closes, even by `kill -9`
of the worker, everything dies. As a child subreaper it inherits whatever the command orphans, double forks and new
sessions included, and ends it as well. What it cannot end is a process of another user (sudo): those it counts. If
somebody kills the wrapper and the worker in the same instant, the command itself still dies (PDEATHSIG), what that
has started may not; a container or a systemd scope around the worker closes this gap.

On the status descriptor: `{"event": "starting"}` before the command can have run, then one of `{"event":
"cannot_start", "error"}` or `{"event": "ended", "reason": "exited"|"deadline"|"let_go", "code", "left", "survivors"}`,
`code` as in `os.waitstatus_to_exitcode`. Starting and nothing after it means that nobody knows.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LIFELINE = 0
PARENT_CHECK_SECONDS = 0.5
ENDING_SECONDS = 1.0
RESCAN_SECONDS = 0.02


def main(arguments: list[str]) -> None:
    """Run the command and tell how it ended."""
    parent, deadline, status, rlimits, *argv = arguments
    os.set_inheritable(int(status), False)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    wakeup = watch_children()
    tell(int(status), event="starting")
    child, error = start(argv, json.loads(rlimits))
    if error:
        tell(int(status), event="cannot_start", error=error)
        return
    reason, code = follow(child, int(parent), float(deadline), wakeup)
    left, survivors, late = end_everything(child, wakeup)
    code = late if code is None else code
    tell(int(status), event="ended", reason=reason, code=code, left=left, survivors=survivors)


def tell(status: int, **event: object) -> None:
    """Write one line for the worker; it may be gone."""
    try:
        os.write(status, json.dumps(event).encode() + b"\n")
    except OSError:
        return


def prctl(option: int, value: int) -> None:
    """Call prctl(2), Linux only. Raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def watch_children() -> int:
    """Make SIGCHLD and SIGTERM wake a poll; return the descriptor to poll."""

    def note(number: int, frame: FrameType | None) -> None:
        """Only the wakeup byte matters."""

    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGCHLD, note)
    signal.signal(signal.SIGTERM, note)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    return reading


def start(argv: list[str], rlimits: dict[str, int]) -> tuple[int, str]:
    """Fork and execute; return the pid, or why it could not be executed."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    wrapper = os.getpid()
    pid = os.fork()
    if pid == 0:
        become(argv, rlimits, wrapper, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as problem:
        error = problem.read().decode("utf-8", "replace")
    if error:
        os.waitpid(pid, 0)
    return pid, error


def become(argv: list[str], rlimits: dict[str, int], wrapper: int, problem: int) -> None:
    """Turn the forked child into the command: own group, dies with the wrapper, bounded, no input. Never returns."""
    try:
        os.setpgid(0, 0)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != wrapper:
            os._exit(1)
        for name, value in rlimits.items():
            bound(getattr(resource, f"RLIMIT_{name}"), value)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execv(argv[0], argv)  # noqa: S606 - no shell is the point
    except Exception as error:  # noqa: BLE001 - told to the wrapper; in a forked child there is nobody else to tell
        os.write(problem, (getattr(error, "strerror", None) or str(error)).encode())
    finally:
        os._exit(127)


def bound(kind: int, value: int) -> None:
    """Set one limit, never above the hard one that is already there."""
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def follow(child: int, parent: int, deadline: float, wakeup: int) -> tuple[str, int | None]:
    """Wait until the command ends, the deadline passes or the worker lets go; return which, and the exit code."""
    poll = select.poll()
    poll.register(LIFELINE, select.POLLIN)
    poll.register(wakeup, select.POLLIN)
    while True:
        code = reap().get(child)
        if code is not None:
            return "exited", code
        left = deadline - time.monotonic()
        if left <= 0:
            return "deadline", None
        if os.getppid() != parent:
            return "let_go", None
        ready = [number for number, _ in poll.poll(1000 * min(left, PARENT_CHECK_SECONDS))]
        if LIFELINE in ready or (wakeup in ready and signal.SIGTERM in os.read(wakeup, 4096)):
            return "let_go", None


def reap() -> dict[int, int]:
    """Collect whatever has ended, the command's orphans too; return exit codes by pid."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def end_everything(child: int, wakeup: int) -> tuple[int, int, int | None]:
    """SIGKILL the command's group at one stroke, then every descendant until none is left.

    Returns how many ended besides the command, how many would not, and the command's exit code if it came only now.
    """
    kill(-child)
    ended = reap()
    until = time.monotonic() + ENDING_SECONDS
    while has_children():
        alive = descendants(os.getpid())
        if time.monotonic() > until:
            break
        for pid in alive:
            kill(pid)
        if select.select([wakeup], [], [], RESCAN_SECONDS)[0]:
            os.read(wakeup, 4096)
        ended |= reap()
    else:
        alive = set()
    return len(ended.keys() - {child}), len(alive), ended.get(child)


def has_children() -> bool:
    """Tell whether anything is left; a subreaper has every orphan of its tree as a child."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def kill(pid: int) -> None:
    """SIGKILL a process, or a group by its negative number; it may be gone or another user's."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def descendants(root: int) -> set[int]:
    """Return the pids of everything below `root`, from /proc."""
    children: dict[int, list[int]] = {}
    for pid, parent, _ in processes():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    rest = [root]
    while rest:
        below = [pid for pid in children.get(rest.pop(), []) if pid not in found]
        found.update(below)
        rest += below
    return found


def processes() -> list[tuple[int, int, int]]:
    """Return (pid, parent, session) of each process; a zombie may still have running threads, so they count."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            try:
                fields = Path(entry.path, "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            except OSError:
                continue
            found.append((int(entry.name), int(fields[1]), int(fields[3])))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
