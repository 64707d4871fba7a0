"""An action that a real worker runs, watched in a browser: what it prints is on the page while it runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from incidents.models import Connector, Incident, Wiring
from incidents.steps import rollback
from incidents.terms import AttemptState, ConnectorKind, Phase, Role
from portal.demo.processes import wait_until
from tests.factories import Crew, make_crew, make_incident

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
KEY = "3e-revoke"
SECRET = "vault-token-9f3a77c1d2"
# It prints its secret in two pieces, and goes on when it is told to.
SCRIPT = """
import os, sys, time
def say(text):
    print(text, end="", flush=True)
def wait(name):
    until = time.monotonic() + 60
    while not os.path.exists(os.path.join(sys.argv[1], name)) and time.monotonic() < until:
        time.sleep(0.05)
secret = os.environ["LASTGOOD_SECRET"]
say("revoking svc-a\\n")
wait("one")
say("token " + secret[:9])
wait("two")
say(secret[9:] + "\\n" + "line of progress\\n" * 3000 + "revoked\\n")
wait("three")
say("bye\\n")
"""


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def incident(crew: Crew) -> Incident:
    runner = Connector.objects.create(
        name="Vault", kind=ConnectorKind.COMMAND, config={"command": "revoke"}, secret="env:VAULT_TOKEN"
    )
    Wiring.objects.create(product=crew.product, key=KEY, connector=runner)
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    rollback.approve(incident.actions.get(key=KEY), by=crew.commander)
    return incident


@pytest.fixture
def tell(tmp_path: Path, start_worker: Callable[..., Any]) -> Callable[[str], None]:
    """A worker that may run the command; `tell("one")` lets that go on."""
    script = tmp_path / "revoke.py"
    script.write_text(SCRIPT)
    commands = {"revoke": {"argv": [sys.executable, str(script), str(tmp_path)], "timeout_seconds": 60}}
    start_worker(LASTGOOD_COMMANDS=json.dumps(commands), VAULT_TOKEN=SECRET)

    def go_on(name: str) -> None:
        (tmp_path / name).touch()

    return go_on


def test_what_it_prints_is_seen_while_it_runs_and_kept_afterwards(
    crew: Crew, incident: Incident, tell: Callable[[str], None], open_page: Callable[..., Any]
) -> None:
    page = open_page(crew[Role.SECURITY_LEAD])
    page.goto(f"{incident.get_absolute_url()}rollback/{KEY}/")
    page.get_by_role("button", name="Run it now").click()
    printed = page.locator("#printed")

    printed.get_by_text("revoking svc-a").wait_for()
    tell("one")
    printed.get_by_text("token").wait_for()
    assert SECRET[:9] not in page.content()
    tell("two")
    printed.get_by_text("revoked").wait_for()
    shown = printed.inner_text()
    assert "token [masked]" in shown
    assert "bytes left out" in shown
    assert SECRET[9:] not in page.content()
    assert printed.evaluate("box => Math.abs(box.scrollTop) < 2"), "the end of it stays in sight"
    tell("three")
    page.get_by_text("revoke ended with exit code 0.").first.wait_for()

    attempt = incident.actions.get(key=KEY).attempts.get()
    assert attempt.state == AttemptState.SUCCEEDED
    assert attempt.output.endswith("revoked\nbye\n")
    assert (attempt.output_dropped, len(attempt.output_sha256)) == (0, 64)
    assert "SHA-256 of all of it" in page.content()
    assert SECRET not in page.content() + attempt.output


def test_without_javascript_it_is_seen_by_looking_again(
    crew: Crew, incident: Incident, tell: Callable[[str], None], open_page: Callable[..., Any]
) -> None:
    page = open_page(crew[Role.SECURITY_LEAD], java_script_enabled=False)
    page.goto(f"{incident.get_absolute_url()}rollback/{KEY}/")
    page.get_by_role("button", name="Run it now").click()
    attempt = incident.actions.get(key=KEY).attempts.get()

    assert wait_until(lambda: _printed(attempt), seconds=20)
    page.get_by_role("link", name="Look again").click()

    assert "revoking svc-a" in page.locator("#printed").inner_text()
    for name in ("one", "two", "three"):
        tell(name)
    assert wait_until(lambda: _ended(attempt), seconds=20)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_that_follows_along_can_be_read_aloud(
    crew: Crew, incident: Incident, tell: Callable[[str], None], open_page: Callable[..., Any], scheme: str
) -> None:
    page = open_page(crew[Role.SECURITY_LEAD], scheme=scheme, bypass_csp=True, width=390)
    page.goto(f"{incident.get_absolute_url()}rollback/{KEY}/")
    page.get_by_role("button", name="Run it now").click()
    page.locator("#printed").get_by_text("revoking svc-a").wait_for()

    found = [(fault["id"], fault["nodes"][0]["html"]) for fault in Axe().run(page).response["violations"]]

    assert found == []
    assert page.locator("html").evaluate("html => html.scrollWidth") <= 390
    for name in ("one", "two", "three"):
        tell(name)
    assert wait_until(lambda: _ended(incident.actions.get(key=KEY).attempts.get()), seconds=20)


def _printed(attempt: Any) -> str:
    attempt.refresh_from_db()
    return attempt.output


def _ended(attempt: Any) -> bool:
    attempt.refresh_from_db()
    return attempt.finished_at is not None
