"""Run one program under `wrapper.py` and see it to its end, seen from the worker."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from incidents.connectors import strays, wrapper
from incidents.connectors.output import Capture
from incidents.connectors.watch import NotOurs, OutOfTime, Watch

WRAPPER = Path(wrapper.__file__).resolve()
# The wrapper has ended everything by its own deadline plus `ENDING_SECONDS`; whatever is later is a wrapper in trouble.
GRACE_SECONDS = wrapper.ENDING_SECONDS + 0.1
FORCE_SECONDS = 0.3
CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Program:
    """What to execute. `mark` is one of the `NAME=value` in `env`, unlike that of any other run: strays show it."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    rlimits: Mapping[str, int]
    mark: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended: exited, deadline, let_go, cannot_start, never_began, or lost when nobody knows."""

    how: str
    code: int | None = None
    left: int = 0
    survivors: int = 0
    error: str = ""


def run(
    program: Program, seconds: float, watch: Watch, capture: Capture, shown: Callable[[], float] = lambda: float("inf")
) -> Ending:
    """Run it for at most `seconds`, with everything it prints going to `capture`.

    `shown()` is asked between two pieces of output, and says for how long it need not be asked again.

    Whatever happens here, also an exception of `alive`, nothing of it runs on. Raises `CannotStart`.
    """
    with Wrapped(program, time.monotonic() + seconds) as wrapped:
        try:
            while wrapped.is_open:
                wrapped.take(capture, min(watch.pulse(), shown()))
        except (NotOurs, OutOfTime):
            until = wrapped.let_go()
            while wrapped.is_open and (left := until - time.monotonic()) > 0:
                wrapped.take(capture, left)
    return wrapped.ending()


class CannotStart(Exception):
    """Not even the wrapper could be started, so nothing has run."""


class Wrapped:
    """The wrapper process with its three pipes: lifeline, output, status."""

    def __init__(self, program: Program, deadline: float) -> None:
        self._mark = program.mark
        self._told = b""
        self._status, status = os.pipe()
        try:
            self._process = self._start(program, deadline, status)
        except OSError as error:
            os.close(self._status)
            raise CannotStart(error.strerror) from error
        finally:
            os.close(status)
        self._lifeline, self._output = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        self._open = {self._output.fileno(), self._status}
        self._output_ends = float("inf")

    @staticmethod
    def _start(program: Program, deadline: float, status: int) -> subprocess.Popen[bytes]:
        terms = [str(os.getpid()), repr(deadline), str(status), json.dumps(dict(program.rlimits))]
        return subprocess.Popen(  # noqa: S603 - argv comes from the allow-list
            [sys.executable, "-I", "-S", str(WRAPPER), *terms, *program.argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            env=dict(program.env),
            cwd=program.cwd,
            pass_fds=(status,),
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    @property
    def is_open(self) -> bool:
        """Tell whether the wrapper, or anything that holds the output, is still there; the latter only for a moment."""
        if self._status not in self._open and time.monotonic() > self._output_ends:
            return False
        return bool(self._open)

    def take(self, capture: Capture, seconds: float) -> None:
        """Wait at most so long for output or news, and take it."""
        poll = select.poll()
        for number in self._open:
            poll.register(number, select.POLLIN)
        seconds = min(seconds, max(0.0, self._output_ends - time.monotonic()))
        for number, _ in poll.poll(1000 * seconds):
            chunk = os.read(number, CHUNK)
            if not chunk:
                self._close(number)
            elif number == self._status:
                self._told += chunk
            else:
                capture.feed(chunk)

    def _close(self, number: int) -> None:
        self._open.discard(number)
        if number == self._status:
            # The wrapper is gone; only a process that it could not end still holds the output open.
            self._output_ends = time.monotonic() + FORCE_SECONDS

    def let_go(self) -> float:
        """Drop the lifeline, which ends everything; return until when that may take."""
        self._lifeline.close()
        return time.monotonic() + FORCE_SECONDS

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(FORCE_SECONDS)
        if self._process.returncode is None or self.ending().how in {"lost", "never_began"}:
            strays.end(self._process.pid, self._mark, FORCE_SECONDS, self._process.poll)
        self._process.wait()
        self._output.close()
        os.close(self._status)

    def ending(self) -> Ending:
        """Read what the wrapper told."""
        events = self._told.splitlines()
        last: dict[str, Any] = json.loads(events[-1]) if events else {"event": "never_began"}
        match last["event"]:
            case "ended":
                return Ending(last["reason"], last["code"], last["left"], last["survivors"])
            case "cannot_start":
                return Ending("cannot_start", error=last["error"])
            case "starting":
                return Ending("lost")
        return Ending("never_began")
