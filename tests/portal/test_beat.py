"""The clock behind the sweeps, when the time of day jumps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from portal.beat import Scheduler
from portal.celery import app

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


class Noting(Scheduler):
    """Notes what is due where the real one would publish it."""

    def apply_entry(self, entry: object, producer: object = None) -> None:
        self.due.append(str(entry.name))  # type: ignore[attr-defined]


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Noting]:
    with time_machine.travel(NOW, tick=False) as clock:
        made = Noting(app=app, schedule_filename=str(tmp_path / "schedule"))
        made.due, made.clock = [], clock
        made.reserve  # noqa: B018
        yield made
        made.close()


def run(scheduler: Noting) -> set[str]:
    """What is due in the next seconds."""
    scheduler.due.clear()
    for _ in range(3 * len(scheduler.schedule)):
        scheduler.tick()
    return set(scheduler.due)


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=-2)])
def test_a_clock_that_jumps_holds_up_no_sweep(scheduler: Noting, jump: timedelta) -> None:
    scheduler.clock.shift(timedelta(seconds=30))
    assert {"sweep-actions", "sweep-mail"} <= run(scheduler)

    scheduler.clock.shift(jump)
    scheduler.tick()
    scheduler.clock.shift(timedelta(seconds=30))

    assert {"sweep-actions", "sweep-mail"} <= run(scheduler)
