"""Single sign-on against a real identity provider in a process of its own, in a real browser."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount

from incidents.evidence import log
from portal.accounts.models import User
from portal.demo import ports
from portal.demo.processes import Child, wait_until
from tests.e2e.looking import faults
from tests.factories import UserFactory
from tests.servers import identity
from tests.servers.browser import Console
from tests.servers.portal import Process, running_web

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def provider_port() -> Iterator[int]:
    with ports.claimed(ports.any_free()) as port:
        yield port


@pytest.fixture
def portal(
    transactional_db: None, process_env: dict[str, str], tmp_path: Path, provider_port: int
) -> Iterator[Callable[..., Process]]:
    """A portal that lets a provider vouch for people; the provider runs, unless the test wants it gone."""
    started: list[Any] = []

    def start(*, with_provider: bool = True, **settings: str) -> Process:
        env = process_env | {
            "LASTGOOD_OIDC_SERVER": f"http://127.0.0.1:{provider_port}",
            "LASTGOOD_OIDC_CLIENT_ID": identity.CLIENT_ID,
            "LASTGOOD_OIDC_CLIENT_SECRET": identity.CLIENT_SECRET,
            "LASTGOOD_OIDC_NAME": "Company account",
            **settings,
        }
        web = running_web(env, tmp_path / "web.log")
        process = web.__enter__()
        started.append(web)
        if with_provider:
            command = [
                sys.executable,
                "-m",
                identity.__name__,
                str(provider_port),
                f"{process.url}/sign-in/oidc/callback/",
            ]
            child = Child("provider", command, tmp_path / "provider.log", process_env).start()
            started.append(child)
            assert wait_until(lambda: child.has_ended or _answers(provider_port), seconds=30), child.tail(40)
        return process

    yield start
    for one in reversed(started):
        one.stop() if isinstance(one, Child) else one.__exit__(None, None, None)


def _answers(port: int) -> bool:
    line = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", "/.well-known/openid-configuration")
        return line.getresponse().status == 200
    except OSError:
        return False
    finally:
        line.close()


@pytest.fixture
def visitor(open_page: Callable[..., Page]) -> Callable[..., Page]:
    return lambda portal: open_page(base_url=portal.url, reduced_motion="reduce")


def come_in(page: Page, name: str, *, at: str = "/sign-in/") -> None:
    """Through the button, and through the provider's own pages."""
    page.goto(at)
    page.get_by_role("button", name="Sign in with Company account").click()
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=login]").press("Enter")
    page.locator("input[name=password]").fill(identity.PASSWORD)
    page.locator("input[name=password]").press("Enter")
    page.wait_for_url(lambda url: "/oidc/" not in url and "/oauth/" not in url and "/auth/" not in url)


@pytest.fixture(autouse=True)
def the_pages_of_the_provider_are_its_own(console: Console, provider_port: int) -> None:
    """Which style it may not apply and which font it does not have says nothing about ours."""
    console.allow(rf"\(http://127\.0\.0\.1:{provider_port}/")


def test_whoever_is_known_by_a_verified_address_comes_in(
    portal: Callable[..., Process], visitor: Callable[..., Page]
) -> None:
    mara = UserFactory(email="mara@company.test")
    page = visitor(portal())

    come_in(page, "mara", at="/sign-in/?next=/runbook/")

    assert page.url.endswith("/runbook/")
    assert SocialAccount.objects.get().user == mara
    assert not EmailAddress.objects.exists()
    mara.refresh_from_db()
    assert mara.check_password("correct horse battery")
    entry = log.global_chain().entries.latest("seq")
    assert entry.body["sentence"] == f"Account of the identity provider connected to user {mara.public_id}"


@pytest.mark.parametrize("name", ["newcomer", "claimant"])
def test_whoever_is_unknown_or_unverified_stays_out(
    portal: Callable[..., Process], visitor: Callable[..., Page], name: str
) -> None:
    UserFactory(email="claimant@company.test")
    page = visitor(portal())

    come_in(page, name)

    assert page.url.endswith("/sign-in/")
    page.get_by_text("Nobody here has the verified address that Company account names.").wait_for()
    assert (User.objects.count(), SocialAccount.objects.count()) == (1, 0)


def test_settings_may_let_the_provider_bring_new_people(
    portal: Callable[..., Process], visitor: Callable[..., Page]
) -> None:
    page = visitor(portal(LASTGOOD_OIDC_CREATE="on"))

    come_in(page, "newcomer")

    (person,) = User.objects.all()
    assert (person.email, person.name, person.is_staff) == ("newcomer@company.test", "Newcomer", False)
    assert not person.has_usable_password()
    assert log.global_chain().entries.filter(body__object="user", body__id=str(person.public_id)).exists()


def test_whoever_may_not_sign_in_stays_out(portal: Callable[..., Process], visitor: Callable[..., Page]) -> None:
    UserFactory(email="mara@company.test", is_active=False)
    page = visitor(portal())

    come_in(page, "mara")

    page.get_by_text("This account may not sign in.").wait_for()


def test_a_provider_that_is_gone_is_said_in_a_sentence(
    portal: Callable[..., Process], visitor: Callable[..., Page], console: Console
) -> None:
    page = visitor(portal(with_provider=False))
    page.goto("/sign-in/")

    page.get_by_role("button", name="Sign in with Company account").click()

    page.get_by_text("Company account does not answer.").wait_for()
    console.allow("status of 401")
    assert faults(page, "/sign-in/", 1280) == []
    assert faults(page, "/sign-in/oidc/cancelled/", 1280) == []
    page.goto("/sign-in/oidc/callback/?error=server_error&state=forged")
    page.get_by_role("heading", name="Not signed in").wait_for()
