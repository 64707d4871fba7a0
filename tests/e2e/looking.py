"""What is wrong with a page as it is shown: too wide for its screen, or closed to somebody by WCAG A or AA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axe_playwright_python.base import AXE_SCRIPT

if TYPE_CHECKING:
    from playwright.sync_api import Page

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
UNFOLD = "document.querySelectorAll('details:not(.menu)').forEach(fold => fold.open = true)"
ALL_RULES: dict[str, Any] = {"runOnly": {"type": "tag", "values": TAGS}}
COLOURS: dict[str, Any] = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}

# What is wider than the screen, unless it lies in a part that scrolls by itself; the page as a whole comes first.
TOO_WIDE = """width => {
  const scrolls = element => ["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(element).overflowX);
  const held = ({ parentElement: up }) => Boolean(up) && (scrolls(up) || held(up));
  const room = document.documentElement.scrollWidth;
  const wide = [...document.querySelectorAll("body *")].filter(element => {
    const { left, right } = element.getBoundingClientRect();
    return right > left && (right > width + 1 || left < -1) && !element.closest(".sr, .skip") && !held(element);
  });
  const named = wide.slice(0, 3).map(element => element.outerHTML.slice(0, 120));
  return room > width || wide.length ? [`${room} px wide`, ...named] : [];
}"""
AXE = """options => axe.run(document, { ...options, resultTypes: ["violations"] }).then(({ violations }) =>
  violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(" | ")}`))"""


def faults(page: Page, address: str, width: int) -> list[str]:
    """Everything that is wrong with a page in light and dark, all its folds open."""
    page.emulate_media(color_scheme="light")
    page.goto(address)
    page.evaluate(UNFOLD)
    page.evaluate(AXE_SCRIPT)
    found = [f"light {fault}" for fault in page.evaluate(AXE, ALL_RULES)]
    found += [f"too wide: {fault}" for fault in page.evaluate(TOO_WIDE, width)]
    page.emulate_media(color_scheme="dark")
    # Only colours differ by scheme; everything else was just looked at.
    found += [f"dark {fault}" for fault in page.evaluate(AXE, COLOURS)]
    return found
