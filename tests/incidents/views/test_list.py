"""The list of incidents: filtered by the address, which is never an error."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from incidents import clock
from incidents.board import register as registers
from incidents.models import AuditGrant
from incidents.terms import Phase
from tests.factories import Crew, UserFactory, make_crew, make_incident
from tests.incidents.views.pages import text_of
from tests.incidents.views.visiting import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    crew = make_crew()
    make_incident(crew, at=Phase.STOOD_DOWN, summary="A broken probe")
    make_incident(crew, drill=True, summary="Practice in staging")
    return crew


@pytest.fixture
def client(crew: Crew) -> Client:
    return signed_in(crew.commander)


def test_each_incident_is_a_line_with_its_level_by_name_phase_and_commander(client: Client, crew: Crew) -> None:
    seen = text_of(client.get("/incidents/"))

    assert "A broken probe" in seen
    assert "Practice in staging" in seen
    assert "L1 Code and config" in seen
    assert "Stood down" in seen
    assert crew.commander.name in seen


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("?state=open", "Practice", "probe"),
        ("?state=ended", "probe", "Practice"),
        ("?drills=only", "Practice", "probe"),
        ("?q=broken", "probe", "Practice"),
    ],
)
def test_the_address_filters(client: Client, query: str, shown: str, hidden: str) -> None:
    seen = text_of(client.get(f"/incidents/{query}"))

    assert shown in seen
    assert hidden not in seen


def test_a_filter_by_product_is_kept_by_the_other_filters(client: Client, crew: Crew) -> None:
    seen = client.get(f"/incidents/?product={crew.product.slug}&q=broken").content.decode()

    assert f'href="?state=open&amp;product={crew.product.slug}&amp;q=broken"' in seen


@pytest.mark.parametrize(
    "query",
    ["?state=perhaps", "?before=x", f"?before={2**80}", "?before=-1", "?q=%00", "?product=%00", f"?q={'x' * 5000}"],
)
def test_what_cannot_be_understood_is_left_out(client: Client, query: str) -> None:
    response = client.get(f"/incidents/{query}")

    assert response.status_code == 200
    assert "A broken probe" in text_of(response)


def test_pages_lead_to_older_ones_and_keep_the_filter(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registers, "PAGE", 1)

    first = client.get("/incidents/?q=r").content.decode()
    older = first.split('rel="next"')[0].split('href="')[-1].split('"')[0].replace("&amp;", "&")
    second = text_of(client.get(f"/incidents/{older}"))

    assert "q=r" in older
    assert "A broken probe" in second
    assert "Practice" not in second


def test_nothing_that_fits_leads_back_to_all(client: Client) -> None:
    response = client.get("/incidents/?q=nothing-like-it")

    assert "No incident fits." in text_of(response)


def test_an_outsider_lists_nothing_and_an_auditor_everything(crew: Crew) -> None:
    auditor = UserFactory()
    AuditGrant.objects.create(user=auditor, reason="Yearly", expires_at=clock.now() + timedelta(days=1))

    assert "No incident fits." in text_of(signed_in(crew.outsider).get("/incidents/"))
    assert "A broken probe" in text_of(signed_in(auditor).get("/incidents/"))
