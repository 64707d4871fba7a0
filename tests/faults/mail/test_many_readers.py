"""Every update of an incident to hundreds of readers, through a server that answers 20 ms late (L5).

LASTGOOD_LOAD_READERS sets how many readers; the whole scenario has 500.
"""

from __future__ import annotations

import os
import sys
import time

import pytest

from tests.faults.mail.office import Office

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
READERS, UPDATES = int(os.environ.get("LASTGOOD_LOAD_READERS", "100")), "ABBB"
SECONDS_FOR_500 = 120


def test_hundreds_of_readers_get_four_updates_in_two_minutes_each_alone(office: Office) -> None:
    reference = office.incident(readers=READERS)
    office.server.answers_after_seconds = 0.02
    begun = time.monotonic()

    for number, kind in enumerate(UPDATES):
        office.issue(reference, kind, f"Word {number}.")
    office.settled(reference, seconds=SECONDS_FOR_500)

    taken = max(kept.at for kept in office.server.kept) - begun
    told = office.told()
    sys.stderr.write(f"{office.portal.engine} L5: {len(told)} mails in {taken:.1f} s\n")
    assert set(told) == {(email, number) for email in office.addresses for number in range(1, len(UPDATES) + 1)}
    assert all(len(ids) == 1 for ids in told.values())
    assert len(office.server.kept) == len(told)
    assert taken < max(SECONDS_FOR_500 * READERS / 500, 20)
