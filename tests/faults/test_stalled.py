"""A worker that stands still past its lease and wakes up again (F12): it may report, it may change nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from portal.demo.processes import wait_until
from tests.faults.installation import SETTINGS, Installation, children
from tests.faults.invariants import Scenario, bundle_entries, check, on_each
from tests.faults.target import Hit

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
LEASE = int(SETTINGS["LASTGOOD_ATTEMPT_LEASE_SECONDS"])


def test_a_late_result_is_recorded_and_changes_nothing(portal: Installation, scenario: Callable[..., Scenario]) -> None:
    found, released = scenario(number=1, actions=1, paths=("late",)), threading.Event()

    def late(hit: Hit) -> tuple[int, bytes]:
        released.wait(60)
        return 200, b'{"id": "late"}'

    portal.target.scripts["late"] = late
    found.insist(*found.actions[0])
    assert wait_until(lambda: bool(portal.target.of(found.keys)), seconds=10)
    [key] = found.keys
    [owner] = [g for g in portal.workers if portal.in_work_of({g.process.pid, *children(g.process.pid)})]

    with portal.asleep(owner) as in_work:
        assert in_work == found.keys
        found.in_work |= in_work
        assert wait_until(lambda: found.states() == {"unknown": 1}, seconds=LEASE + 15), found.states()
        released.set()
    reference = found.incidents[0]["reference"]
    assert wait_until(lambda: "action.late_result" in kinds(portal, reference), seconds=20), kinds(portal, reference)

    check(found, "F12 late result")
    late_entry = next(entry for entry in bundle_entries(portal, reference) if entry["kind"] == "action.late_result")
    assert (late_entry["body"]["attempt"], late_entry["body"]["epoch"]) == (key, 1)
    assert found.states() == {"unknown": 1}
    assert len(portal.target.of(found.keys)) == 1


def kinds(portal: Installation, reference: str) -> list[str]:
    return [entry["kind"] for entry in bundle_entries(portal, reference)]


def test_workers_stopped_at_any_moment_send_nothing_twice(
    portal: Installation, scenario: Callable[..., Scenario]
) -> None:
    found = scenario(number=4, actions=20, paths=("a", "b", "c"))
    portal.target.seconds = (0.02, 0.1)
    sending = threading.Thread(target=on_each, args=(lambda one: found.insist(*one), found.actions))

    sending.start()
    for turn in range(2):
        time.sleep(portal.random.uniform(0.2, 0.6))
        with portal.asleep(portal.workers[turn % len(portal.workers)]) as in_work:
            found.in_work |= in_work
            time.sleep(LEASE + 2)
    sending.join()
    found.settled(seconds=60)

    result = check(found, "F12 workers stopped past their lease")
    assert result.actions == 80
