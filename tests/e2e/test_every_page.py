"""Every page, wide and on a phone, light and dark: nothing is logged, nothing too wide, nothing closed to anybody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from incidents.models import AuditGrant, Incident
from tests.comms.world import eventful_incident
from tests.e2e import addresses, rooms
from tests.e2e.looking import faults
from tests.factories import Crew, UserFactory
from tests.servers.browser import Console

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
WIDE, PHONE = 1280, 390
FORM_FACTORS: dict[int, dict[str, Any]] = {WIDE: {}, PHONE: {"is_mobile": True, "has_touch": True, "height": 844}}


@pytest.fixture
def auditor(crew: Crew) -> Any:
    """Somebody who may read everything and do nothing."""
    user = UserFactory()
    ends = timezone.now() + timedelta(days=1)
    AuditGrant.objects.create(user=user, granted_by=crew.commander, reason="Yearly audit", expires_at=ends)
    return user


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_every_page_of_an_incident_at_work(crew: Crew, open_page: Callable[..., Page], width: int) -> None:
    incident = rooms.at_work(crew)

    assert [route for route, found in addresses.of(incident).items() if not found] == []
    assert "\n".join(look_at_all(incident, crew.commander, open_page, width)) == ""


def test_every_page_of_an_incident_at_its_gates(crew: Crew, open_page: Callable[..., Page]) -> None:
    incident = rooms.at_the_gates(crew)

    assert "\n".join(look_at_all(incident, crew.commander, open_page, PHONE)) == ""


def test_every_page_of_a_closed_incident_for_an_auditor(
    crew: Crew, auditor: Any, open_page: Callable[..., Page]
) -> None:
    incident = eventful_incident(crew)

    assert "\n".join(look_at_all(incident, auditor, open_page, PHONE)) == ""


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_the_pages_that_meet_a_stranger(
    crew: Crew, open_page: Callable[..., Page], console: Console, width: int
) -> None:
    console.allow("status of 404")

    nobody = shown(open_page, None, width)
    somebody = shown(open_page, crew.outsider, width)

    assert faults(nobody, "/sign-in/?next=/declare/", width) == []
    assert faults(somebody, "/incidents/RB-2026-0999/", width) == []
    assert "404" in somebody.get_by_role("main").inner_text()


def shown(open_page: Callable[..., Page], person: Any, width: int) -> Page:
    """A page of this form factor. Colours that still move from light to dark would be judged half-way."""
    return open_page(person, width=width, reduced_motion="reduce", **FORM_FACTORS[width])


def look_at_all(incident: Incident, person: Any, open_page: Callable[..., Page], width: int) -> list[str]:
    """What is wrong with any page."""
    client = Client()
    client.force_login(person)
    page = shown(open_page, person, width)
    found = addresses.pages(client, incident)
    assert len(found) > 25
    return [f"{address} {fault}" for address in found for fault in faults(page, address, width)]
