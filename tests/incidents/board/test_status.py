"""The status of a product: bounded facts, and never a word that a person typed."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from incidents.board.status import news_of, status_of
from incidents.steps import declare, unfreeze
from incidents.terms import Level, Phase
from tests.factories import ProductFactory, make_crew, make_incident

pytestmark = pytest.mark.django_db


def test_an_open_product_is_open() -> None:
    found = status_of(ProductFactory())

    assert (found.incident, found.measures, found.next_update_at) == (None, [], None)


def test_a_frozen_product_names_its_incident_measures_and_next_update() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    found = status_of(crew.product)

    assert found.incident == incident
    assert [measure.word for measure in found.measures] == ["Frozen"] * 4
    assert found.next_update_at is not None


def test_what_happened_is_said_in_fixed_words_the_newest_first() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.UNFREEZING, summary="SECRET", level=Level.L1)
    unfreeze.refreeze(incident, by=crew.commander, reason="SECRET")
    declare.raise_level(incident, Level.L2, by=crew.commander, reason="SECRET")

    words = [news.words for news in news_of(crew.product)]

    assert words == [
        "Scope level changed to L2 Code, config, schema and data.",
        "Frozen again: every measure is back in force.",
        "Freeze lifted: feature merges.",
        "Update C was sent to stakeholders.",
        "Update B was sent to stakeholders.",
        "Update A was sent to stakeholders.",
        "Rollback mode declared at L1 Code and config. The freeze is in force.",
    ]


def test_a_false_alarm_says_no_reason() -> None:
    crew = make_crew()
    make_incident(crew, at=Phase.STOOD_DOWN)

    assert news_of(crew.product)[0].words == "Stood down as a false alarm. The freeze is lifted."


def test_it_takes_a_constant_number_of_statements(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    crew = make_crew()
    make_incident(crew, at=Phase.VERIFYING)

    with django_assert_num_queries(3):
        status_of(crew.product)
    with django_assert_num_queries(1):
        news_of(crew.product)
