"""What stands around every page, from one statement."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries

from incidents.board.frame import SILENT, WAITED, frame
from incidents.models import Attempt, WorkerBeat
from incidents.steps import rollback, unfreeze
from incidents.terms import Phase
from tests.factories import Crew, ProductFactory, make_crew, make_incident

pytestmark = pytest.mark.django_db


def test_each_freeze_in_force_is_named_once_the_drills_last() -> None:
    other, crew = make_crew(ProductFactory(name="Atlas")), make_crew(ProductFactory(name="Portarium"))
    drill, real = make_incident(other, drill=True), make_incident(crew)

    found = frame(crew.commander).freezes

    assert [(f.product, f.reference, f.drill, f.url) for f in found] == [
        ("Portarium", real.reference, False, f"/incidents/{real.reference}/"),
        ("Atlas", drill.reference, True, f"/status/{other.product.slug}/"),
    ]
    assert found[0].measures == "merges, bead claims, promotions and deploys"
    assert found[0].since == real.freeze.since


def test_a_lifted_measure_is_not_named_any_more() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.UNFREEZING)
    for stage in ("claims", "dev", "staging"):
        unfreeze.lift(incident, stage, by=crew.commander)

    assert frame(crew.commander).freezes[0].measures == "promotions and deploys"

    unfreeze.lift(incident, "prod", by=crew.commander)
    assert frame(crew.commander).freezes == []


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Crew:
    """An action that has been queued for longer than a worker should need."""
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = incident.actions.get(key="3b-health")
    incident.actions.exclude(pk=action.pk).update(state="waived")
    rollback.dispatch(action, by=crew[action.owner])
    Attempt.objects.update(state="queued", queued_at=Now() - WAITED - timedelta(seconds=1))
    return crew


def test_work_that_waits_without_a_worker_is_stuck(waiting: Crew) -> None:
    assert frame(waiting.commander).is_work_stuck


def test_work_that_waits_with_a_living_worker_is_not_stuck(waiting: Crew) -> None:
    WorkerBeat.objects.create(name="worker", seen_at=Now())

    assert not frame(waiting.commander).is_work_stuck


def test_a_worker_that_fell_silent_does_not_count(waiting: Crew) -> None:
    WorkerBeat.objects.create(name="worker", seen_at=Now() - SILENT - timedelta(seconds=1))

    assert frame(waiting.commander).is_work_stuck


def test_no_worker_is_missed_while_nothing_waits() -> None:
    assert not frame(make_crew().commander).is_work_stuck


def test_rows_of_other_rooms_can_wait_too(waiting: Crew) -> None:
    Attempt.objects.update(state="cancelled")

    assert frame(waiting.commander, Attempt.objects.all()).is_work_stuck
    assert not frame(waiting.commander, Attempt.objects.none()).is_work_stuck


def test_the_heads_are_those_of_ones_own_open_incidents() -> None:
    crew, other = make_crew(), make_crew()
    incident = make_incident(crew)
    make_incident(other)

    incident.refresh_from_db()
    assert frame(crew.commander).heads == (incident.chain.hash,)
    assert frame(crew.outsider).heads == ()


def test_it_is_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    crew = make_crew()
    make_incident(crew)

    with django_assert_num_queries(1):
        frame(crew.commander)
