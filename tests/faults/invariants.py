"""What holds whatever broke meanwhile (I1 to I7), asked from outside: over HTTP, in ledgers, in the exported bundle."""

from __future__ import annotations

import json
import mailbox
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from io import BytesIO
from pathlib import Path
from typing import Any

from portal.demo.processes import wait_until
from tests.faults.installation import Answer, Installation

# What a worker or the clock logs when its child or its broker was taken from it.
EXPECTED = r"WorkerLostError|redis\.exceptions|kombu\.exceptions|ConnectionError|ConnectionRefusedError|BrokenPipeError"
PENDING = {"queued", "leased", "started"}
ENDS = {"action.succeeded", "action.failed", "action.unknown", "action.cancelled"}

# The action's owner and the commander.
READERS = 2
_KEY = re.compile(r"knows this attempt as ([0-9a-f-]{36})")


@dataclass
class Scenario:
    """Some incidents of an installation, what was acknowledged to whom, and what was in work at a fault."""

    portal: Installation
    incidents: list[dict[str, Any]]
    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)
    in_work: set[str] = field(default_factory=set)
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    freezes: list[Answer] = field(default_factory=list)
    logs: dict[Path, int] = field(init=False)

    def __post_init__(self) -> None:
        self.logs = self.portal.logs()

    @property
    def keys(self) -> set[str]:
        return set(self.acknowledged)

    @property
    def actions(self) -> list[tuple[str, str]]:
        """Every action, the incidents taking turns."""
        longest = max(len(incident["actions"]) for incident in self.incidents)
        return [
            (incident["reference"], incident["actions"][turn])
            for turn in range(longest)
            for incident in self.incidents
            if turn < len(incident["actions"])
        ]

    def dispatch(self, reference: str, action: str, role: str = "api_lead") -> Answer:
        """Dispatch one action as a person does; what was acknowledged is remembered."""
        answer = self.portal.ask("POST", f"incidents/{reference}/rollback/actions/{action}/dispatch", role)
        self.answers.append((f"dispatch {action}", answer))
        if answer.status == 202:
            self.acknowledged[answer.value["id"]] = (reference, action)
        return answer

    def insist(self, reference: str, action: str) -> None:
        """Dispatch until it is acknowledged, or refused because it runs already."""
        done = wait_until(lambda: self.dispatch(reference, action).status in (202, 409), seconds=40, every=0.2)
        assert done, self.answers[-1]

    @contextmanager
    def asked_at_the_gate(self, every: float = 0.05) -> Iterator[None]:
        """A pipeline asks for each product in turn, all the while."""
        over = threading.Event()

        def ask() -> None:
            turn = 0
            while not over.wait(every):
                product = self.incidents[turn % len(self.incidents)]["product"]
                self.freezes.append(self.portal.ask("GET", f"freeze/{product}/check?operation=merge", "commander"))
                turn += 1

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            yield
        finally:
            over.set()
            asking.join()

    def under(self, faults: list[Callable[[], Any]], *, seconds: tuple[float, float], settled: float = 60) -> float:
        """Dispatch every action while one fault after the other strikes, and wait until all is settled.

        Args:
            seconds: the shortest and the longest pause before a fault.
            settled: in how many seconds after the last of them nothing may wait or run any more.

        Returns:
            In how many it was.
        """
        sending = threading.Thread(target=on_each, args=(lambda one: self.insist(*one), self.actions))
        with self.asked_at_the_gate():
            sending.start()
            for fault in faults:
                time.sleep(self.portal.random.uniform(*seconds))
                fault()
            sending.join()
            return self.settled(seconds=settled)

    def states(self) -> Counter[str]:
        return Counter(self.portal.attempts(self.keys).values())

    def settled(self, *, seconds: float) -> float:
        """Wait until nothing waits or runs any more; returns how long that took. Fails with what is left (I3)."""
        began = time.monotonic()
        done = wait_until(lambda: not PENDING & set(self.states()), seconds=seconds, every=0.1)
        assert done, f"{self.states()} after {seconds} s\n{self.portal.tails()}"
        return time.monotonic() - began


@dataclass(frozen=True)
class Result:
    """The figures of a scenario."""

    actions: int
    lost: int
    doubled: int
    unknown: int
    in_work: int
    states: dict[str, int]

    def __str__(self) -> str:
        return (
            f"{self.actions} actions: {self.lost} lost, {self.doubled} doubled, {self.unknown} unknown of "
            f"{self.in_work} in work at a fault; {self.states}"
        )


def check(
    scenario: Scenario, name: str, *, outage: bool = False, ledger: bool = True, expected: str = EXPECTED
) -> Result:
    """Fail unless every invariant holds. Prints the figures.

    Args:
        ledger: whether the actions went to the target that counts.
        outage: whether the scenario took the database or the web server away, so that 503 or no answer is allowed.
        expected: the tracebacks that the scenario's faults explain.
    """
    portal, states = scenario.portal, scenario.portal.attempts(scenario.keys)
    times = portal.target.times(scenario.keys)
    unknown = {key for key, state in states.items() if state == "unknown"}
    result = Result(
        actions=len(scenario.keys),
        lost=sum(1 for key, state in states.items() if ledger and state == "succeeded" and not times[key])
        + len(scenario.keys - set(states)),
        doubled=sum(1 for key in scenario.keys if times[key] > 1),
        unknown=len(unknown),
        in_work=len(scenario.in_work),
        states=dict(Counter(states.values())),
    )
    sys.stderr.write(f"{portal.engine} {name}: {result}\n")
    nobodys = [_story(scenario, key) for key in sorted(unknown - scenario.in_work)]
    assert not nobodys, f"nobody was at these when it broke: {json.dumps(nobodys, indent=1)}"
    assert (result.lost, result.doubled) == (0, 0), result
    assert not PENDING & set(result.states), result
    _readable(scenario, states)
    for incident in scenario.incidents:
        _proven(scenario, incident["reference"])
    _told(portal, unknown)
    wrong = [(what, a) for what, a in scenario.answers if a.status >= 500 or not a.status]
    assert outage or not wrong, wrong[:5]
    surprises = portal.tracebacks(expected, scenario.logs)
    assert not surprises, "\n".join(surprises)
    _never_open(scenario, outage=outage)
    return result


