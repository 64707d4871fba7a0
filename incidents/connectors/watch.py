"""One total deadline, and the question whether the attempt is still ours, for whoever waits on the outside."""

from __future__ import annotations

import time

from incidents.connectors.base import Alive


class OutOfTime(Exception):
    """The total deadline has passed."""


class NotOurs(Exception):
    """The lease was lost, or people stopped the attempt: stop at once."""


class Watch:
    """Counts down from `seconds` and asks `alive` at most once per `every` seconds."""

    def __init__(self, seconds: float, alive: Alive, every: float) -> None:
        self.began = time.monotonic()
        self.ends = self.began + seconds
        self._alive = alive
        self._every = every
        self._next = self.began + every

    @property
    def left(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self.ends - time.monotonic())

    @property
    def spent_ms(self) -> int:
        """Milliseconds since the start, for the record."""
        return round((time.monotonic() - self.began) * 1000)

    def pulse(self) -> float:
        """Raise `OutOfTime` or `NotOurs` when it is time to stop; else return for how long one may wait, in seconds."""
        now = time.monotonic()
        if now >= self.ends:
            raise OutOfTime
        if now >= self._next:
            self.confirm()
        return max(0.0, min(self.ends, self._next) - now)

    def confirm(self) -> None:
        """Ask now, whatever was answered a moment ago: the last check before the first byte leaves."""
        if not self._alive():
            raise NotOurs
        self._next = time.monotonic() + self._every
