"""Every operation of the API × every method × everybody's token × every scope, against the table."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.utils import timezone

from incidents.terms import Role
from portal.accounts.models import ApiToken
from portal.api import api
from tests.factories import make_crew
from tests.incidents.api.calling import static_folder
from tests.matrix.operations import FILE, OPERATIONS, Operation
from tests.matrix.world import ANONYMOUS, PEOPLE, Place, World, build

__all__ = ["static_folder"]

pytestmark = [pytest.mark.django_db, pytest.mark.thorough, pytest.mark.timeout(300)]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SCOPES = ("check", "suggest", "read", "act")
PATHS = sorted({operation.partition(" ")[2] for operation in OPERATIONS})
# A signature speaks for its caller, not a token: tests/incidents/api/test_callback.py.
SIGNED = {"post /attempts/{attempt_id}/callback"}
# Whatever is not one of a no: done, refused with a sentence, or not what the operation takes.
TAKEN = {200, 201, 202, 204, 400, 409, 422}
NO_TOKEN, REVOKED, EXPIRED = "no token", "revoked token", "expired token"


def test_every_operation_has_a_row() -> None:
    paths = api.get_openapi_schema(path_prefix="/")["paths"]

    assert {f"{method} {path}" for path, found in paths.items() for method in found} - SIGNED == OPERATIONS.keys()


@pytest.fixture
def world(settings: Any, tmp_path: Any) -> World:
    settings.MEDIA_ROOT = tmp_path
    return build()


@pytest.mark.one_engine
def test_everybodys_token_gets_what_the_table_says(world: World) -> None:
    cells, differences = 0, []
    for identity in PEOPLE:
        if identity == ANONYMOUS:
            continue
        secret = token(world.people[identity], SCOPES)
        for path in PATHS:
            for method in METHODS:
                wanted = expected(path, method, identity, SCOPES)
                found = asked(world.place_of(identity), path, method, secret)
                cells += 1
                if found not in wanted:
                    differences.append(f"{method} {path} as {identity}: {found}, not {wanted}")

    print(f"{cells} cells of operations, {len(differences)} differences")  # noqa: T201 - the figure is asked for
    assert not differences, "\n".join(differences)


@pytest.mark.parametrize(
    "scopes", [(), ("check",), ("suggest",), ("read",), ("act",)], ids=lambda scopes: "+".join(scopes) or "none"
)
def test_a_token_does_what_its_scopes_name(world: World, scopes: tuple[str, ...]) -> None:
    secret = token(world.people[Role.COMMANDER], scopes)
    differences = []
    for operation in OPERATIONS:
        method, _, path = operation.partition(" ")
        found = asked(world.here, path, method.upper(), secret)
        if found not in (wanted := expected(path, method.upper(), Role.COMMANDER, scopes)):
            differences.append(f"{operation}: {found}, not {wanted}")

    assert not differences, "\n".join(differences)


@pytest.mark.parametrize("kind", [NO_TOKEN, REVOKED, EXPIRED])
def test_what_is_no_live_token_gets_nothing(world: World, kind: str) -> None:
    secret = token(world.people[Role.COMMANDER], SCOPES)
    ended = {REVOKED: {"revoked_at": timezone.now()}, EXPIRED: {"expires_at": timezone.now()}}
    ApiToken.objects.update(**ended.get(kind, {"name": "live"}))

    found = {name: asked(world.here, *parts(name), "" if kind == NO_TOKEN else secret) for name in OPERATIONS}

    assert {name: status for name, status in found.items() if status != 401} == {}


def test_a_token_of_another_product_finds_nothing_here(world: World) -> None:
    other = make_crew().product
    secret = token(world.people[Role.COMMANDER], SCOPES, product=other)

    found = {name: asked(world.here, *parts(name), secret) for name in OPERATIONS if "{" in name}

    assert {name: status for name, status in found.items() if status not in (403, 404)} == {}


def test_a_token_of_another_incident_finds_nothing_here(world: World) -> None:
    secret = token(world.people[Role.COMMANDER], SCOPES, incident=world.of_mixed.incident)

    found = {name: asked(world.here, *parts(name), secret) for name in OPERATIONS if "{" in name}

    assert {name: status for name, status in found.items() if status not in (403, 404)} == {}


def parts(operation: str) -> tuple[str, str]:
    method, _, path = operation.partition(" ")
    return path, method.upper()


def token(person: Any, scopes: tuple[str, ...], **fields: Any) -> str:
    return ApiToken.issue(person, name="matrix", scopes=list(scopes), **fields)[1]


def asked(place: Place, path: str, method: str, secret: str) -> int:
    """The status of one answer. Whatever it changed is taken back."""
    words = place.parts | place.operation_parts(path)
    operation = OPERATIONS.get(f"{method.lower()} {path}", Operation())
    address = "/api/v1" + re.sub(r"{(\w+)}", lambda part: str(words[part[1]]), path)
    address += "?operation=merge" if path.endswith("/check") else ""
    content, media = _content(operation.body, words)
    savepoint = transaction.savepoint()
    try:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        answer = Client().generic(method, address, content, media, headers=headers)
        for _ in getattr(answer, "streaming_content", ()):
            continue
    finally:
        transaction.savepoint_rollback(savepoint)
    return answer.status_code


def _content(body: Any, words: dict[str, Any]) -> tuple[bytes, str]:
    if FILE.items() <= (body or {}).items():
        fields = body | {"file": SimpleUploadedFile("run.json", b'{"items": []}')}
        return encode_multipart(BOUNDARY, fields), MULTIPART_CONTENT
    filled = {key: value.format(**words) if isinstance(value, str) else value for key, value in (body or {}).items()}
    return orjson.dumps(filled) if body else b"", "application/json"


def expected(path: str, method: str, identity: str, scopes: tuple[str, ...]) -> set[int]:
    operation = OPERATIONS.get(f"{method.lower()} {path}")
    if operation is None:
        return {405}
    if operation.scope not in scopes:
        return {403}
    if identity not in operation.seen_by:
        return {404}
    return TAKEN if identity in operation.may else {403}
