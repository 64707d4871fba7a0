"""Declarations that arrive at the same moment, with real transactions."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from incidents.models import Freeze, Incident, ReferenceCounter, RosterEntry
from incidents.terms import Role
from tests.factories import UserFactory, make_crew

PEOPLE = 20


@pytest.mark.django_db(transaction=True)
def test_of_twenty_simultaneous_declarations_one_holds_and_nineteen_learn_its_reference(
    calling: Callable[..., Any],
) -> None:
    crew = make_crew()
    people = [UserFactory() for _ in range(PEOPLE)]
    for rank, user in enumerate(people, start=10):
        RosterEntry.objects.create(product=crew.product, role=Role.COMMANDER, user=user, rank=rank)
    callers, together = [calling(user) for user in people], Barrier(PEOPLE)
    body = {"product": crew.product.slug, "trigger": "regression", "summary": "Lag", "scope_level": "L1"}

    def declare(caller: Any) -> tuple[int, str, str]:
        try:
            together.wait(30)
            answer = caller.post("incidents", body)
            checked = caller.get(f"freeze/{crew.product.slug}/check", operation="merge").json()
            return answer.status_code, answer.json()["reference"], checked["decision"]
        finally:
            connection.close()

    with ThreadPoolExecutor(PEOPLE) as pool:
        answers = list(pool.map(declare, callers))

    incident = Incident.objects.get()
    assert sorted(status for status, *_ in answers) == [201] + [409] * (PEOPLE - 1)
    assert {reference for _, reference, _ in answers} == {incident.reference}
    assert {decision for *_, decision in answers} == {"deny"}
    assert Freeze.objects.count() == 1
    assert ReferenceCounter.objects.get().last == 1
    assert incident.chain.entries.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_double_click_on_an_act_does_it_once(calling: Callable[..., Any]) -> None:
    crew = make_crew()
    commander = calling(crew.commander)
    body = {"product": crew.product.slug, "trigger": "regression", "summary": "Lag", "scope_level": "L1"}
    reference = commander.post("incidents", body).json()["reference"]
    target = {"kind": "commit", "identifier": "dbe79f1", "reason": "Green"}
    together = Barrier(8)

    def choose(_: int) -> int:
        try:
            together.wait(30)
            return commander.post(f"incidents/{reference}/target/choose", target).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(choose, range(8)))

    assert answers == [201] + [409] * 7
