"""What every answer says to the browser, whoever asked for whatever: pages, back office, account, API and mistakes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib import admin
from django.http import HttpResponse
from django.test import Client
from django.urls import NoReverseMatch, reverse

from incidents.terms import Role
from portal.accounts.models import ApiToken
from portal.bootstrap.places import ROOT
from tests.matrix.operations import OPERATIONS
from tests.matrix.test_pages import ROUTES, routes
from tests.matrix.world import ANONYMOUS, AUDITOR, SUPERUSER, World, build

pytestmark = [pytest.mark.django_db, pytest.mark.thorough, pytest.mark.timeout(300)]

OURS = "https://portal.example"
NAMES = (
    "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD",
    "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_NAME",
)  # fmt: skip
EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
}
# What the outermost layer answers by itself, to machines that read nothing of this.
GATE = {name: EVERYWHERE[name] for name in ("X-Content-Type-Options",)}
POLICY = {
    "default-src": {"'none'"},
    "frame-ancestors": {"'none'"},
    "base-uri": {"'none'"},
    "object-src": {"'none'"},
    "form-action": {"'self'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
}
# Public, and the same for everybody: a minute old is fresh enough for stakeholders.
SHARED = ("/status/",)


@pytest.fixture
def world(settings: Any, tmp_path: Any) -> World:
    """The installation as it is behind https, with the settings that its address makes."""
    settings.MEDIA_ROOT = tmp_path
    for name, value in behind_https().items():
        setattr(settings, name, value)
    return build()


def behind_https() -> dict[str, Any]:
    asked = f"import json; from portal import settings as s; print(json.dumps({{n: getattr(s, n) for n in {NAMES!r}}}))"
    env = os.environ | {"PUBLIC_URL": OURS, "SECRET_KEY": "k" * 60}
    said = subprocess.run([sys.executable, "-c", asked], env=env, cwd=ROOT, capture_output=True, check=True, text=True)
    found: dict[str, Any] = json.loads(said.stdout)
    return found


@pytest.mark.one_engine
def test_every_answer_carries_the_headers_that_bind_the_browser(world: World) -> None:
    wrong, seen = [], 0
    for who, client, address, options in questions(world):
        answer: Any = client.get(address, secure=True, **options)
        seen += 1
        wrong += [f"{address} for {who} ({answer.status_code}): {fault}" for fault in faults(answer, address)]

    print(f"{seen} answers looked at")  # noqa: T201 - the figure is asked for
    assert seen > 400
    assert "\n".join(wrong) == ""


def questions(world: World) -> Iterator[tuple[str, Client, str, dict[str, Any]]]:
    people = {who: world.people[who] for who in (ANONYMOUS, Role.COMMANDER.value, AUDITOR, SUPERUSER)}
    everywhere = [
        *pages(world),
        *account(world),
        *back_office(),
        "/nothing/",
        "/incidents/RB-2026-9999/",
        "/admin/none/",
    ]
    for who, person in people.items():
        client = Client(raise_request_exception=False)
        if person:
            client.force_login(person)
        for address in everywhere:
            yield who, client, address, {}
    token = ApiToken.issue(people[Role.COMMANDER.value], name="All", scopes=["check", "read", "act"])[1]
    for path in (path for method, _, path in (name.partition(" ") for name in OPERATIONS) if method == "get"):
        address = "/api/v1" + path.format_map(world.here.parts | {"attempt_id": 1} | world.here.operation_parts(path))
        yield "a token", Client(), address, {"headers": {"authorization": f"Bearer {token}"}}
        yield "nobody", Client(), address, {}


def pages(world: World) -> list[str]:
    return [world.here.address(name, route) for name, route in ROUTES.items()]


def account(world: World) -> list[str]:
    own = [route for _, route in routes(leaving_out=()) if route.startswith(("account/", "sign-in/", "sign-out/"))]
    return [world.here.address("", route.replace("<int:pk>", "1")) for route in own]


def back_office() -> Iterator[str]:
    yield reverse("admin:index")
    for model in admin.site._registry:
        row = model._default_manager.first()
        for verb in ("changelist", "add", "change", "delete", "history"):
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{verb}"
            try:
                yield reverse(name, args=[row.pk] if verb in ("change", "delete", "history") and row else [])
            except NoReverseMatch:
                continue


def faults(answer: HttpResponse, address: str) -> Iterator[str]:
    is_gate = re.match(r"/api/v1/freeze/", address)
    for name, value in (GATE if is_gate else EVERYWHERE).items():
        if answer.headers.get(name) != value:
            yield f"{name} is {answer.headers.get(name)}"
    if not is_gate:
        yield from policy_faults(answer.headers.get("Content-Security-Policy", ""))
    kept = answer.headers.get("Cache-Control", "")
    if "no-store" not in kept and not address.startswith(SHARED):
        yield f"Cache-Control is {kept}"
    yield from cookie_faults(answer)
    if answer.headers.get("Content-Type", "").startswith("text/html") and not getattr(answer, "streaming", False):
        yield from markup_faults(answer.content.decode())


def policy_faults(policy: str) -> Iterator[str]:
    found = {words[0]: set(words[1:]) for part in policy.split(";") if (words := part.split())}
    if "sandbox" in found:  # a file that somebody brought: less still
        if found["sandbox"] or found.get("default-src") != {"'none'"}:
            yield f"the policy of a file is {policy}"
        return
    for name, sources in POLICY.items():
        if found.get(name) != sources:
            yield f"{name} is {found.get(name)}"
    for sources in found.values():
        if loose := sources & {"'unsafe-inline'", "'unsafe-eval'", "'unsafe-hashes'", "*", "http:", "https:", "blob:"}:
            yield f"the policy allows {loose}"


def cookie_faults(answer: HttpResponse) -> Iterator[str]:
    for cookie in answer.cookies.values():
        flags = (bool(cookie["secure"]), bool(cookie["httponly"]), cookie["samesite"], cookie["path"], cookie["domain"])
        if flags != (True, True, "Lax", "/", ""):
            yield f"the cookie {cookie.key} has {flags}"
        if "session" in cookie.key and not cookie.key.startswith("__Host-"):
            yield f"the cookie {cookie.key} is not bound to the host"


class Inline(HTMLParser):
    """Finds what the policy would refuse: scripts and styles in the page, handlers, addresses that are scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and not given.get("src") and given.get("type") != "application/json"):
            self.found.append(f"<{tag}> in the page")
        for name, value in attrs:
            if name == "style" or name.startswith("on") or str(value).strip().lower().startswith("javascript:"):
                self.found.append(f"{tag} {name}={value}")
        for name in ("src", "href", "action"):
            link = given.get(name) or ""
            if re.match(r"(https?:)?//", link) and tag in ("script", "link", "img", "iframe", "form"):
                self.found.append(f"{tag} from elsewhere: {link}")


def markup_faults(text: str) -> list[str]:
    parser = Inline()
    parser.feed(text)
    return parser.found


def test_the_reader_of_pages_would_have_seen_what_it_looks_for() -> None:
    bad = '<p style="x" onclick="y">', "<script>1</script>", "<style></style>", '<a href="javascript:1">'

    assert [len(markup_faults(text)) for text in bad] == [2, 1, 1, 1]
    assert markup_faults('<script src="https://cdn.example/x.js"></script>') != []
    assert list(policy_faults("default-src 'none'; script-src 'self' 'unsafe-inline'")) != []


def test_a_deployment_behind_https_passes_djangos_own_check() -> None:
    env = os.environ | {"PUBLIC_URL": OURS, "SECRET_KEY": "aB3-x9_Q" * 9, "ALLOWED_HOSTS": "portal.example"}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]

    said = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, check=False, text=True)

    assert (said.returncode, said.stdout, said.stderr) == (0, "System check identified no issues (0 silenced).\n", "")
