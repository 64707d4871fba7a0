"""The gate and the declaration behind the real web server, asked as a pipeline asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit

import pytest

from incidents.models import Incident, RosterEntry
from incidents.terms import Role
from tests.factories import UserFactory, make_crew
from tests.servers.portal import Process

PEOPLE = 20


def ask(served: Process, method: str, path: str, secret: str, body: Any = None) -> tuple[int, Any]:
    line = HTTPConnection(urlsplit(served.url).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    line.request(method, f"/api/v1/{path}", json.dumps(body) if body else None, headers)
    answer = line.getresponse()
    content = answer.read()
    line.close()
    return answer.status, json.loads(content) if content else None


@pytest.mark.thorough
def test_twenty_pipelines_declare_at_once_and_the_next_check_is_a_denial(
    served: Process, calling: Callable[..., Any]
) -> None:
    crew = make_crew()
    people = [UserFactory() for _ in range(PEOPLE)]
    for rank, user in enumerate(people, start=10):
        RosterEntry.objects.create(product=crew.product, role=Role.COMMANDER, user=user, rank=rank)
    secrets, together = [calling(user).secret for user in people], Barrier(PEOPLE)
    body = {"product": crew.product.slug, "trigger": "regression", "summary": "Lag", "scope_level": "L1"}
    check = f"freeze/{crew.product.slug}/check?operation=merge&enforce=1"

    def declare(secret: str) -> tuple[int, str, int]:
        together.wait(60)
        status, answer = ask(served, "POST", "incidents", secret, body)
        return status, answer["reference"], ask(served, "GET", check, secret)[0]

    assert ask(served, "GET", check, secrets[0])[0] == 200
    with ThreadPoolExecutor(PEOPLE) as pool:
        answers = list(pool.map(declare, secrets))

    reference = Incident.objects.get().reference
    assert sorted(status for status, *_ in answers) == [201] + [409] * (PEOPLE - 1)
    assert {found for _, found, _ in answers} == {reference}
    assert {status for *_, status in answers} == {423}


def test_a_head_request_carries_the_decision_in_its_status(served: Process, calling: Callable[..., Any]) -> None:
    crew = make_crew()

    status, body = ask(
        served, "HEAD", f"freeze/{crew.product.slug}/check?operation=merge", calling(crew.outsider).secret
    )

    assert (status, body) == (200, None)
