"""What nobody would send by hand to the forms of sign-in and account: refused or ignored, never an error of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from allauth.core import context
from allauth.mfa.webauthn.internal.auth import begin_authentication
from django.test import Client, RequestFactory

from portal.accounts import passkeys
from tests.factories import UserFactory
from tests.portal.test_second_factor import with_app
from tests.portal.test_sign_in import PASSWORD, is_in, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("static_folder")]

ODD = [
    "",
    " ",
    "\0",
    "\r\nX: y",
    "x" * 70_000,
    "\u202e\ud7ff",
    "ß@ß",
    "' OR 1=1 --",
    "{{7*7}}",
    "-1",
    "٣٣٣٣٣٣",
    "１２３４５６",
]
RESPONSE: dict[str, Any] = {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA", "userHandle": "MQ"}
CREDENTIALS = [
    *ODD,
    *(json.dumps(value) for value in (None, 1, "x", [], {}, {"id": 1}, {"response": {}}, {"response": []})),
    *(
        json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": RESPONSE | change})
        for change in (
            {},
            {"userHandle": None},
            {"userHandle": "!"},
            {"userHandle": "/w"},
            {"userHandle": "OTk5OTk5OTk5OTk5OTk5OTk5"},
            {"clientDataJSON": "!"},
            {"authenticatorData": ""},
            {"signature": 3},
        )
    ),
    "[" * 10_000,
    json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": {"attestationObject": "AA"}}),
]


@pytest.mark.parametrize("field", ["login", "password", "next"])
def test_the_sign_in_form_takes_anything(field: str) -> None:
    person = UserFactory()
    for odd in ODD:
        sent = {"login": person.email, "password": PASSWORD, field: odd}
        assert Client().post("/sign-in/", sent).status_code in (200, 302), odd[:20]


def test_the_second_step_takes_anything() -> None:
    person = UserFactory()
    with_app(person)
    for odd in ODD:
        client, _ = sign_in(person)
        assert client.post("/sign-in/second-factor/", {"code": odd}).status_code == 200, odd[:20]
        assert not is_in(client)


def test_a_passkey_of_any_form_lets_nobody_in() -> None:
    UserFactory()
    for odd in CREDENTIALS:
        client = Client(raise_request_exception=False)
        assert client.get("/sign-in/passkey/", headers={"accept": "application/json"}).status_code == 200
        answer = client.post("/sign-in/passkey/", {"credential": odd})
        assert (answer.status_code, is_in(client)) == (302, False), odd[:200]


def test_a_passkey_of_any_form_is_not_added_and_proves_nothing() -> None:
    person = UserFactory()
    client, _ = sign_in(person)
    client.raise_request_exception = False
    for odd in CREDENTIALS:
        client.get("/account/two-step/passkeys/add/")
        answer = client.post("/account/two-step/passkeys/add/", {"name": odd, "credential": odd})
        assert (answer.status_code, person.authenticator_set.count()) == (200, 0), odd[:200]


def test_a_passkey_of_any_form_proves_nothing() -> None:
    person = UserFactory()
    request: Any = RequestFactory().get("/", headers={"host": "localhost"})
    request.session = sign_in(person)[0].session
    with context.request_context(request):
        begin_authentication(person)
        for odd in CREDENTIALS:
            assert not passkeys.ProofForm(data={"credential": odd}, user=person).is_valid(), odd[:200]


def test_what_is_not_ones_own_or_not_there_is_not_found() -> None:
    client, _ = sign_in(UserFactory())

    for path in ("sessions/0/end/", "sessions/99999999999999999999/end/"):
        assert client.post(f"/account/{path}").status_code == 404
    for path in ("passkeys/1/rename/", "passkeys/1/remove/", "passkeys/99999999999999999999/remove/"):
        assert client.get(f"/account/two-step/{path}").status_code == 404
