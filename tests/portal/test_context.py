"""The frame around every page: freezes in force, what waits, and whether a worker answers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from comms.models import Delivery, Notice
from incidents.models import WorkerBeat
from incidents.terms import Phase
from tests.factories import Crew, ProductFactory, make_crew, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _house(db: None) -> None:
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    cache.clear()
    assert connection.features.supports_json_field


@pytest.fixture
def crew() -> Crew:
    return make_crew(ProductFactory(name="Portarium"))


def seen_by(user: object, url: str = "/my-work/") -> str:
    client = Client()
    client.force_login(user)
    return client.get(url).content.decode()


def test_every_page_says_what_is_frozen(crew: Crew) -> None:
    incident = make_incident(crew)

    seen = seen_by(crew.commander)

    assert '<p class="banner frozen">' in seen
    assert "<b>Portarium</b> · merges, bead claims, promotions and deploys" in seen
    assert f'href="/incidents/{incident.reference}/">{incident.reference}</a>' in seen


def test_a_drill_freeze_looks_like_practice(crew: Crew) -> None:
    make_incident(crew, drill=True)

    assert '<p class="banner frozen-drill">' in seen_by(crew.commander)


def test_a_lifted_freeze_is_gone(crew: Crew) -> None:
    make_incident(crew, at=Phase.STOOD_DOWN)

    assert 'class="banner frozen"' not in seen_by(crew.commander)


def test_letters_that_wait_without_a_worker_are_a_warning(crew: Crew) -> None:
    incident = make_incident(crew)
    written = timezone.now()
    notice = Notice.objects.create(
        incident=incident, kind="A", subject="s", body="b", written_by=crew.commander, written_at=written
    )
    Delivery.objects.create(
        notice=notice, name="n", email="a@example.test", message_id="1", content=b"", sha256="", not_before=written
    )
    Delivery.objects.update(not_before=Now() - timedelta(minutes=5))

    assert "No worker has been heard of for a minute" in seen_by(crew.commander)
    WorkerBeat.objects.create(name="worker", seen_at=Now())
    assert "No worker has been heard of" not in seen_by(crew.commander)


def test_a_visitors_frame_asks_nothing(django_assert_num_queries: DjangoAssertNumQueries, crew: Crew) -> None:
    make_incident(crew)

    with django_assert_num_queries(0):
        response = Client().get("/sign-in/")

    assert "banner frozen" not in response.content.decode()


def test_a_warm_frame_is_one_statement(django_assert_num_queries: DjangoAssertNumQueries, crew: Crew) -> None:
    make_incident(crew)
    client = Client()
    client.force_login(crew.commander)
    client.get("/runbook/")

    with django_assert_num_queries(2 + 1 + 2):  # session and user, the frame, the runbook and its versions
        client.get("/runbook/")
