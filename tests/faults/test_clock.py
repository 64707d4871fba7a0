"""The clock jumps an hour ahead and back, and summer time ends (F14): nothing lapses early, nothing is said twice.

On SQLite the whole machine's clock jumps; with PostgreSQL the portal's does, and the database server's stands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.bootstrap.places import ROOT
from portal.demo.processes import wait_until
from tests.faults.conftest import ENGINES
from tests.faults.installation import GROUPS, Installation, installed
from tests.faults.invariants import Scenario, bundle_entries, check

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
HOUR = 3600
SHIFTED = Path(__file__).parent / "shifted"


class Clock:
    """The time of day in an installation, as it differs from ours; and the moment at which summer time ends there."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.set_ahead(0)
        self.winter_at = time.time() + 25

    def set_ahead(self, seconds: int) -> None:
        self.place.write_text(str(seconds))
        time.sleep(0.3)  # each process looks twenty times a second

    @property
    def settings(self) -> dict[str, str]:
        summer = time.gmtime(self.winter_at + HOUR)
        ends = f"J{summer.tm_yday - self._leap(summer)}/{summer.tm_hour}:{summer.tm_min:02}:{summer.tm_sec:02}"
        return {
            "SHIFTED_BY": str(self.place),
            "PYTHONPATH": f"{SHIFTED}:{ROOT}",
            "TZ": f"WINTER0SUMMER-1,J1/0,{ends}",
        }

    @staticmethod
    def _leap(moment: time.struct_time) -> int:
        """A `J` day does not count the 29th of February."""
        is_leap = moment.tm_year % 4 == 0 and (moment.tm_year % 100 != 0 or moment.tm_year % 400 == 0)
        return int(is_leap and moment.tm_yday > 59)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "ahead")


@pytest.fixture(params=ENGINES)
def portal(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Installation]:
    """An installation of its own, whose clock can be set."""
    with installed(request.param, **clock.settings) as running:
        yield running


def test_a_clock_that_jumps_lets_nothing_lapse_early_and_nothing_be_said_twice(
    portal: Installation, scenario: Callable[..., Scenario], clock: Clock
) -> None:
    found = scenario(number=2, actions=4, level="L3")
    portal.target.seconds = (0.05, 0.1)
    in_winter, late, running, waiting = ([one for one in found.actions if one[1].endswith(f"00{n}")] for n in range(4))
    approve(found, found.actions)

    wait_until(lambda: time.time() > clock.winter_at, seconds=60)
    each(found.insist, in_winter)
    found.settled(seconds=30)
    assert skews(found) == [], "summer time's end is no step back"

    clock.set_ahead(HOUR)
    refused = [found.dispatch(*one) for one in late]
    assert {answer.status for answer in refused} == {409}, "half an hour is over for all that the portal knows"
    assert wait_until(lambda: reminders(found) == [1, 1], seconds=20), reminders(found)
    approve(found, running + waiting)
    portal.target.seconds = (20, 20)
    each(found.insist, running)
    assert wait_until(lambda: found.states()["started"] == len(running), seconds=10), found.states()
    for group in list(portal.workers):
        found.in_work |= portal.kill_group(group)
    each(found.insist, waiting)
    portal.flush()

    clock.set_ahead(0)
    portal.target.seconds = (0.05, 0.1)
    for _ in range(GROUPS):
        portal.start_worker()
    each(found.insist, late)
    seconds = found.settled(seconds=40)

    result = check(found, f"F14 an hour ahead and back, settled in {seconds:.0f} s")
    assert result.states == {"succeeded": 6, "unknown": 2}
    assert reminders(found) == [1, 1]
    assert len({skew["incident"] for skew in skews(found)}) == len(found.incidents)
    for incident in found.incidents:
        moments = [entry["at"] for entry in bundle_entries(portal, incident["reference"])]
        assert moments == sorted(moments)


def each(act: Callable[..., Any], actions: list[tuple[str, str]]) -> None:
    for one in actions:
        act(*one)


def approve(found: Scenario, actions: list[tuple[str, str]]) -> None:
    for reference, action in actions:
        path = f"incidents/{reference}/rollback/actions/{action}/approve"
        answer = found.portal.ask("POST", path, "commander")
        assert answer.status in (200, 201), answer


def skews(found: Scenario) -> list[dict[str, Any]]:
    """What the logs say of a clock that went backwards."""
    return [
        {"incident": incident["reference"], "at": entry["at"], **entry["body"]}
        for incident in found.incidents
        for entry in bundle_entries(found.portal, incident["reference"])
        if entry["kind"] == "clock.skewed"
    ]


def reminders(found: Scenario) -> list[int]:
    """How often each incident was reminded of its update; once for each slot."""
    references = [incident["reference"] for incident in found.incidents]
    where = {"kind": "reminder", "incident__reference__in": references}
    slots = found.portal.hand.all_rows("comms.Notice", "incident__reference", "slot", **where)
    assert len({tuple(slot) for slot in slots}) == len(slots)
    return [sum(1 for of, _ in slots if of == reference) for reference in references]
