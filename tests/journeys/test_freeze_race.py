"""Twenty people declare at once, over HTTP, at a real web server: one holds, and the gate denies from then on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from threading import Barrier
from typing import Any

import pytest

from incidents.models import Freeze, Incident, RosterEntry
from incidents.terms import Role
from portal.accounts.models import ApiToken, Scope
from tests.factories import Crew, UserFactory, make_crew

PEOPLE = 20


@dataclass
class Caller:
    """One person's connection to the portal, kept open as a pipeline keeps it."""

    line: HTTPConnection
    token: str

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self.line.request(method, f"/api/v1/{path}", json.dumps(body) if body else None, headers)
        answer = self.line.getresponse()
        return answer.status, json.loads(answer.read())

    def check(self, product: str, operation: str = "merge") -> str:
        status, answer = self.ask("GET", f"freeze/{product}/check?operation={operation}&environment=prod")
        assert status == 200, answer
        return str(answer["decision"])


@pytest.fixture
def crew(served: Any) -> Crew:
    return make_crew()


@pytest.fixture
def callers(crew: Crew, served: Any) -> Iterator[list[Caller]]:
    """Twenty people who all stand ready as commander, connected."""
    host = served.url.removeprefix("http://")
    found = []
    for rank in range(PEOPLE):
        user = UserFactory()
        RosterEntry.objects.create(product=crew.product, role=Role.COMMANDER, user=user, rank=rank + 10)
        token = ApiToken.issue(user, name="Terminal", scopes=[Scope.CHECK, Scope.READ, Scope.ACT])[1]
        caller = Caller(HTTPConnection(host, timeout=60), token)
        assert caller.check(crew.product.slug) == "allow"
        found.append(caller)
    yield found
    for caller in found:
        caller.line.close()


@pytest.mark.thorough
def test_one_of_twenty_declarations_holds_and_the_gate_denies_in_the_first_question_after_it(
    crew: Crew, callers: list[Caller]
) -> None:
    product, together = crew.product.slug, Barrier(PEOPLE)
    body = {"product": product, "trigger": "regression", "summary": "Lag", "scope_level": "L3"}

    def declare(caller: Caller) -> tuple[int, str, list[str]]:
        together.wait(30)
        status, answer = caller.ask("POST", "incidents", body)
        checked = [caller.check(product, operation) for operation in ("merge", "claim", "promote", "deploy")]
        return status, answer["reference"], checked

    with ThreadPoolExecutor(PEOPLE) as pool:
        answers = list(pool.map(declare, callers))

    incident = Incident.objects.get()
    assert Counter(status for status, _, _ in answers) == {201: 1, 409: PEOPLE - 1}
    assert {reference for _, reference, _ in answers} == {incident.reference}
    assert [checked for _, _, checked in answers if set(checked) != {"deny"}] == []
    assert (Freeze.objects.count(), incident.chain.entries.count()) == (1, 1)
