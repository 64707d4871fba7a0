"""Incident data is looked at in the back office; no page of it adds, changes or deletes anything."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from incidents.admin.base import ReadOnlyAdmin
from incidents.models import EvidenceEntry, Gate, Incident
from incidents.steps import declare, freeze
from incidents.terms import Level, Measure, Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.admin.given import address, clerk, model_pages

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]

CONFIGURATION = {"Product", "Connector", "Wiring", "AuditGrant"}
HIDDEN = {"ReferenceCounter", "TargetFence", "WorkerBeat", "IncidentUserObjectPermission", "Environment", "RosterEntry"}
HIDDEN |= {"PrivateValue"}


def looked_at() -> list[type]:
    return [model for model in model_pages("incidents") if isinstance(admin.site._registry[model], ReadOnlyAdmin)]


def world() -> tuple[Crew, Incident]:
    """A closed incident of the highest level, which has a row of almost every kind."""
    crew = make_crew()
    return crew, make_incident(crew, at=Phase.CLOSED, level=Level.L3)


def everything() -> dict[str, list[Any]]:
    return {
        model.__name__: list(model._default_manager.order_by("pk").values())
        for model in apps.get_app_config("incidents").get_models()
    }


def test_every_model_is_edited_or_looked_at_or_hidden_on_purpose() -> None:
    models = {model.__name__ for model in apps.get_app_config("incidents").get_models()}

    assert models - CONFIGURATION - HIDDEN == {model.__name__ for model in looked_at()}


def test_lists_rows_and_searches_open() -> None:
    world()
    _, client = clerk()

    for model in looked_at():
        assert client.get(address(model, "changelist")).status_code == 200, model
        assert client.get(address(model, "changelist"), {"q": "RB-20"}).status_code == 200, model
        for row in model._default_manager.all()[:1]:
            assert client.get(address(row, "change")).status_code == 200, row
            assert client.get(address(row, "history")).status_code == 200, row


@pytest.mark.one_engine
@pytest.mark.parametrize("is_superuser", [False, True], ids=["staff", "superuser"])
def test_nothing_is_added_changed_or_deleted(is_superuser: bool) -> None:
    crew, incident = world()
    soon = incident.declared_at.replace(year=incident.declared_at.year + 1)
    other = make_incident(crew, summary="Again")
    freeze.allow_exception(
        other,
        measure=Measure.MERGES,
        subject="PR 1",
        reason="fix",
        expires_at=soon,
        by=crew.commander,
        second=crew[Role.API_LEAD],
    )
    _, client = clerk(is_superuser=is_superuser)
    before = everything()

    for model in looked_at():
        assert client.get(address(model, "add")).status_code == 403, model
        assert client.post(address(model, "add"), {}).status_code == 403, model
        for row in model._default_manager.all()[:1]:
            values = {field.name: "changed" for field in model._meta.concrete_fields}
            assert client.post(address(row, "change"), values).status_code == 403, row
            assert client.get(address(row, "delete")).status_code == 403, row
            assert client.post(address(row, "delete"), {"post": "yes"}).status_code == 403, row
            chosen = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes", "index": "0"}
            client.post(address(model, "changelist"), chosen)

    assert everything() == before


def test_only_people_of_the_back_office_get_in() -> None:
    crew, incident = world()
    client = Client()
    client.force_login(crew.commander)

    for model in [*looked_at(), *model_pages("accounts")]:
        for url in (address(model, "changelist"), address(model, "add")):
            assert client.get(url).status_code == 302, url
    assert client.get(address(incident, "correct")).status_code == 302
    assert client.post(address(incident, "correct"), {"field": "summary"}).status_code == 302


def test_a_gate_is_shown_without_the_credential_that_its_wiring_held() -> None:
    incident = make_incident(make_crew())
    gate = Gate.objects.create(
        incident=incident, key="own", name="Own", arguments={"a": "https://h.example.test/?token=s3cr3t"}
    )
    _, client = clerk()

    page = client.get(address(gate, "change")).content.decode()

    assert "token=[masked]" in page
    assert "s3cr3t" not in page


@pytest.mark.parametrize("model", [Incident, EvidenceEntry], ids=["incidents", "entries"])
def test_a_list_takes_the_same_queries_however_long(model: type) -> None:
    crews = [make_crew() for _ in range(4)]
    _, client = clerk()
    first = make_incident(crews[0])
    client.get(address(model, "changelist"))

    counts = []
    for crew in crews[1:]:
        with CaptureQueriesContext(connection) as counted:
            client.get(address(model, "changelist"))
        counts.append(len(counted))
        declare.add_note(make_incident(crew), by=crew.commander, text=f"One more after {first}")

    assert len(set(counts)) == 1


def test_wrong_addresses_are_answered_not_broken() -> None:
    _, client = clerk()

    for path in ("x", "9" * 30, "%00", "-1", "00000000-0000-0000-0000-000000000000"):
        for page in ("incident", "evidencechain", "attempt", "connector", "runbookversion"):
            base = f"{reverse('admin:index')}incidents/{page}/{path}"
            for name in ("change", "correct", "verify", "self-test", "edit"):
                assert client.get(f"{base}/{name}/").status_code in (302, 404, 405), (base, name)
