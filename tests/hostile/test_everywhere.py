"""Rules that hold at every address: reading, other sites, foreign ids and extra fields change nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from incidents.evidence import attachments
from incidents.models import Incident
from incidents.terms import Phase, Role
from portal.accounts.models import ApiToken
from portal.bootstrap.places import ROOT
from tests.matrix.operations import FILE, OPERATIONS
from tests.matrix.table import PAGES
from tests.matrix.test_operations import asked as asked_by_token
from tests.matrix.test_pages import ROUTES
from tests.matrix.world import ANONYMOUS, World, build

pytestmark = [pytest.mark.django_db, pytest.mark.one_engine, pytest.mark.thorough, pytest.mark.timeout(280)]

# What is read is counted, and who is there: neither is an act.
PASSING = {"sessions.Session", "usersessions.UserSession", "incidents.WorkerBeat", "accounts.Try"}
COMMANDER = Role.COMMANDER.value


@pytest.fixture
def world(settings: Any, tmp_path: Any) -> World:
    settings.MEDIA_ROOT = tmp_path
    return build()


def rows() -> dict[str, int]:
    found = (model for model in apps.get_models() if model._meta.managed and model._meta.label not in PASSING)
    return {model._meta.label: model._base_manager.count() for model in found}


def signed_in(world: World, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(world.people[COMMANDER])
    return client


def test_reading_any_page_changes_nothing(world: World) -> None:
    client, changed = signed_in(world), []
    before = rows()

    for name, route in ROUTES.items():
        if not PAGES[name].head:
            continue  # what is taken away is on record: that it was is the one thing reading may write
        for method in (client.get, client.head):
            method(world.here.address(name, route))
            if (now := rows()) != before:
                changed.append(f"{name} {method.__name__}: {set(now.items()) - set(before.items())}")
                before = now

    assert changed == []


def test_a_form_of_another_site_is_refused_at_every_address(world: World) -> None:
    client, taken = signed_in(world, enforce_csrf_checks=True), []
    before = rows()

    for name, route in ROUTES.items():
        body = {key: str(value).format(**world.here.parts) for key, value in (PAGES[name].body or {}).items()}
        status = client.post(world.here.address(name, route), body).status_code
        if status not in (403, 405):
            taken.append(f"{name}: {status}")

    assert (taken, rows()) == ([], before)


def test_the_api_takes_no_cookie(world: World) -> None:
    client = signed_in(world)

    found = {name: client.generic(*where(name, world)).status_code for name in OPERATIONS}

    assert {name: status for name, status in found.items() if status != 401} == {}


def where(operation: str, world: World, **parts: Any) -> tuple[str, str]:
    method, _, path = operation.partition(" ")
    known = world.here.parts | world.here.operation_parts(path) | parts
    return method.upper(), "/api/v1" + path.format_map(known)


# Ids of rows that belong to one incident, by the name they have in routes.
IDS = {"pk", "pk of incidents:revoke_exception", "pk of comms:notice", "pk of comms:again", "copy", "copy_id", "sha256"}
IDS |= {"exception_id", "proposal_id", "attachment_id"}


def foreign_parts(world: World) -> dict[str, Any]:
    """The ids of another incident, under the reference of ours."""
    other = world.of_mixed
    file = attachments.store(other.incident, SimpleUploadedFile("b.txt", b"theirs"), world.people[ANONYMOUS] or _any())
    return {name: other.parts[name] for name in IDS} | {"sha256": file.sha256, "attachment_id": file.pk}


def _any() -> Any:
    return Incident.objects.first().declared_by  # type: ignore[union-attr]


def test_an_id_of_another_incident_is_found_at_no_page(world: World) -> None:
    client, found = signed_in(world), []
    world.here.parts |= foreign_parts(world)
    before = rows()
    nested = {name: route for name, route in ROUTES.items() if re.search(r"reference>.*:(pk|copy|sha256)>", route)}

    for name, route in nested.items():
        for method in ("get", "post"):
            savepoint = transaction.savepoint()
            status = getattr(client, method)(world.here.address(name, route), {"reason": "x"}).status_code
            transaction.savepoint_rollback(savepoint)
            if status not in (404, 405):
                found.append(f"{method} {name}: {status}")

    assert len(nested) == 6
    assert (found, rows()) == ([], before)


def test_an_id_of_another_incident_is_found_by_no_operation(world: World) -> None:
    token = ApiToken.issue(world.people[COMMANDER], name="All", scopes=["check", "read", "act"])[1]
    world.here.parts |= foreign_parts(world)
    nested = [name for name in OPERATIONS if re.search(r"{(exception_id|proposal_id|attachment_id|copy_id)}", name)]

    found = {name: asked_by_token(world.here, name.partition(" ")[2], name.partition(" ")[0], token) for name in nested}

    assert len(nested) > 3
    assert {name: status for name, status in found.items() if status != 404} == {}


def test_fields_that_no_form_has_are_bound_to_nothing(world: World) -> None:
    """Every field of an incident, sent along with every form that a commander may send."""
    client = signed_in(world)
    incident = world.here.incident
    extra = {
        "phase": Phase.CLOSED, "reference": "RB-1999-0001", "declared_by": "1", "declared_by_id": "1",
        "ended_at": "2020-01-01",
        "need_to_know": "on", "scope_level": "L1", "runbook": "1", "runbook_id": "1", "product_id": "1",
        "drill": "drill",
        "change_number": "99", "accepted_at": "2020-01-01", "state": "succeeded", "approved_by": "1",
        "owner": "commander",
        "is_superuser": "on", "id": "1", "confirmed": "on",
    }  # fmt: skip
    kept = ("phase", "reference", "declared_by_id", "ended_at", "need_to_know", "scope_level", "product_id", "drill")
    moved = []

    for name, route in ROUTES.items():
        if PAGES[name].send is None or name in ("incidents:declare", "incidents:knowledge"):
            continue
        savepoint = transaction.savepoint()
        client.post(world.here.address(name, route), {"reason": "x", **extra})
        now = Incident.objects.values(*kept).get(pk=incident.pk)
        transaction.savepoint_rollback(savepoint)
        if now != {field: getattr(incident, field) for field in kept}:
            moved.append(f"{name}: {now}")

    assert moved == []


# Alertmanager says more with each version: what is not known of it is left out.
OPEN = "post /suggestions/{product}/alertmanager"


def test_fields_that_no_operation_has_are_refused(world: World) -> None:
    token = ApiToken.issue(world.people[COMMANDER], name="All", scopes=["read", "act", "suggest"])[1]
    taken = {}

    for name, operation in OPERATIONS.items():
        if name.startswith("post") and name != OPEN and operation.body != FILE and isinstance(operation.body, dict):
            method, address = where(name, world)
            body = json.dumps(operation.body | {"is_superuser": True}, default=str)
            answer = Client().generic(
                method, address, body, "application/json", headers={"authorization": f"Bearer {token}"}
            )
            taken[name] = answer.status_code

    assert len(taken) > 20
    assert {name: status for name, status in taken.items() if status not in (400, 404, 415, 422)} == {}


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Every pattern that a module of the product keeps."""
    for module in [found for name, found in sys.modules.items() if name.partition(".")[0] in OURS and found]:
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                yield f"{module.__name__}.{name}", value


