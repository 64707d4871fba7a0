"""Every admin page × everybody: staff alone get in, and of an incident nothing is added, changed or deleted there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, reverse

from tests.matrix.table import ADMINS, BACK_OFFICE
from tests.matrix.world import ANONYMOUS, PEOPLE, World, build

pytestmark = [pytest.mark.django_db, pytest.mark.thorough, pytest.mark.timeout(300)]

VERBS = ("changelist", "add", "change", "delete", "history")
DONE = {200, 302}


@pytest.fixture
def world(settings: Any, tmp_path: Any) -> World:
    settings.MEDIA_ROOT = tmp_path
    return build()


def label(model: Any) -> str:
    return str(model._meta.label_lower)


def test_every_model_of_the_back_office_has_a_row() -> None:
    assert {label(model) for model in admin.site._registry} == BACK_OFFICE.keys()


@pytest.mark.one_engine
def test_everybody_gets_what_the_table_says(world: World) -> None:
    clients = {identity: Client() for identity in PEOPLE}
    for identity, person in world.people.items():
        if person:
            clients[identity].force_login(person)
    cells, differences = 0, []
    for model, verb, address in addresses():
        for identity in PEOPLE:
            for method in ("GET", "POST"):
                found = asked(clients[identity], method, address)
                cells += 1
                if found not in (wanted := expected(model, verb, method, identity)):
                    differences.append(f"{label(model)} {verb} {method} as {identity}: {found}, not {wanted}")

    print(f"{cells} cells of the back office, {len(differences)} differences")  # noqa: T201 - the figure is asked for
    assert not differences, "\n".join(differences)


def addresses() -> Iterator[tuple[Any, str, str]]:
    """Each model, what is done to it, and where; for a row that is there, if there is one."""
    for model in admin.site._registry:
        row = model._default_manager.first()
        for verb in VERBS:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{verb}"
            with_row = [row.pk] if verb in ("change", "delete", "history") and row else []
            try:
                yield model, verb, reverse(name, args=with_row)
            except NoReverseMatch:
                continue  # no row to speak of


def asked(client: Client, method: str, address: str) -> int | str:
    savepoint = transaction.savepoint()
    try:
        answer = client.generic(method, address, "", "application/x-www-form-urlencoded")
    finally:
        transaction.savepoint_rollback(savepoint)
    return "sign-in" if "/sign-in/?next=" in answer.headers.get("Location", "") else answer.status_code


def expected(model: Any, verb: str, method: str, identity: str) -> set[int | str]:
    if identity == ANONYMOUS:
        return {"sign-in"}
    if identity not in ADMINS:
        return {"sign-in", 302, 403}
    if verb in BACK_OFFICE[label(model)] or verb in ("changelist", "history"):
        return DONE
    return DONE if (verb, method) == ("change", "GET") else {403}
