"""Real Chromium through Playwright. A console error or an uncaught exception on a page fails the test."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.test import Client

from tests.servers.portal import Process

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

# A busy machine may take long over a page.
LONGEST_MS = 15_000
FLAGS = [
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-extensions",
]
# Said by the browser itself as well, but not for every directive, and not in every frame.
VIOLATIONS = """document.addEventListener("securitypolicyviolation", broken => console.error(
  `policy: ${broken.effectiveDirective} refused ${broken.blockedURI || "inline"} (${broken.documentURI})`))"""


@dataclass
class Console:
    """What the pages of a test complained about."""

    complaints: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def allow(self, pattern: str) -> None:
        """Expect a complaint, as Chromium makes for every answer of 400 and up: `console.allow("status of 422")`."""
        self.allowed.append(pattern)

    def note(self, message: "ConsoleMessage") -> None:
        """Keep an error that a page logged."""
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def unexpected(self) -> list[str]:
        """The complaints that no test allowed."""
        return [text for text in self.complaints if not any(re.search(pattern, text) for pattern in self.allowed)]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Browser"]:
    """One Chromium for the whole run."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=LONGEST_MS)
    # Playwright's sync API keeps an event loop in this thread, which Django would take for async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    sandbox = [] if os.geteuid() else ["--no-sandbox"]
    # Chromium keeps crash reports in the home folder unless told otherwise.
    env = os.environ | {"XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("chromium"))}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=env["CHROMIUM"], args=[*FLAGS, *sandbox], env=env)
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def console() -> Iterator[Console]:
    """What pages complain about; the test fails at its end unless each complaint was allowed."""
    seen = Console()
    yield seen
    if unexpected := seen.unexpected():
        pytest.fail("The browser's console shows:\n" + "\n".join(unexpected), pytrace=False)


@pytest.fixture
def open_page(browser: "Browser", served: Process, console: Console) -> Iterator[Callable[..., "Page"]]:
    """Open a page in a session of its own: `open_page(user, width=390, scheme="dark")`; `user` is signed in.

    `page.goto("/declare/")` is relative to the served portal.
    """
    contexts = []

    def open_one(user: object = None, *, width: int = 1280, height: int = 900, scheme: str = "light", **options):
        options = {"base_url": served.url, "viewport": {"width": width, "height": height}, **options}
        context = browser.new_context(color_scheme=scheme, **options)
        contexts.append(context)
        context.add_init_script(VIOLATIONS)
        if user is not None:
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": _session(user), "url": served.url}])
        page = context.new_page()
        page.set_default_timeout(LONGEST_MS)
        page.on("console", console.note)
        page.on("pageerror", lambda error: console.complaints.append(f"uncaught: {error}"))
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def browser_page(open_page: Callable[..., "Page"]) -> "Page":
    """A Chromium page on the served portal, nobody signed in. Mark the test `browser`."""
    return open_page()


def _session(user: object) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value
