"""The clock of a Python process that found this folder in its PYTHONPATH: as far ahead as SHIFTED_BY's file says.

The file may change at any time. What the process asks of SQLite has the same clock; a database server has its own, and
what counts seconds (`time.monotonic`) goes on as ever, as on a machine whose clock somebody sets.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import time_machine

_PLACE = Path(os.environ["SHIFTED_BY"])
_started = time_machine.travel(datetime.now(UTC), tick=True)
_clock = _started.start()
# To start takes a moment, in which the time of day has gone on.
_clock.shift(time_machine.escape_hatch.time.time() - time.time())
_ahead = 0.0


def _follow() -> None:
    global _ahead
    while True:
        wanted = float(_PLACE.read_text() or _ahead)
        if wanted != _ahead:
            _clock.shift(wanted - _ahead)
            _ahead = wanted
        time.sleep(0.05)


def _begin() -> None:
    threading.Thread(target=_follow, daemon=True).start()


class _Connection(sqlite3.Connection):
    """A connection whose `'now'` is ours."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.create_function("strftime", -1, _strftime)


_plain = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
_one_at_a_time = threading.Lock()


def _strftime(form: str, moment: Any, *changes: str) -> Any:
    if str(moment).lower() == "now":
        moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    marks = ", ".join("?" * (2 + len(changes)))
    with _one_at_a_time:
        return _plain.execute(f"SELECT strftime({marks})", (form, moment, *changes)).fetchone()[0]


def _connect(*arguments: Any, **named: Any) -> sqlite3.Connection:
    named.setdefault("factory", _Connection)
    return _real(*arguments, **named)


_real = sqlite3.connect
sqlite3.connect = sqlite3.dbapi2.connect = _connect  # type: ignore[assignment]
_begin()
# A thread does not live on in a forked process, nor is a lock that it held let go.
os.register_at_fork(after_in_child=_begin)
