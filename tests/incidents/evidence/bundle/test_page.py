"""The verifier as a page, in a real browser: the same verdicts as verify.py, word for word, and nothing leaves it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from incidents.evidence.bundle import page as pages
from incidents.evidence.bundle import verify
from portal.demo import ports
from tests.e2e.looking import faults
from tests.incidents.evidence.bundle.damaged import CONTENTS, KEY, WHOLE, Case, catalogue, flips
from tests.incidents.evidence.bundle.making import Bundle, linked
from tests.incidents.evidence.bundle.test_verify import checked
from tests.servers.browser import Console

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
CASES = catalogue()
# A browser whose own Ed25519 is missing, as it was until 2025 in most.
WITHOUT_ED25519 = "crypto.subtle.importKey = () => Promise.reject(new DOMException('', 'NotSupportedError'));"
DROP = """given => {
  const dropped = new DataTransfer(), on = document.querySelector("h1");
  for (const [name, bytes] of Object.entries(given)) dropped.items.add(new File([Uint8Array.from(bytes)], name));
  on.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, bubbles: true }));
}"""
SEND = """port => {
  const to = `http://127.0.0.1:${port}/`, image = new Image();
  navigator.sendBeacon(to, "x");
  image.src = `${to}x.png`;
  document.body.append(image);
  return fetch(to).then(() => "sent", () => "refused");
}"""


@pytest.fixture
def address(tmp_path: Path) -> str:
    """The page as a file, the way people have it."""
    (tmp_path / "verify.html").write_bytes(pages.html())
    return f"file://{tmp_path}/verify.html"


@pytest.fixture
def opened(browser: Browser, address: str, console: Console) -> Iterator[Callable[..., Page]]:
    """Open the page: `opened(width=390, scheme="dark", before="script that runs first")`."""
    contexts = []

    def open_one(*, width: int = 1280, scheme: str = "light", before: str = "") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        if before:
            context.add_init_script(before)
        found = context.new_page()
        found.set_default_timeout(15_000)
        found.on("console", console.note)
        found.on("pageerror", lambda error: console.complaints.append(f"uncaught: {error}"))
        found.goto(address)
        return found

    yield open_one
    for context in contexts:
        context.close()


def file(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def verdict(page: Page, case: Case) -> dict[str, Any]:
    """What the page says to a reader who brings these files and keys."""
    if page.input_value("#vkey") or page.inner_text("#kept-names"):
        page.reload()
    if case.kept:
        page.set_input_files("#kept", [file(*one) for one in case.kept.items()])
    if case.keys:
        page.fill("#vkey", "\n".join(case.keys))
    page.set_input_files("#bundle", file("bundle.zip", case.content))
    page.wait_for_selector("body[data-state=done]")
    return json.loads(page.text_content("#json") or "")


def test_the_page_agrees_with_the_script_on_two_hundred_bundles(opened: Callable[..., Page]) -> None:
    page, requested = opened(), list[str]()
    page.on("request", lambda request: requested.append(request.url))
    cases = CASES | dict(flips(201 - len(CASES)))

    said = {name: verdict(page, case) for name, case in cases.items()}

    differing = {name: found for name, found in said.items() if found != verify.report(checked(cases[name]))}
    assert differing == {}
    assert len(said) >= 200
    assert {found["code"] for found in said.values()} == {0, 1, 2, 3}
    assert {url.partition(":")[0] for url in requested} == {"file"}


def test_without_a_browsers_own_ed25519_it_comes_to_the_same(opened: Callable[..., Page]) -> None:
    page = opened(before=WITHOUT_ED25519)

    for name in ("whole", "a signature changed", "signed by another key", "a signature of another statement"):
        assert verdict(page, CASES[name]) == verify.report(checked(CASES[name])), name


def test_a_reader_sees_what_was_found(opened: Callable[..., Page]) -> None:
    page = opened()

    verdict(page, CASES["the end cut off, a mail kept"])

    assert page.inner_text("#verdict-word") == "Truncated or forked"
    assert page.get_attribute("#verdict", "data-code") == "2"
    told = "12.eml: Entries 10 to 12 were cut off: 12 entries were signed, 9 are there."
    assert told in page.inner_text("#findings")
    assert page.inner_text("#checkpoints .state") == "Cut"
    assert "a key that came in this bundle" in page.inner_text("#trust")
    page.fill("#vkey", KEY)
    page.locator("#vkey").blur()
    page.wait_for_selector("#trust:has-text('the key that you gave')")
    page.fill("#vkey", "no key")
    page.locator("#vkey").blur()
    assert page.inner_text("#vkey-problem") == "This is no verifier key for Ed25519: it has the form name+hash+key."


def test_files_can_be_dropped_together(opened: Callable[..., Page]) -> None:
    page, case = opened(), CASES["the end cut off, a mail kept"]
    given = {"bundle.zip": list(case.content), **{name: list(content) for name, content in case.kept.items()}}

    page.evaluate(DROP, given)
    page.wait_for_selector("body[data-state=done]")

    assert json.loads(page.text_content("#json") or "") == verify.report(checked(case))


def test_nothing_can_leave_the_page(opened: Callable[..., Page], console: Console) -> None:
    console.allow("Content Security Policy")
    page, (listening, port) = opened(), ports.listening()

    with listening:
        listening.setblocking(False)
        answer = page.evaluate(SEND, port)
        page.wait_for_timeout(300)
        with pytest.raises(BlockingIOError):
            listening.accept()

    assert answer == "refused"
    assert len(console.complaints) >= 3


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["whole", "rewritten, notes kept", "nobody signed"])
def test_everybody_can_read_the_page(opened: Callable[..., Page], address: str, width: int, name: str) -> None:
    page = opened(width=width)

    assert faults(page, address, width) == []
    verdict(page, CASES[name])
    assert faults_here(page, width) == []


def faults_here(page: Page, width: int) -> list[str]:
    """The same look at what stands there now, after a check."""

    class Here:
        """The page without going anywhere."""

        def __getattr__(self, name: str) -> Any:
            return getattr(page, name)

        def goto(self, _: str) -> None:
            page.mouse.move(0, 0)

    return faults(Here(), "", width)


def test_a_long_log_shows_how_far_it_is_and_ends(opened: Callable[..., Page]) -> None:
    log = linked([CONTENTS[6]] * 12_000, at=lambda _: "2026-11-24T03:00:00.000000Z")
    key = WHOLE.files["vkey.txt"]
    page = opened()

    page.set_input_files("#bundle", file("long.zip", Bundle({"entries.jsonl": log, "vkey.txt": key}).sealed().zipped()))
    words = page.wait_for_selector("#progress-words:has-text('Entry')").inner_text()
    page.wait_for_selector("body[data-state=done]")

    assert words in [f"Entry {seq:,}" for seq in range(1000, 12_001, 1000)]
    assert page.inner_text("#verdict-word") == "Holds"
    assert "12,000" in page.inner_text("#facts")
