"""The steps' pages in a browser: they fit, they read aloud, they follow along, they work without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from incidents.models import Connector, Wiring
from incidents.steps import attempts, rollback, target
from incidents.terms import AttemptState, Level, Phase, Role, TargetKind
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import STEP_PAGES

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Any]


def pages_of(incident: Any) -> list[str]:
    root = incident.get_absolute_url()
    more = ("cleanup/data/", "verify/ci/", "rollback/3e-revoke/", "foreign/", "foreign/mark/")
    return [f"{root}{page}/" for page in STEP_PAGES] + [root + page for page in more]


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_of_a_step_is_wider_than_its_screen(open_page: OpenPage, width: int) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3, summary="A" * 200)
    target.choose(incident, kind=TargetKind.BUILD, identifier="b" * 200, reason="c" * 400, by=crew.commander)
    page = open_page(crew[Role.DATA_EVIDENCE_LEAD], width=width)

    wider = {}
    for url in pages_of(incident):
        page.goto(url)
        room = page.locator("html").evaluate("html => html.scrollWidth")
        if room > width:
            wider[url] = room

    assert wider == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_a_step_can_be_read_aloud(open_page: OpenPage, scheme: str) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    page = open_page(crew[Role.DATA_EVIDENCE_LEAD], scheme=scheme, bypass_csp=True)

    found = {}
    for url in pages_of(incident):
        page.goto(url)
        page.locator("body").evaluate("body => body.querySelectorAll('details').forEach(fold => fold.open = true)")
        if violations := Axe().run(page).response["violations"]:
            found[url] = [(violation["id"], violation["nodes"][0]["html"]) for violation in violations]

    assert found == {}


def test_the_page_of_a_running_action_follows_along(open_page: OpenPage) -> None:
    crew = make_crew()
    incident = dispatched(crew)
    page = open_page(crew[Role.SECURITY_LEAD])
    page.goto(incident.get_absolute_url() + "rollback/3e-revoke/")
    page.locator("#live", has_text="Queued").wait_for()

    started = attempts.start(attempts.claim(incident.actions.get(key="3e-revoke").attempts.get().pk, "worker"))
    page.locator("#live", has_text="Running").wait_for(timeout=20_000)
    attempts.settle(started, AttemptState.SUCCEEDED, "The receiver answered 200.")

    page.locator("#live", has_text="The receiver answered 200.").wait_for(timeout=20_000)
    assert page.locator("#live[hx-trigger]").count() == 0


def test_a_refusal_is_in_sight_and_what_was_typed_stays(open_page: OpenPage) -> None:
    crew = make_crew()
    incident = make_incident(crew)
    page = open_page(crew.commander, width=390)
    page.goto(incident.get_absolute_url() + "freeze/")
    page.check("input[name=measure][value=merges]")
    page.fill("input[name=subject]", "*")
    page.fill("input[name=expires_at]", "2099-01-01T10:00")
    page.fill("textarea[name=reason]", "half a reason")

    page.get_by_role("button", name="Ask for a second person").click()

    expect(page.locator(".refused", has_text="no pattern")).to_be_in_viewport()
    assert page.input_value("textarea[name=reason]") == "half a reason"


def test_cleanup_with_a_file_works_without_javascript(open_page: OpenPage, tmp_path: Path) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    evidence = tmp_path / "rotation.log"
    evidence.write_text("rotated prod/evidence-signer")
    page = open_page(crew[Role.SECURITY_LEAD], java_script_enabled=False)

    page.goto(incident.get_absolute_url() + "cleanup/credentials/")
    page.check("input[value=credentials-rotate]")
    page.set_input_files("input[name=rotation-log-file]", str(evidence))
    page.get_by_role("button", name="Record", exact=True).click()

    assert "Credential hygiene: recorded." in page.content()
    with page.expect_download() as download:
        page.get_by_role("link", name="rotation.log").click()
    assert Path(download.value.path()).read_text() == "rotated prod/evidence-signer"


def dispatched(crew: Crew) -> Any:
    """An incident whose first action is queued for a webhook."""
    hook = Connector.objects.create(name="Vault", kind="webhook", config={"url": "https://vault.example.org/x"})
    Wiring.objects.create(product=crew.product, key="3e-revoke", connector=hook)
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    action = incident.actions.get(key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])
    return incident
