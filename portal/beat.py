"""The clock behind the sweeps. Celery's own waits for the time of day: set back an hour, it sweeps nothing for one."""

from __future__ import annotations

from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry


class Scheduler(PersistentScheduler):
    """Begins anew where the time of day went back since something last ran."""

    def tick(self, *arguments: Any, **named: Any) -> Any:
        """Do one thing that is due; the seconds until the next."""
        if ahead := [entry for entry in self.schedule.values() if _is_ahead(entry)]:
            for entry in ahead:
                entry.last_run_at = entry.default_now()
            self._heap = None
        return super().tick(*arguments, **named)


def _is_ahead(entry: ScheduleEntry) -> bool:
    schedule = entry.schedule
    return bool(schedule.maybe_make_aware(entry.last_run_at) > schedule.maybe_make_aware(entry.default_now()))
