"""The front page."""

from __future__ import annotations

import pytest

from incidents.terms import Level, Phase
from tests.factories import ProductFactory, UserFactory, make_crew, make_incident
from tests.incidents.views.pages import text_of
from tests.incidents.views.visiting import signed_in

pytestmark = pytest.mark.django_db


def test_a_frozen_product_shows_since_when_by_whom_at_which_level_and_what_blocks() -> None:
    crew = make_crew(ProductFactory(name="Portarium"))
    incident = make_incident(crew, level=Level.L3)

    seen = text_of(signed_in(crew.commander).get("/"))

    assert "Portarium is frozen" in seen
    assert f"frozen since {incident.freeze.since:%H:%M} UTC" in seen
    assert f"Declared by {crew.commander}" in seen
    assert "L3 Code, data, evidence and credentials" in seen
    assert "No target has been chosen." in seen
    assert "Next update, A" in seen


def test_a_drill_is_marked() -> None:
    crew = make_crew()
    make_incident(crew, drill=True)

    response = signed_in(crew.commander).get("/")

    assert "Nothing is frozen but for practice" in text_of(response)
    assert 'class="tag drill"' in response.content.decode()


def test_an_outsider_sees_what_binds_everybody_and_the_way_to_the_status_page() -> None:
    crew = make_crew(ProductFactory(name="Portarium"))
    make_incident(crew, summary="Between us")

    response = signed_in(crew.outsider).get("/")

    assert "Portarium is frozen" in text_of(response)
    assert "Between us" not in text_of(response)
    assert f'href="/status/{crew.product.slug}/"' in response.content.decode()
    assert "Declare rollback mode" not in text_of(response)


def test_who_may_declare_finds_it_for_each_open_product() -> None:
    crew = make_crew()

    seen = signed_in(crew.deputy).get("/").content.decode()

    assert f'href="/declare/?product={crew.product.slug}"' in seen


def test_a_review_links_to_its_deliverables() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.REVIEW)

    response = signed_in(crew.commander).get("/")

    assert "3 of 3 deliverables missing" in text_of(response)
    assert f'href="/incidents/{incident.reference}/deliver/"' in response.content.decode()


def test_an_empty_house_says_what_is_to_be_set_up() -> None:
    assert "No product is set up yet." in text_of(signed_in(UserFactory()).get("/"))


def test_a_visitor_signs_in_first(client: object) -> None:
    response = client.get("/")  # type: ignore[attr-defined]

    assert (response.status_code, response.url) == (302, "/sign-in/?next=/")
