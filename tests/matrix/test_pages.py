"""Every page × every method × everybody, against the table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLResolver, get_resolver

from tests.matrix.table import ANONYMOUS, PAGES, Row
from tests.matrix.world import PEOPLE, World, build

pytestmark = [pytest.mark.django_db, pytest.mark.thorough, pytest.mark.timeout(300)]

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Other tables or tests speak of these: the admin, the API, what signs in and out, what only the demo has.
ELSEWHERE = ("admin/", "api/v1/", "sign-in/", "sign-out/", "account/", "look/", "mailbox/")
DONE = {200, 202, 204, 302, 409, 422}


def routes(
    resolver: Any = None, before: str = "", names: tuple[str, ...] = (), leaving_out: tuple[str, ...] = ELSEWHERE
) -> Iterator[tuple[str, str]]:
    """The name and the pattern of each address."""
    for pattern in (resolver or get_resolver()).url_patterns:
        here = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inside = (*names, pattern.namespace) if pattern.namespace else names
            yield from routes(pattern, here, inside, leaving_out)
        elif not here.startswith(leaving_out):
            yield ":".join([*names, pattern.name or "?"]), here


ROUTES = dict(routes())


def test_every_page_has_a_row() -> None:
    assert ROUTES.keys() == PAGES.keys()


@pytest.fixture
def world(settings: Any, tmp_path: Any) -> World:
    settings.MEDIA_ROOT = tmp_path
    return build()


@pytest.mark.one_engine
def test_everybody_gets_what_the_table_says(world: World) -> None:
    clients = {identity: Client() for identity in PEOPLE}
    for identity, person in world.people.items():
        if person:
            clients[identity].force_login(person)
    cells, differences = 0, []
    for name, route in ROUTES.items():
        for identity in PEOPLE:
            for method in METHODS:
                found = asked(clients[identity], world, identity, name, route, method)
                cells += 1
                if found not in (wanted := expected(PAGES[name], identity, method)):
                    differences.append(f"{name} {method} as {identity}: {found}, not {wanted}")

    print(f"{cells} cells of pages, {len(differences)} differences")  # noqa: T201 - the figure is asked for
    assert not differences, "\n".join(differences)


def asked(client: Client, world: World, identity: str, name: str, route: str, method: str) -> int | str:
    """The status of one answer, or where it leads a visitor. Whatever it changed is taken back."""
    place = world.place_of(identity)
    body = {key: str(value).format(**place.parts) for key, value in (PAGES[name].body or {}).items()}
    savepoint = transaction.savepoint()
    try:
        answer = (
            client.generic(method, place.address(name, route))
            if method != "POST"
            else client.post(place.address(name, route), body)
        )
        for _ in getattr(answer, "streaming_content", ()):
            continue
    finally:
        transaction.savepoint_rollback(savepoint)
    leads = answer.headers.get("Location", "")
    return "sign-in" if re.match(r"/sign-in/\?next=", leads) else answer.status_code


def expected(row: Row, identity: str, method: str) -> set[int | str]:
    if identity not in row.seen_by:
        return {"sign-in"} if identity == ANONYMOUS else {404}
    if identity == ANONYMOUS and identity not in (row.read or ()):
        return {"sign-in"}
    may = {"GET": row.read, "HEAD": row.read if row.head else None, "POST": row.send}.get(method)
    if may is None:
        return {405}
    return DONE | {503} if identity in may else {403}
