"""Workers die and the mail server misbehaves (F11, F13): each reader gets each update, nobody waits for another."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter

import pytest

from portal.demo.processes import Child, wait_until
from tests.faults.invariants import EXPECTED
from tests.faults.mail.office import OWNER, Office, whims

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
READERS, UPDATES = 150, "ABBB"
KILLS = 10


def issue_all(office: Office, reference: str) -> None:
    for number, kind in enumerate(UPDATES):
        office.issue(reference, kind, f"Word {number}.")


def is_explained(office: Office, reference: str) -> None:
    """The log accounts for every copy, and nothing broke that no fault explains (I5, I6)."""
    verdict = office.portal.ask("GET", f"incidents/{reference}/evidence/verify", "commander").value
    assert (verdict["code"], verdict["gaps"], verdict["reason"]) == (0, [], ""), verdict
    is_calm(office)


def is_calm(office: Office) -> None:
    found = office.portal.tracebacks(EXPECTED, office.logs)
    assert not found, found[0]


def test_kills_and_a_hostile_server_lose_nothing_and_split_no_message(office: Office) -> None:
    reference = office.incident(readers=READERS)
    portal, server = office.portal, office.server
    refused = sorted(office.addresses)[13]
    chance = whims(_451_rcpt=0.03, before_dot=0.02, after_dot=0.02, _452_dot=0.01, stall_data=0.01)
    server.answers_after_seconds = 0.04
    server.judge = lambda address: "550 rcpt" if address == refused else chance(address)
    server.greet = whims(_421_banner=0.03, ehlo=0.02)

    issuing = threading.Thread(target=issue_all, args=(office, reference))
    issuing.start()
    for number in range(KILLS):
        threading.Event().wait(portal.random.uniform(0.4, 1.4))
        if number % 3:
            portal.kill_child(portal.random.choice(portal.workers))
        else:
            portal.kill_group(portal.random.choice(portal.workers))
            portal.start_worker()
    issuing.join()
    server.greet = lambda: ""
    office.settled(reference, seconds=60)

    server.answers_after_seconds = 0
    told, rows = office.told(), office.copies(reference)
    twice = len(server.kept) - len(told)
    states = Counter(state for _, _, state, _ in rows)
    sys.stderr.write(f"{portal.engine} F11: {len(rows)} mails, {dict(states)}, {KILLS} kills: {twice} came twice\n")
    assert len(rows) == READERS * len(UPDATES)
    assert set(told) == {(email, sequence) for email, sequence, state, _ in rows if state == "sent"}
    assert all(len(ids) == 1 for ids in told.values()), "two Message-IDs for one reader"
    assert {row[0] for row in rows if row[2] == "failed"} == {refused}
    assert states == {"sent": (READERS - 1) * len(UPDATES), "failed": len(UPDATES)}
    is_explained(office, reference)


def test_one_bad_address_holds_up_nobody_and_is_seen(office: Office) -> None:
    reference = office.incident(readers=60)
    stalling, unknown, *others = sorted(office.addresses)
    words = {stalling: "stall rcpt", unknown: "550 rcpt"}
    office.server.judge = lambda address: words.get(address, "")
    begun = time.monotonic()

    issued = office.issue(reference, "A")

    assert wait_until(lambda: len(office.server.kept) >= len(others), seconds=20)
    slowest = max(kept.at for kept in office.server.kept) - begun
    sys.stderr.write(f"{office.portal.engine} F11: the last of {len(others)} beside a bad one: {slowest:.1f} s\n")
    assert slowest < 5
    office.behave()
    office.settled(reference, seconds=30)
    shown = office.portal.ask("GET", f"incidents/{reference}/notices", OWNER).value["issued"][0]["deliveries"]
    failed = [copy for copy in shown if copy["state"] == "failed"]
    assert [(copy["email"], copy["answer"]) for copy in failed] == [(unknown, "550 4.0.0 scripted")]
    path = f"incidents/{reference}/notices/copies/{failed[0]['id']}/again"
    assert office.portal.ask("POST", path, OWNER, {"address": "mended@example.test"}).status == 200
    office.settled(reference, seconds=20)
    assert len(office.server.to("mended@example.test")) == 1
    assert issued["sequence"] == 1
    is_explained(office, reference)


def test_two_clocks_and_four_sweepers_remind_once_after_hours_of_silence(office: Office) -> None:
    reference = office.incident(readers=1)
    children = [_second_clock(office), *(_sweeper(office, number) for number in range(4))]
    try:
        office.stage("silent", reference, "10")
        assert wait_until(lambda: len(office.copies(reference)) >= 2, seconds=30)
        office.settled(reference, seconds=30)
        threading.Event().wait(3)  # several more rounds of each of them
    finally:
        for child in children:
            child.kill()

    where = {"incident__reference": reference, "kind": "reminder"}
    notices = office.portal.hand.all_rows("comms.Notice", "slot", **where)
    assert len(notices) == 1, notices
    assert Counter(kept.to for kept in office.server.kept) == {email: 1 for email, *_ in office.copies(reference)}
    is_calm(office)


def _second_clock(office: Office) -> Child:
    kept = ["-s", str(office.portal.folder / "second-schedule"), "--pidfile="]
    command = [sys.executable, "-m", "celery", "-A", "portal.celery", "beat", *kept]
    return Child("beat2", command, office.portal.places.log("beat2"), office.portal.env).start()


def _sweeper(office: Office, number: int) -> Child:
    command = [sys.executable, "manage.py", "sweep", "--loop", "--every", "0.2"]
    return Child(f"sweep{number}", command, office.portal.places.log(f"sweep{number}"), office.portal.env).start()