OURS = ("incidents", "comms", "portal")
UNITS = ("a", " ", "0", "a.", "0.", "a@", "@", "-", "{{", "`", "[", "\x1b[", "\x1b]", "(", "\n", "A: ", "a-", "%")
# Matched as a whole, or against templates and addresses, whose length is bounded.
NOT_SEARCHED = ("_TIMED", "_SECTION", "_TAG", "_NUMERIC_END", "_NAME")


def test_no_pattern_takes_long_on_a_hundred_kilobytes() -> None:
    slow = {}
    for name, pattern in patterns():
        for unit in UNITS:
            text: Any = unit * (100_000 // len(unit)) + "\x00"
            text = text.encode() if isinstance(pattern.pattern, bytes) else text
            began = time.process_time()
            pattern.fullmatch(text)
            if not name.endswith(NOT_SEARCHED):
                pattern.search(text)
            if (spent := time.process_time() - began) > 0.5:
                slow[name] = (unit, round(spent, 2))

    assert slow == {}


LOGGED = """
import logging, structlog
from portal.logs import configure
configure({"json": True, "level": "INFO"})
bad = 'a\\r\\n{"event": "forged"}\\x1b[31m\\u2028\\x85 b'
structlog.get_logger().warning("sign_in_failed", path=bad)
logging.getLogger("django.request").warning("Not Found: %s", bad)
"""


def test_whatever_is_logged_stays_one_record() -> None:
    env = os.environ | {"SECRET_KEY": "x" * 60, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    said = subprocess.run([sys.executable, "-c", LOGGED], env=env, cwd=ROOT, capture_output=True, check=True, text=True)

    lines = said.stderr.splitlines()

    assert [json.loads(line)["level"] for line in lines] == ["warning", "warning"]
    assert "\x1b" not in said.stderr


def test_a_host_that_is_not_ours_is_refused_and_a_forwarded_one_ignored(client: Client) -> None:
    assert client.get("/sign-in/", headers={"host": "evil.example"}).status_code == 400

    answer = client.get("/declare/", headers={"x-forwarded-host": "evil.example", "x-forwarded-for": "1.2.3.4"})

    assert answer.headers["Location"] == "/sign-in/?next=/declare/"
