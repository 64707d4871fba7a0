"""The war room in a browser: it keeps itself up to date and takes nothing out of anybody's hands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from incidents.steps import declare
from incidents.terms import Level, Phase, Role
from tests.factories import make_crew, make_incident

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_room_shows_what_happens_and_keeps_what_is_typed_and_what_is_unfolded(
    open_page: Callable[..., Any],
) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    page = open_page(crew.commander)
    page.goto(incident.get_absolute_url())
    page.fill("textarea[name=text]", "half a note")
    page.click("#blockers-folded > summary")

    declare.add_note(incident, by=crew[Role.API_LEAD], text="Lag is back under two seconds")
    page.locator("#timeline", has_text="Lag is back under two seconds").wait_for(timeout=20_000)

    assert page.input_value("textarea[name=text]") == "half a note"
    assert page.locator("#blockers-folded").get_attribute("open") is not None
    assert page.locator("#room-poll").count() == 1


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_screen(open_page: Callable[..., Any], width: int) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.VERIFYING, level=Level.L3, summary="A" * 200)
    page = open_page(crew.commander, width=width)
    pages = ("", "roles/", "level/", "stand-down/", "evidence/?verify=1")
    urls = ["/", "/declare/", "/incidents/", "/my-work/", "/runbook/", f"/status/{crew.product.slug}/"]

    wider = {}
    for url in [*urls, *(incident.get_absolute_url() + name for name in pages)]:
        page.goto(url)
        room = page.locator("html").evaluate("html => html.scrollWidth")
        if room > width:
            wider[url] = room

    assert wider == {}


def test_everything_works_without_javascript(open_page: Callable[..., Any]) -> None:
    crew = make_crew()
    page = open_page(crew.commander, java_script_enabled=False)

    page.goto(f"/declare/?product={crew.product.slug}")
    page.check("input[name=trigger][value=regression]")
    page.fill("input[name=summary]", "Error rate doubled")
    page.check("input[name=scope_level][value=L2]")
    page.click("text=Declare rollback mode >> nth=-1")
    page.fill("textarea[name=text]", "Seen in the logs")
    page.click("text=Add note >> nth=-1")

    assert "The note is in the log." in page.content()
    assert "Seen in the logs" in page.locator("#timeline").inner_text()