def _story(scenario: Scenario, key: str) -> list[Any]:
    """What is known of an attempt that should not have been lost: who had it, and what the log says of it."""
    [[owner, started_at, finished_at]] = scenario.portal.hand.rows(
        "Attempt", "lease_owner", "started_at", "finished_at", id=key
    )
    entries = bundle_entries(scenario.portal, scenario.acknowledged[key][0])
    said = [[one["at"], one["body"]["sentence"]] for one in entries if one["body"].get("attempt") == key]
    return [key, owner, str(started_at), str(finished_at), *said]


def _readable(scenario: Scenario, states: dict[str, str]) -> None:
    """I1: whatever was acknowledged is there, and says the same to people as the rows do."""
    for incident in scenario.incidents:
        answer = scenario.portal.ask("GET", f"incidents/{incident['reference']}", "api_lead")
        assert answer.status == 200, answer
        shown = {
            attempt["id"]: (attempt["state"], action["state"])
            for action in answer.value["actions"]
            for attempt in action["attempts"]
        }
        ours = {key for key, (reference, _) in scenario.acknowledged.items() if reference == incident["reference"]}
        assert ours <= set(shown), f"acknowledged and not there: {ours - set(shown)}"
        assert {key: shown[key][0] for key in ours} == {key: states[key] for key in ours}
        assert all(action == "unknown" for attempt, action in shown.values() if attempt == "unknown"), shown


def _proven(scenario: Scenario, reference: str) -> None:
    """I5: the log explains every row, the bundle verifies, each attempt was queued, started and ended once."""
    portal = scenario.portal
    verdict = portal.ask("GET", f"incidents/{reference}/evidence/verify", "commander").value
    assert (verdict["code"], verdict["gaps"], verdict["reason"]) == (0, [], ""), verdict
    entries = bundle_entries(portal, reference)
    said: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if attempt := entry["body"].get("attempt"):
            said[attempt].append(entry["kind"])
    for key, (where, _) in scenario.acknowledged.items():
        if where == reference:
            kinds = Counter(said[key])
            assert kinds["action.queued"] >= 1, (key, said[key])
            assert kinds["action.started"] == kinds["action.queued"] - _called_off(kinds), (key, said[key])
            assert sum(kinds[kind] for kind in ENDS) == 1, (key, said[key])


def _told(portal: Installation, unknown: set[str]) -> None:
    """Of each outcome that nobody knows the action's owner and the commander got one mail (I4)."""
    told: dict[str, list[tuple[str, str]]] = {}

    def is_told() -> bool:
        told.update(_mails(portal, unknown))
        return all(len({reader for reader, _ in told[key]}) >= READERS for key in unknown)

    done = not unknown or wait_until(is_told, seconds=60, every=0.5)
    assert done, f"not told of: {[(key, mails) for key, mails in told.items() if len(mails) < READERS]}"
    assert all(len({*mails}) == READERS for mails in told.values()), f"two Message-IDs for one reader: {told}"


def _mails(portal: Installation, keys: set[str]) -> dict[str, list[tuple[str, str]]]:
    """Who got which mail about each of these attempts."""
    found: dict[str, list[tuple[str, str]]] = {key: [] for key in keys}
    for raw in mailbox.Maildir(portal.folder / "mail"):
        if "nobody knows" not in str(raw["Subject"]):
            continue
        message = message_from_bytes(raw.as_bytes(), policy=default)
        part = message.get_body(("plain",))
        for key in _KEY.findall(part.get_content() if part else ""):
            if key in found:
                found[key].append((str(message["Delivered-To"]), str(message["Message-ID"])))
    return found


def _called_off(kinds: Counter[str]) -> int:
    """Attempts that were cancelled before they started have no start."""
    return 1 if kinds["action.cancelled"] and kinds["action.queued"] > kinds["action.started"] else 0


def bundle_entries(portal: Installation, reference: str) -> list[dict[str, Any]]:
    """The entries of an exported bundle, which its own verifier has found whole."""
    answer = portal.ask("GET", f"incidents/{reference}/bundle.zip", "commander", seconds=60)
    assert answer.status == 200, answer
    file = portal.folder / "scratch" / f"{reference}-{time.monotonic_ns()}.zip"
    file.write_bytes(answer.value)
    with zipfile.ZipFile(BytesIO(answer.value)) as archive:
        verifier = file.with_suffix(".py")
        verifier.write_bytes(archive.read("verify.py"))
        lines = archive.read("entries.jsonl").splitlines()
    done = subprocess.run(
        [sys.executable, "-I", str(verifier), str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [{"at": row["at"], **row["entry"]} for row in map(json.loads, lines)]


def _never_open(scenario: Scenario, *, outage: bool) -> None:
    """I7: from the declaration on the gate denies; where it cannot know, it denies as well."""
    said = Counter((answer.status, (answer.value or {}).get("decision")) for answer in scenario.freezes)
    allowed = {(200, "deny")} | ({(503, "deny"), (0, None)} if outage else set())
    assert set(said) <= allowed, said


def on_each(act: Callable[[Any], Any], things: list[Any], *, threads: int = 8) -> list[Any]:
    """Do it for each, several at a time, in order."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(act, things))
