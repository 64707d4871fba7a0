"""More than two thousand hostile bodies for every route that is written to: never an error of ours, nothing half-done.

Each body is read and judged as its route does: by Django's parser and the page's own forms, or by the API's parser and
the operation's schema. A part of them goes the whole way through the portal, from the outermost middleware to the last
table: `LASTGOOD_HOSTILE_WHOLE` says how many of each route, `LASTGOOD_HOSTILE_ROUTE` of which routes alone.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.core import context
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from ninja.errors import HttpError, ValidationError

from incidents.api.strict import BadBody
from incidents.evidence import completeness
from incidents.models import Incident
from tests.hostile import bodies, routes, words
from tests.hostile.bodies import Body
from tests.hostile.routes import Route
from tests.hostile.sending import Answer, Sender, judge, state
from tests.incidents.api.calling import static_folder

__all__ = ["static_folder"]

# All the whole way take hours.
LIMIT_SECONDS = 20_000 if "LASTGOOD_HOSTILE_WHOLE" in os.environ else 900
pytestmark = [pytest.mark.django_db, pytest.mark.thorough, pytest.mark.timeout(LIMIT_SECONDS)]

MOST_SECONDS = 1.0
BODIES = {"sqlite": 2_050, "postgresql": 300}
WHOLE = {"sqlite": 24, "postgresql": 6}
ONLY = "LASTGOOD_HOSTILE_ROUTE"
LOOKED_AT = 3
TRIES = 4
UNREADABLE = (
    BadBody,
    BadRequest,
    HttpError,
    MultiPartParserError,
    RequestDataTooBig,
    SuspiciousOperation,
    UnreadablePostError,
    ValidationError,
)


@pytest.fixture
def sender() -> Iterator[Sender]:
    sender = Sender()
    yield sender
    sender.close()


class Findings:
    """What is wrong, and the figures of a run."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.answers: Counter[int] = Counter()
        self.judged = self.taken = 0
        self.slowest = (0.0, "")

    def add(self, route: Route, body: Body, what: str) -> None:
        self.wrong.append(f"{route.name} · {body.label}: {what}")

    def timed(self, seconds: float, route: Route, body: Body) -> None:
        self.slowest = max(self.slowest, (seconds, f"{route.name} · {body.label}"))
        if seconds > MOST_SECONDS:
            self.add(route, body, f"took {seconds:.2f} s")


@pytest.mark.parametrize("part", routes.PARTS)
def test_no_hostile_body_breaks_a_route_or_leaves_half_of_an_act(
    sender: Sender, engine: str, settings: Any, tmp_path: Any, part: str
) -> None:
    settings.MEDIA_ROOT = tmp_path
    began, findings, chance = time.monotonic(), Findings(), random.Random(words.seed())
    found = [route for route in routes.every(sender, (part,)) if os.environ.get(ONLY, "") in route.name]
    for route in found:
        sent = bodies.hostile(route.asked, BODIES[engine], chance)
        Run(sender, route, findings).of(sent, bodies.picked(sent, _whole(engine, route), chance))

    slowest, where = findings.slowest
    sys.stderr.write(
        f"\n{part} on {engine}: {words.SEED}={words.seed()} · {len({route.name for route in found})} routes,"
        f" {findings.judged} bodies judged, {sum(findings.answers.values())} the whole way"
        f" ({findings.taken} taken), slowest {slowest * 1000:.0f} ms ({where}),"
        f" {time.monotonic() - began:.0f} s · {dict(sorted(findings.answers.items()))}\n"
    )
    assert not findings.wrong, f"{len(findings.wrong)} findings:\n" + "\n".join(findings.wrong[:60])


def _whole(engine: str, route: Route) -> int:
    """A page draws a whole incident for each no, an operation does not."""
    return int(os.environ.get("LASTGOOD_HOSTILE_WHOLE", WHOLE[engine] * (2 if route.operation else 1)))


class Run:
    """All bodies of one route."""

    def __init__(self, sender: Sender, route: Route, findings: Findings) -> None:
        self.sender, self.route, self.findings = sender, route, findings
        self.before = state()
        self.gaps = gaps(route)
        self.looked = 0

    def of(self, all_bodies: list[Body], whole: list[Body]) -> None:
        for body in all_bodies:
            self.judge(body)
        for body in whole:
            self.send(body)
        if state() != self.before:
            self.findings.add(self.route, all_bodies[0], "something stays of what was taken back")

    def judge(self, body: Body) -> None:
        request = self.sender.request(self.route, body)
        began = time.thread_time()
        try:
            if self.route.operation:
                self.route.operation._get_values(request, self.route.parts, None)
            else:
                data, files = request.POST, request.FILES
                with context.request_context(request):  # forms of sign-in ask where a try comes from
                    for form in self.route.forms:
                        judge(form, data, files)
        except UNREADABLE:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self.findings.add(self.route, body, f"the form or schema raised {error!r:.300}")
        self.findings.timed(time.thread_time() - began, self.route, body)
        self.findings.judged += 1

    def send(self, body: Body) -> None:
        answer = self.sender.send(self.route, body, self.look)
        for _ in range(TRIES - 1):
            if answer.seconds > MOST_SECONDS:  # the machine may have been elsewhere
                answer = self.sender.send(self.route, body, self.look)
        self.findings.timed(answer.seconds, self.route, body)
        self.findings.answers[answer.status] += 1
        self.findings.taken += answer.changed and answer.is_success
        if answer.status >= 500 or answer.error:
            self.findings.add(self.route, body, f"{answer.status} {answer.error[-1_200:]}")
        if answer.changed and not answer.is_success:
            self.findings.add(self.route, body, f"refused with {answer.status}, but rows changed")
        if answer.gaps:
            self.findings.add(self.route, body, f"not explained by the log: {sorted(answer.gaps)[:3]}")

    def look(self, answer: Answer) -> None:
        """What an answer left in the tables: nothing if it was a no, what the log explains if it was a yes."""
        if answer.error:
            return
        if answer.is_success and self.looked >= LOOKED_AT:
            answer.changed = True
            return
        answer.changed = state() != self.before
        if answer.changed and answer.is_success:
            self.looked += 1
            answer.gaps = gaps(self.route) - self.gaps


def gaps(route: Route) -> set[str]:
    """Where rows and log disagree: of the route's incident, of the newest one, and of the configuration."""
    found = {incident for incident in (route.incident, Incident.objects.order_by("pk").last()) if incident}
    here = {gap.sentence for incident in found for gap in completeness.check(incident)}
    return here | {gap.sentence for gap in completeness.check_configuration()}
