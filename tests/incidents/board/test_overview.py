"""The front page: what is frozen first, drills last, and no more than binds everybody for who has no part in it."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from incidents.board.overview import overview
from incidents.terms import Phase
from tests.factories import ProductFactory, make_crew, make_incident

pytestmark = pytest.mark.django_db


def test_real_freezes_stand_before_drills_and_open_products_apart() -> None:
    crew, other = make_crew(ProductFactory(name="Portarium")), make_crew(ProductFactory(name="Atlas"))
    ProductFactory(name="Ledger")
    drill = make_incident(other, drill=True)
    real = make_incident(crew)

    found = overview(crew.commander)

    assert [one.incident for one in found.frozen] == [real, drill]
    assert [str(product) for product in found.free] == ["Ledger"]
    assert (found.products, found.headline) == (3, "Portarium is frozen")


def test_an_incident_one_may_not_see_shows_no_board() -> None:
    crew = make_crew()
    make_incident(crew)

    [standing] = overview(crew.outsider).frozen

    assert standing.board is None


def test_a_review_is_listed_for_those_who_may_see_it_and_its_product_is_open() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.REVIEW)

    mine, theirs = overview(crew.commander), overview(crew.outsider)

    assert [one.incident for one in mine.under_review] == [incident]
    assert theirs.under_review == []
    assert mine.free == theirs.free == [crew.product]


def test_only_who_stands_ready_as_commander_may_declare() -> None:
    crew = make_crew()

    assert overview(crew.deputy).may_declare
    assert not overview(crew.outsider).may_declare


@pytest.mark.parametrize(
    ("names", "headline"),
    [([], "Nothing is frozen"), (["A"], "A is frozen"), (["A", "B", "C"], "C, B and A are frozen")],
)
def test_the_headline_names_what_is_frozen(names: list[str], headline: str) -> None:
    for name in names:
        make_incident(make_crew(ProductFactory(name=name)))

    assert overview(make_crew().outsider).headline == headline


def test_practice_alone_is_called_practice() -> None:
    make_incident(make_crew(), drill=True)

    assert overview(make_crew().outsider).headline == "Nothing is frozen but for practice"


def test_any_number_of_freezes_takes_the_same_statements(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    crews = [make_crew() for _ in range(3)]
    for crew in crews:
        make_incident(crew)

    with django_assert_num_queries(4):
        overview(crews[0].commander)
