"""The status page and its feed: open without sign-in, bounded facts, never a word that a person typed."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from django.test import Client

from incidents.steps import declare
from incidents.terms import Level, Phase
from tests.factories import Crew, ProductFactory, make_crew, make_incident
from tests.incidents.views.pages import text_of
from tests.incidents.views.visiting import signed_in

pytestmark = pytest.mark.django_db

ATOM = {"a": "http://www.w3.org/2005/Atom"}


@pytest.fixture
def crew() -> Crew:
    return make_crew(ProductFactory(name="Portarium", slug="portarium"))


def test_a_visitor_reads_reference_level_role_measures_since_and_next_update(crew: Crew, client: Client) -> None:
    incident = make_incident(crew, level=Level.L3)

    seen = text_of(client.get("/status/portarium/"))

    for words in (
        incident.reference,
        "L3 Code, data, evidence and credentials",
        "Led by Incident Commander",
        "Feature merges Frozen",
        f"{incident.freeze.since:%H:%M} UTC",
        "Next update",
    ):
        assert words in seen


def test_nothing_that_a_person_typed_or_is_called_gets_out(crew: Crew, client: Client) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK, summary="SECRETSUMMARY")
    declare.add_note(incident, by=crew.commander, text="SECRETNOTE")

    for url in ("/status/portarium/", "/status/portarium/feed.atom"):
        seen = client.get(url).content.decode()
        assert "SECRET" not in seen
        assert "dbe79f1" not in seen
        for person in (*crew.people.values(), crew.deputy):
            assert person.name not in seen


def test_an_open_product_is_open(crew: Crew, client: Client) -> None:
    make_incident(crew, at=Phase.STOOD_DOWN)

    seen = text_of(client.get("/status/portarium/"))

    assert "Nothing is frozen" in seen
    assert "Stood down as a false alarm." in seen


def test_a_drill_is_marked(crew: Crew, client: Client) -> None:
    make_incident(crew, drill=True)

    assert "This is a drill." in text_of(client.get("/status/portarium/"))
    assert "Drill · Portarium: Rollback mode declared" in client.get("/status/portarium/feed.atom").content.decode()


def test_the_feed_is_atom_with_one_stable_id_an_entry(crew: Crew, client: Client) -> None:
    incident = make_incident(crew, at=Phase.UNFREEZING)

    response = client.get("/status/portarium/feed.atom")

    assert response["Content-Type"] == "application/atom+xml"
    feed = ET.fromstring(response.content)
    found = [(e.findtext("a:title", "", ATOM), e.findtext("a:id", "", ATOM)) for e in feed.findall("a:entry", ATOM)]
    assert found[0][0] == "Portarium: Freeze lifted: feature merges."
    assert found[-1][0].startswith("Portarium: Rollback mode declared at L1 Code and config.")
    assert all(incident.reference in id_ for _, id_ in found)
    assert len({id_ for _, id_ in found}) == len(found)


def test_a_visitors_page_may_be_cached_and_a_signed_in_persons_not(crew: Crew, client: Client) -> None:
    make_incident(crew)

    assert "public" in client.get("/status/portarium/")["Cache-Control"]
    assert "Cookie" in client.get("/status/portarium/")["Vary"]
    assert signed_in(crew.commander).get("/status/portarium/")["Cache-Control"] == "no-store"


@pytest.mark.parametrize("url", ["/status/none-such/", "/status/none-such/feed.atom"])
def test_an_unknown_product_is_not_found(client: Client, url: str) -> None:
    assert client.get(url).status_code == 404
