"""One person at the portal, in a browser of their own. They find things as people do: by label, role and name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PASSWORD = "correct horse battery"  # tests.factories.UserFactory gives it to everybody
Place = Any


@dataclass
class Someone:
    """A person with a page of their own."""

    user: Any
    page: Page
    reference: str = ""

    def sign_in(self) -> None:
        self.page.goto("/sign-in/")
        self.page.get_by_label("Email").fill(self.user.email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Sign in")

    def open(self, page: str = "") -> Page:
        """A page of the incident: `open("target/")`."""
        self.page.goto(f"/incidents/{self.reference}/{page}")
        return self.page

    def press(self, name: str, *, on: Place = None) -> None:
        """Send a form that has to be taken: the next page refuses nothing."""
        self.send(name, on=on)
        assert self.refusals() == [], (name, self.page.url, self.refusals())

    def send(self, name: str, *, on: Place = None) -> None:
        """Send a form, whatever the answer."""
        with self.page.expect_navigation():
            (on or self.page).get_by_role("button", name=name, exact=True).click()

    def unfold(self, summary: str) -> None:
        self.page.get_by_text(summary, exact=True).click()

    def refusals(self) -> list[str]:
        """What the page says no with: the sentences of a refused form, and messages of a refused act."""
        return self.page.locator('[data-refused] li, [data-message="error"]').all_inner_texts()

    def card(self, heading: str) -> Locator:
        """The part of a page under this heading."""
        return self.page.locator("section, article").filter(has=self.page.get_by_role("heading", name=heading))

    def text(self) -> str:
        """What the page says, in one line."""
        return " ".join(self.page.locator("main").inner_text().split())
