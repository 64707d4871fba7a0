"""An incident is read whole in one statement, and its relations say what the database says."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from incidents import board
from incidents.board.load import along, load_all
from incidents.models import CycleOwner, Incident
from incidents.steps import deliver, unfreeze
from incidents.terms import Level, Phase, Role
from tests.factories import UserFactory, make_crew, make_incident
from tests.incidents.board.given import as_read

pytestmark = pytest.mark.django_db

LISTS = ["memberships", "targets", "actions", "cleanup_items", "attachments", "exhibits", "gates", "cycle_owners"]
LISTS += ["proposals", "follow_ups", "safeguards"]


@pytest.mark.parametrize("at", [Phase.DECLARED, Phase.CLOSED])
def test_every_list_of_the_incident_is_what_the_database_holds(at: Phase) -> None:
    incident = make_incident(make_crew(), at=at, level=Level.L3)

    loaded = board.load(as_read(incident))

    for name in LISTS:
        assert {row.pk for row in getattr(loaded, name).all()} == {row.pk for row in getattr(incident, name).all()}
    for action in loaded.actions.all():
        assert {a.pk for a in action.attempts.all()} == {a.pk for a in action.attempts.order_by("number")}
    assert [e.name for e in loaded.product.environments.all()] == ["dev", "staging", "prod"]


def test_after_reading_nothing_is_read_again(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    incident = as_read(make_incident(make_crew(), at=Phase.CLOSED, level=Level.L3))

    with django_assert_num_queries(1):
        board.load(incident)
        shown = [
            str(incident.freeze),
            [str(row.environment) for row in incident.freeze.measures.all()],
            [(str(c.by), str(c.target)) for t in incident.targets.all() for c in t.confirmations.all()],
            [(str(a.action), str(a.requested_by), a.output) for x in incident.actions.all() for a in x.attempts.all()],
            [(str(r.gate), hasattr(r, "baseline_blocker")) for g in incident.gates.all() for r in g.runs.all()],
            [str(e.attachment) for e in incident.exhibits.all()],
            [(str(m.user), str(m.assigned_by)) for m in incident.memberships.all()],
            unfreeze.preconditions(incident),
            unfreeze.stages(incident),
            unfreeze.next_update_due(incident),
            deliver.close_blockers(incident),
            incident.chain.seq,
            str(incident.declared_by),
        ]

    assert all(value is not None for value in shown[:5])


def test_a_filter_on_what_was_read_still_asks_for_this_incident_alone() -> None:
    crew = make_crew()
    first, second = make_incident(crew, at=Phase.STOOD_DOWN), make_incident(crew)

    load_all([loaded := as_read(first), as_read(second)])

    assert set(loaded.memberships.filter(ended_at=None).values_list("incident", flat=True)) == {first.pk}
    assert loaded.gates.count() == second.gates.count() == 4


def test_several_incidents_are_read_in_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    incidents = [as_read(make_incident(make_crew(), at=at)) for at in (Phase.DECLARED, Phase.VERIFYING)]

    with django_assert_num_queries(1):
        found = board.boards(incidents)

    assert [one.incident.pk for one in found] == [incident.pk for incident in incidents]
    assert [len(one.actions) for one in found] == [0, 11]


def test_nothing_to_read_asks_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert board.boards([]) == []


def test_a_person_who_lost_every_right_is_still_named(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    incident = make_incident(make_crew())
    stranger = UserFactory(name="Left The House")
    CycleOwner.objects.create(
        incident=incident, area=Role.API_LEAD, user=stranger, named_by=stranger, named_at=incident.declared_at
    )

    fresh = as_read(incident)

    with django_assert_num_queries(2):
        loaded = board.load(fresh)
        names = [str(owner.user) for owner in loaded.cycle_owners.all()]

    assert names == ["Left The House"]


def test_an_act_makes_what_was_read_out_of_date() -> None:
    crew = make_crew()
    incident = as_read(make_incident(crew))
    board.load(incident)

    deliver.add_safeguard(incident, gap="None", change="Something", by=crew.commander)

    assert along(incident) is None
    assert [row.change for row in incident.safeguards.all()] == ["Something"]


def test_passwords_are_never_read_along() -> None:
    incident = as_read(make_incident(make_crew()))

    with CaptureQueriesContext(connection) as asked:
        board.load(incident)

    assert not any('"password"' in query["sql"] for query in asked.captured_queries)


def test_output_is_left_out_for_a_board_and_read_when_asked_for() -> None:
    incident = as_read(make_incident(make_crew(), at=Phase.VERIFYING))

    found = board.of(incident)
    [attempt, *_] = found.actions[0].attempts.all()

    assert "output" in attempt.get_deferred_fields()
    assert attempt.output == ""


def test_a_board_knows_how_long_the_target_has_been_stable() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    Incident.objects.filter(pk=incident.pk).update(changed_at=incident.changed_at - timedelta(minutes=12))
    crew.product.stability_seconds = 1800
    crew.product.save()

    found = board.of(as_read(incident))

    assert (found.stable_for.seconds // 60, found.stability) == (12, timedelta(minutes=30))
