"""All incidents, newest first: filtered, paged by keyset, one statement a page."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from incidents.board import register as registers
from incidents.board.register import register
from incidents.terms import Phase
from tests.factories import Crew, make_crew, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    crew = make_crew()
    make_incident(crew, at=Phase.STOOD_DOWN, summary="A broken probe")
    make_incident(crew, at=Phase.STOOD_DOWN, drill=True, summary="Practice")
    make_incident(crew, summary="Projection lag 100%")
    return crew


def summaries(crew: Crew, **asked: Any) -> list[str]:
    return [row.incident.summary for row in register(crew.commander, **asked).rows]


def test_the_newest_stand_first_with_their_commander(crew: Crew) -> None:
    page = register(crew.commander)

    assert [row.incident.summary for row in page.rows] == ["Projection lag 100%", "Practice", "A broken probe"]
    assert [row.commander for row in page.rows] == [crew.commander.name] * 3
    assert [row.kind for row in page.rows] == ["frozen", "muted", "muted"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"state": "open"}, ["Projection lag 100%"]),
        ({"state": "ended"}, ["Practice", "A broken probe"]),
        ({"drills": "only"}, ["Practice"]),
        ({"drills": "none"}, ["Projection lag 100%", "A broken probe"]),
        ({"q": "PROBE"}, ["A broken probe"]),
        ({"q": "100%"}, ["Projection lag 100%"]),
        ({"q": "rb-"}, ["Projection lag 100%", "Practice", "A broken probe"]),
        ({"q": "nothing like it"}, []),
    ],
)
def test_it_shows_what_was_asked_for(crew: Crew, asked: dict[str, str], found: list[str]) -> None:
    assert summaries(crew, **asked) == found


def test_only_incidents_one_may_see_are_listed(crew: Crew) -> None:
    assert register(crew.outsider).rows == []


def test_pages_follow_each_other_without_a_gap(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registers, "PAGE", 2)

    first = register(crew.commander)
    second = register(crew.commander, before=first.older_than)

    shown = [row.incident.summary for page in (first, second) for row in page.rows]
    assert shown == ["Projection lag 100%", "Practice", "A broken probe"]
    assert second.older_than is None


def test_a_page_is_one_statement(crew: Crew, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        page = register(crew.commander, q="o")
        assert [str(row.incident.product) for row in page.rows]
