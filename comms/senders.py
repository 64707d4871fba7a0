"""Some connections to the mail server side by side, each in a thread that knows nothing of the database."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from comms.models import Delivery
from comms.smtp import Line, Outcome, Verdict


class Senders:
    """Takes copies, sends each on whichever connection is free, and hands back how it ended.

    A connection that cannot be opened ends its sender: where the server takes fewer at once, the others go on.
    """

    def __init__(self, number: int) -> None:
        """`number`: how many at once at most; each begins when it is needed."""
        self.number = number
        self._waiting: SimpleQueue[Delivery | None] = SimpleQueue()
        self._ended: SimpleQueue[tuple[Delivery, Outcome | Exception]] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lost = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._waiting.put(None)
        if error is None:
            for thread in self._threads:
                thread.join()

    @property
    def are_lost(self) -> bool:
        """Whether no connection is left on which anything could be sent."""
        return self._lost == len(self._threads)

    def give(self, copy: Delivery) -> None:
        if len(self._threads) < self.number:
            thread = threading.Thread(target=self._send, name="mail-sender", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._waiting.put(copy)

    def ended(self, *, seconds: float) -> tuple[Delivery, Outcome] | None:
        """The next copy whose try has ended, or None where none does in this time. Raises what a sender raised."""
        try:
            copy, outcome = self._ended.get(timeout=max(seconds, 0.001))
        except Empty:
            return None
        if isinstance(outcome, Exception):
            raise outcome
        self._lost += outcome.verdict is Verdict.UNREACHABLE
        return copy, outcome

    def _send(self) -> None:
        with Line() as line:
            while copy := self._waiting.get():
                try:
                    outcome = line.send(copy.email, bytes(copy.content))
                except Exception as error:  # noqa: BLE001 - the thread that waits for this copy raises it
                    self._ended.put((copy, error))
                    return
                self._ended.put((copy, outcome))
                if outcome.verdict is Verdict.UNREACHABLE:
                    return
