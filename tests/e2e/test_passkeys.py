"""Passkeys with Chromium's virtual authenticator; every page of one's own account, looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.models import Authenticator

from incidents.terms import Role
from tests.e2e.looking import faults
from tests.e2e.someone import PASSWORD, Someone
from tests.factories import Crew, make_incident
from tests.portal.test_second_factor import with_app
from tests.portal.test_throttle import attack

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
PAGES = ("sessions/", "password/", "two-step/", "two-step/app/", "two-step/passkeys/", "two-step/passkeys/add/")
WITH_FACTORS = ("two-step/", "two-step/app/remove/", "two-step/passkeys/", "two-step/recovery-codes/new/")


@pytest.fixture
def with_device(open_page: Callable[..., Page], served: Any) -> Callable[..., Page]:
    """A page on a device that has a finger on its sensor. A passkey belongs to a name, so the portal has one here."""

    def open_one(user: Any = None) -> Page:
        page = open_page(base_url=served.url.replace("127.0.0.1", "localhost"))
        line = page.context.new_cdp_session(page)
        line.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
        line.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        if user is not None:
            Someone(user, page).sign_in()
        return page

    return open_one


def add_passkey(page: Page) -> None:
    page.goto("/account/two-step/passkeys/add/")
    page.get_by_label("Name").fill("Work laptop")
    with page.expect_navigation():
        page.get_by_role("button", name="Ask this device").click()
    assert "/recovery-codes/" in page.url


def test_a_passkey_signs_in_under_attack_and_answers_the_step_up(crew: Crew, with_device: Callable[..., Page]) -> None:
    incident = make_incident(crew, accepted=False)
    lead = crew[Role.API_LEAD]
    page = with_device(lead)
    add_passkey(page)
    key = Authenticator.objects.get(user=lead, type="webauthn")
    assert (key.wrap().name, key.wrap().is_passwordless) == ("Work laptop", True)

    page.context.clear_cookies()
    assert attack(lead.email, address="10.0.0.1", times=11)[-1] == "refused"
    page.goto(f"/sign-in/?next=/incidents/{incident.reference}/roles/")
    with page.expect_navigation(url="**/roles/"):
        page.get_by_role("button", name="Sign in with a passkey").click()

    stale_session(page)
    page.get_by_role("button", name="Accept").first.click()
    page.get_by_role("heading", name="Confirm that it is you").wait_for()
    with page.expect_navigation():
        page.get_by_role("button", name="Use your passkey").click()
    assert "You are the API" in page.locator("[data-message=success]").inner_text()


def test_the_password_and_then_the_passkey_let_in(crew: Crew, with_device: Callable[..., Page]) -> None:
    page = with_device(crew.commander)
    add_passkey(page)
    page.context.clear_cookies()

    Someone(crew.commander, page).sign_in()
    page.get_by_role("heading", name="Second factor").wait_for()
    with page.expect_navigation(url=lambda url: "sign-in" not in url):
        page.get_by_role("button", name="Use your passkey").click()

    page.get_by_role("heading", name="Nothing is frozen").wait_for()


def test_a_passkey_that_does_not_come_is_said_in_the_page(open_page: Callable[..., Page], served: Any) -> None:
    page = open_page(base_url=served.url.replace("127.0.0.1", "localhost"))
    line = page.context.new_cdp_session(page)
    line.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    line.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, "isUserVerified": False}})
    page.goto("/sign-in/")

    page.get_by_role("button", name="Sign in with a passkey").click()

    page.get_by_text("No passkey came. Try again, or go another way.").wait_for()


def test_an_address_without_a_name_offers_no_passkey_and_says_why(crew: Crew, open_page: Callable[..., Page]) -> None:
    page = open_page(crew.commander)
    page.goto("/account/two-step/passkeys/add/")

    page.get_by_text("They need HTTPS and a host name").wait_for()
    assert page.get_by_role("button", name="Ask this device").is_disabled()
    stranger = open_page()
    stranger.goto("/sign-in/")
    stranger.get_by_role("button", name="Sign in with a passkey").wait_for(state="hidden")


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_of_the_account(crew: Crew, open_page: Callable[..., Page], width: int) -> None:
    page = open_page(crew.commander, width=width, reduced_motion="reduce")

    found = [f"{path} {fault}" for path in PAGES for fault in faults(page, f"/account/{path}", width)]
    with_app(crew.commander)
    found += [f"{path} {fault}" for path in WITH_FACTORS for fault in faults(page, f"/account/{path}", width)]

    assert found == []


def test_the_question_of_the_step_up_and_of_the_second_factor(crew: Crew, open_page: Callable[..., Page]) -> None:
    incident = make_incident(crew, accepted=False)
    person = Someone(crew[Role.API_LEAD], open_page(crew[Role.API_LEAD], reduced_motion="reduce"), incident.reference)
    person.open("roles/")
    stale_session(person.page)
    person.page.get_by_role("button", name="Accept").first.click()
    person.page.get_by_label("Password").fill(PASSWORD)

    person.press("Confirm and go on")

    assert "You are the API" in person.page.locator("[data-message=success]").inner_text()
    with_app(crew.commander)
    other = open_page(reduced_motion="reduce")
    Someone(crew.commander, other).sign_in()
    assert faults(other, "/sign-in/second-factor/", 1280) == []


def stale_session(page: Page) -> None:
    """What the person proved is as if it had been eleven minutes ago."""
    from importlib import import_module

    from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
    from django.conf import settings

    key = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == settings.SESSION_COOKIE_NAME)
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    records = session[AUTHENTICATION_METHODS_SESSION_KEY]
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [record | {"at": record["at"] - 660} for record in records]
    session.save()
