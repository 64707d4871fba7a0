"""Rows of many tables in one statement are the rows that the ORM reads one table at a time."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import models
from pytest_django import DjangoAssertNumQueries

from incidents.board import rows
from incidents.models import EvidenceEntry, Incident, Membership
from incidents.terms import Level, Phase
from tests.factories import make_crew, make_incident

pytestmark = pytest.mark.django_db

MODELS = sorted(apps.get_app_config("incidents").get_models(), key=lambda model: model.__name__)


def columns(row: models.Model) -> dict[str, tuple[type, Any]]:
    unread = row.get_deferred_fields()
    values = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields if f.attname not in unread}
    return {name: (type(value), value) for name, value in values.items()}


def test_every_row_of_every_table_reads_the_same_in_one_statement(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_incident(make_crew(), at=Phase.CLOSED, level=Level.L3)
    querysets = [model._default_manager.all() for model in MODELS]
    rows.read(querysets)  # whatever the connection asks once, it has asked now

    with django_assert_num_queries(1):
        found = rows.read(querysets)

    for model, one_statement in zip(MODELS, found, strict=True):
        unread = [f.attname for f in model._meta.concrete_fields if isinstance(f, models.BinaryField)]
        one_table = {row.pk: row for row in model._default_manager.defer(*unread)}
        assert {row.pk: columns(row) for row in one_statement} == {pk: columns(row) for pk, row in one_table.items()}


def test_rows_come_in_the_order_of_their_model() -> None:
    make_incident(make_crew(), at=Phase.REVIEW)
    make_incident(make_crew())

    [entries, incidents] = rows.read([EvidenceEntry.objects.all(), Incident.objects.all()])

    assert [entry.seq for entry in entries] == sorted(entry.seq for entry in entries)
    assert [found.declared_at for found in incidents] == sorted((i.declared_at for i in incidents), reverse=True)


def test_a_column_left_out_is_read_when_asked_for() -> None:
    incident = make_incident(make_crew())

    [[*memberships]] = rows.read([incident.memberships.all()], leave_out=("end_reason",))

    assert all(row.get_deferred_fields() == {"end_reason"} for row in memberships)
    assert memberships[0].end_reason == ""


def test_no_rows_are_no_rows() -> None:
    assert rows.read([Membership.objects.none(), Incident.objects.all()]) == [[], []]
