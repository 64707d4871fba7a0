"""Every way out of the portal that somebody other than the operator can point somewhere, and who watches them.

Scanner, mail server, database, broker and identity provider are named by the operator's settings alone.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from incidents.connectors import evidence_log, probe, registry, waiting, webhook
from incidents.connectors.base import Limits, Rehearsed
from incidents.connectors.evidence_log import NotFetched
from incidents.connectors.watch import Watch
from tests.incidents.connectors.cases import ALL, Case
from tests.incidents.connectors.given import KEY, a_job, always

SECONDS = 0.7
WORDS = {"field": "state", "succeeded": ["done"], "failed": ["broken"]}
BEGUN = {"id": "7", "queue": "7", "project": "7", "wait": "status"}


@dataclass(frozen=True)
class Door:
    """One way out: `go(url, limits)` sends whatever it sends there; `timed` when it takes its deadline from the job."""

    name: str
    go: Callable[[str, Limits], Any]
    timed: bool = False


def _hook(url: str, limits: Limits) -> Any:
    return webhook.run(a_job(config={"url": url}, secret=KEY, deadline_seconds=SECONDS), limits, always)


def _hook_state(url: str, limits: Limits) -> Any:
    config = {"url": url, "wait_for": "status", "status": {"url": url, **WORDS}}
    return waiting.poll(a_job(config=config, secret=KEY), limits, {"wait": "status", "url": url})


def _probe(url: str, limits: Limits) -> Any:
    return probe.run(a_job(config={"url": url}, secret="bearer", deadline_seconds=SECONDS), limits, always)


def _evidence_log(url: str, limits: Limits) -> Any:
    try:
        return evidence_log.fetch(url, limits, Watch(SECONDS, always, 1.0), most_bytes=200_000, token="bearer")
    except NotFetched as error:
        return error


def _job(case: Case, url: str) -> Any:
    return a_job(config={**case.config, "url": url}, secret=case.secret, target="4f1c2d9", deadline_seconds=SECONDS)


def _start(case: Case, url: str, limits: Limits) -> Any:
    return case.connector.run(_job(case, url), limits, always)


def _look(case: Case, url: str, limits: Limits) -> Any:
    return case.connector.poll(_job(case, url), limits, BEGUN)


def _find(case: Case, url: str, limits: Limits) -> Any:
    job = _job(case, url)
    return case.connector.poll(job, limits, {"find": str(job.attempt_id)})


def _self_test(case: Case, url: str, limits: Limits) -> Any:
    return case.connector.self_test({**case.config, "url": url}, limits, case.secret)


def _rehearse(case: Case, url: str, limits: Limits) -> Any:
    return case.connector.rehearse(_job(case, url), limits, always)


def _of_ci(case: Case) -> Iterator[Door]:
    yield Door(f"{case.kind} start", partial(_start, case), timed=True)
    yield Door(f"{case.kind} look", partial(_look, case))
    if case.connector.can_find:
        yield Door(f"{case.kind} search", partial(_find, case))
    yield Door(f"{case.kind} self-test", partial(_self_test, case))
    if isinstance(registry[case.kind], Rehearsed):
        yield Door(f"{case.kind} dry run", partial(_rehearse, case), timed=True)


DOORS = [
    Door("webhook", _hook, timed=True),
    Door("webhook state", _hook_state),
    Door("probe", _probe, timed=True),
    Door("evidence log", _evidence_log, timed=True),
    *(door for case in ALL for door in _of_ci(case)),
]


@dataclass
class Left:
    """Where sockets of this process were led while somebody watched, listening or not."""

    places: list[tuple[str, int]] = field(default_factory=list)
    names: list[Any] = field(default_factory=list)

    def beyond(self, *allowed: tuple[str, int]) -> list[tuple[str, int]]:
        return [place for place in self.places if place not in allowed]


_WATCHING: list[Left] = []


def _note(event: str, args: tuple[Any, ...]) -> None:
    if _WATCHING and event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
        _WATCHING[-1].places.append((str(args[1][0]), int(args[1][1])))
    elif _WATCHING and event == "socket.getaddrinfo":
        _WATCHING[-1].names.append(args[0])


@cache
def _listen() -> None:
    sys.addaudithook(_note)


@contextmanager
def watched() -> Iterator[Left]:
    """See each attempt to connect, also to addresses that nobody here has: Python tells of them before they are made.

    A hook is never taken away again, so there is one for the whole run, and it is deaf while nobody watches.
    """
    _listen()
    _WATCHING.append(Left())
    try:
        yield _WATCHING[-1]
    finally:
        _WATCHING.pop()


class Zone:
    """A name server's answers, one list after the other, with aliases followed as a resolver does."""

    def __init__(self, records: dict[str, Sequence[Sequence[str]]]) -> None:
        self.records = records
        self.asked: list[str] = []

    def resolve(self, host: str, port: int) -> list[str]:
        name = host
        for _ in range(8):
            answers = self.records.get(name)
            if not answers:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            answer = answers[min(self.asked.count(name), len(answers) - 1)]
            self.asked.append(name)
            if len(answer) != 1 or not answer[0].startswith("CNAME "):
                return list(answer)
            name = answer[0].removeprefix("CNAME ")
        raise socket.gaierror(socket.EAI_FAIL, "Too many aliases")
