"""Rollback mode is declared from the board without a mouse, and one always sees where one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from incidents.models import Incident
from incidents.terms import Level
from tests.e2e.someone import Someone
from tests.factories import Crew

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser

# The outline may be drawn by what wraps the control, as on a choice card.
SHOWS_FOCUS = """() => {
  const drawn = (element) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  };
  const here = document.activeElement;
  return drawn(here) || (here.closest("label") && drawn(here.closest("label")));
}"""


def tab_to(page: Page, wanted: Locator, *, within: int = 40) -> None:
    """Press Tab until the wanted thing has the focus; each stop on the way shows that it has it."""
    for _ in range(within):
        page.keyboard.press("Tab")
        assert page.evaluate(SHOWS_FOCUS), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{wanted} is not reached with {within} tabs")


def test_rollback_mode_is_declared_from_the_board_with_the_keyboard_alone(
    crew: Crew, seated: Callable[..., Someone]
) -> None:
    mara = seated(crew.commander)
    page, keys = mara.page, mara.page.keyboard
    page.goto("/")

    keys.press("Tab")
    assert page.get_by_role("link", name="Skip to content").evaluate("element => element === document.activeElement")
    keys.press("Enter")
    tab_to(page, page.get_by_role("main").get_by_role("link", name="Declare rollback mode"), within=3)
    with page.expect_navigation():
        keys.press("Enter")

    tab_to(page, page.get_by_role("radio", name="CI failing in a critical area"))
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    tab_to(page, page.get_by_label("What is failing, in a sentence"))
    keys.type("Tenant filter missing since 14:02")
    tab_to(page, page.get_by_role("radio", name=Level.L1.label))
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    tab_to(page, page.get_by_role("button", name="Declare rollback mode"))
    with page.expect_navigation():
        keys.press("Enter")

    incident = Incident.objects.get()
    assert page.url.endswith(f"/incidents/{incident.reference}/")
    assert (incident.trigger, incident.level) == ("security_risk", Level.L3)
    assert incident.summary == "Tenant filter missing since 14:02"
