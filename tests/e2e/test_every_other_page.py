"""The pages beside an incident's own: back office, account, sign-in. The browser finds nothing to complain about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.e2e import addresses, rooms
from tests.factories import Crew, UserFactory

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

# What no browser shows: answers for machines, and the addresses below the API, which has its page.
FOR_MACHINES = ("api/v1/", "healthz", "readyz", "metrics")
# Only in the demo, whose journey visits them.
OF_THE_DEMO = ("mailbox/", "look/")
SIGNED_OUT = ("sign-in/",)


def routes(patterns: Any = None, before: str = "") -> Iterator[str]:
    """Each route that no other test of pages looks at."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if route.startswith((*FOR_MACHINES, *OF_THE_DEMO)):
            continue
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


def others() -> list[str]:
    return sorted(set(routes()) - set(addresses.routes()))


def filled(route: str) -> Iterator[str]:
    """Where the route leads, with a row of its own model in its place; nowhere while there is no such row."""
    if "<" not in route:
        yield "/" + route
        return
    for model in admin.site._registry:
        here = f"admin/{model._meta.app_label}/{model._meta.model_name}/"
        if route.startswith(here) and (row := model._default_manager.first()):
            yield "/" + route.replace("<path:object_id>", str(row.pk)).replace("<id>", str(row.pk))
            return
    if route.startswith("account/"):
        yield "/" + route.replace("<int:pk>", "1")


def visited(page: Page, client: Client, route: str) -> bool:
    """Open what the route shows, if it shows a page at all, and wait until nothing more is asked for."""
    is_shown = False
    for address in filled(route):
        answer: Any = client.get(address)
        assert answer.status_code in (200, 302, 403, 404, 405), f"{address} answers {answer.status_code}"
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
            page.goto(address)
            is_shown = True
    return is_shown


def test_every_page_of_the_back_office_and_of_ones_account(crew: Crew, open_page: Callable[..., Page]) -> None:
    rooms.at_work(crew)
    person = UserFactory(is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(person)
    page = open_page(person)

    shown = [route for route in others() if not route.startswith(SIGNED_OUT) and visited(page, client, route)]

    assert len([route for route in shown if route.startswith("admin/")]) > 2 * len(admin.site._registry)
    assert {"account/password/", "account/two-step/", "account/sessions/"} <= set(shown)


def test_every_page_of_the_way_in(crew: Crew, open_page: Callable[..., Page]) -> None:
    page = open_page()

    shown = [route for route in others() if route.startswith(SIGNED_OUT) and visited(page, Client(), route)]

    assert "sign-in/" in shown
