"""Second factors: set up, used once, asked for at sign-in and before acts, kept encrypted, required by settings."""

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
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from allauth.mfa.utils import decrypt
from cryptography.fernet import InvalidToken
from django.core.cache import cache
from django.db import connection
from django.test import Client

from portal.accounts import second_factor
from portal.bootstrap.places import ROOT
from tests.factories import UserFactory, make_crew, make_incident
from tests.incidents.admin.given import address, clerk, configured
from tests.incidents.views.pages import at, text_of
from tests.portal.test_sign_in import PASSWORD, is_in, sign_in
from tests.portal.test_step_up import ASKED, set_proof

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("static_folder")]


@pytest.fixture(autouse=True)
def forgotten_cache() -> Iterator[None]:
    """What allauth keeps in a process of its own: another process knows nothing of it."""
    cache.clear()
    yield
    cache.clear()


def with_app(person: Any) -> str:
    """Give the person an app; its secret."""
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    TOTP.activate(person, secret)
    return secret


def code_of(secret: str, *, steps: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


def in_the_middle_of_a_step() -> Any:
    """Time stands still, fifteen seconds from the next code."""
    return time_machine.travel(int(time.time()) // 30 * 30 + 15, tick=False)


def enter(client: Client, code: str) -> Any:
    return client.post("/sign-in/second-factor/", {"code": code})


# Setting it up --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_an_app_is_set_up_with_a_code_and_brings_recovery_codes() -> None:
    person = UserFactory()
    client, _ = sign_in(person)
    page = client.get("/account/two-step/app/").content.decode()
    secret = re.findall(r'<code class="mono">([A-Z2-7]{32})</code>', page)[0]

    answer: Any = client.post("/account/two-step/app/", {"code": code_of(secret)})

    assert (answer.status_code, answer["Location"]) == (302, "/account/two-step/recovery-codes/")
    codes = client.get(answer["Location"]).content.decode()
    assert len(re.findall(r'<code class="mono">\d{8}</code>', codes)) == 10
    assert {factor.type for factor in Authenticator.objects.filter(user=person)} == {"totp", "recovery_codes"}
    assert [(entry.body["sentence"], entry.actor["id"]) for entry in configured()] == [
        (f"Second factor of user {person.public_id} added: {what}", str(person.public_id))
        for what in ("authenticator app", "recovery codes")
    ]


def test_a_wrong_code_sets_nothing_up() -> None:
    client, _ = sign_in(UserFactory())
    client.get("/account/two-step/app/")

    answer: Any = client.post("/account/two-step/app/", {"code": "000000"})

    assert "This code is wrong" in text_of(answer)
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize(
    "path",
    ["app/", "app/remove/", "passkeys/add/", "recovery-codes/", "recovery-codes/new/", "recovery-codes/download/"],
)
def test_a_stale_session_neither_sees_a_secret_nor_changes_a_factor(path: str) -> None:
    person = UserFactory()
    client, _ = sign_in(person)
    if "remove" in path or "recovery" in path:
        with_app(person)
    set_proof(client, seconds_ago=601)

    answer = client.post(f"/account/two-step/{path}", {"code": "1"})

    assert ASKED in text_of(answer)


def test_reading_the_recovery_codes_goes_on_after_the_proof() -> None:
    client, _ = sign_in(UserFactory())
    set_proof(client, seconds_ago=601)

    assert ASKED in text_of(client.get("/account/two-step/app/"))
    answer: Any = client.post("/account/two-step/app/", {"step-up-password": PASSWORD})

    assert (answer.status_code, answer["Location"]) == (302, "/account/two-step/app/")
    assert "Scan this" in text_of(client.get("/account/two-step/app/"))


# Using it -------------------------------------------------------------------------------------------------------------


def test_the_password_alone_lets_nobody_in_who_has_an_app() -> None:
    person = UserFactory()
    secret = with_app(person)

    client, answer = sign_in(person, next="/runbook/")
    assert (answer["Location"], is_in(client)) == ("/sign-in/second-factor/", False)
    assert "This code is wrong" in text_of(enter(client, "000000"))
    assert not is_in(client)

    assert enter(client, code_of(secret))["Location"] == "/runbook/"
    assert is_in(client)


def test_who_turns_back_at_the_second_step_can_sign_in_as_somebody_else() -> None:
    person = UserFactory()
    with_app(person)
    client, _ = sign_in(person)

    assert client.post("/sign-out/")["Location"] == "/sign-in/"

    assert client.get("/sign-in/").status_code == 200
    assert client.get("/sign-in/second-factor/")["Location"] == "/sign-in/"


@pytest.mark.parametrize("step", [0, -1, 1])
def test_a_code_counts_once_also_in_another_process(step: int) -> None:
    person = UserFactory()
    secret = with_app(person)
    with in_the_middle_of_a_step():
        code = code_of(secret, steps=step)
        first, _ = sign_in(person)
        enter(first, code)
        cache.clear()
        second, _ = sign_in(person)
        enter(second, code)

        assert [is_in(first), is_in(second)] == [True, False]


def test_an_earlier_code_than_the_last_one_is_no_good_any_more() -> None:
    person = UserFactory()
    secret = with_app(person)
    with in_the_middle_of_a_step():
        first, _ = sign_in(person)
        enter(first, code_of(secret))
        second, _ = sign_in(person)
        enter(second, code_of(secret, steps=-1))

        assert [is_in(first), is_in(second)] == [True, False]


def test_a_recovery_code_counts_once() -> None:
    person = UserFactory()
    client, _ = sign_in(person)
    page = client.get("/account/two-step/app/").content.decode()
    client.post("/account/two-step/app/", {"code": code_of(re.findall(r"[A-Z2-7]{32}", page)[0])})
    recovery = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()[0]

    clients = []
    for _ in range(2):
        another, _ = sign_in(person)
        enter(another, recovery)
        clients.append(another)

    assert [is_in(one) for one in clients] == [True, False]


def test_whoever_has_a_factor_steps_up_with_it_and_not_with_the_password() -> None:
    crew = make_crew()
    secret = with_app(crew.commander)
    visitor = at(make_incident(crew), crew.commander)
    set_proof(visitor.client, seconds_ago=0, method="password")
    typed = {"act": "hand_over", "role": "commander", "person": crew.deputy.pk, "reason": "Off shift"}

    assert ASKED in text_of(visitor.send("roles", **typed))
    assert ASKED in text_of(visitor.send("roles", **typed, **{"step-up-password": PASSWORD}))
    with in_the_middle_of_a_step():
        code = code_of(secret)
        assert visitor.send("roles", **typed, **{"step-up-code": code})["Location"] == visitor.url("roles")

        cache.clear()
        set_proof(visitor.client, seconds_ago=601, method="mfa")
        assert "This code is wrong, or was used before." in text_of(
            visitor.send("roles", **typed, **{"step-up-code": code})
        )


# Keeping it -----------------------------------------------------------------------------------------------------------


def test_no_secret_of_a_factor_stands_in_the_database(settings: Any) -> None:
    person = UserFactory()
    secret = with_app(person)

    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM mfa_authenticator")
        stored = json.dumps(cursor.fetchall(), default=str)

    assert secret not in stored
    settings.FACTOR_KEYS = ["new", *settings.FACTOR_KEYS]
    assert decrypt(Authenticator.objects.get(type="totp").data["secret"]) == secret
    settings.FACTOR_KEYS = ["new"]
    with pytest.raises(InvalidToken):
        decrypt(Authenticator.objects.get(type="totp").data["secret"])


def test_a_secret_that_no_key_opens_is_a_wrong_code_and_no_error(settings: Any) -> None:
    person = UserFactory()
    secret = with_app(person)
    settings.FACTOR_KEYS = ["another"]
    client, _ = sign_in(person)

    assert "This code is wrong" in text_of(enter(client, code_of(secret)))


# Requiring it ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"PUBLIC_URL": "https://lastgood.example"}, "staff"),
        ({"PUBLIC_URL": "https://lastgood.example", "LASTGOOD_DEMO": "1"}, "none"),
        ({"PUBLIC_URL": "http://127.0.0.1:8000"}, "none"),
        ({"PUBLIC_URL": "http://127.0.0.1:8000", "LASTGOOD_REQUIRE_MFA": "all"}, "all"),
        ({"LASTGOOD_REQUIRE_MFA": "everybody"}, "LASTGOOD_REQUIRE_MFA is none, staff or all"),
    ],
)
def test_who_must_have_a_factor_follows_from_the_address_unless_said(given: dict[str, str], expected: str) -> None:
    ask = "from django.conf import settings; print(settings.REQUIRE_MFA)"
    env = {name: value for name, value in os.environ.items() if name != "LASTGOOD_REQUIRE_MFA"} | given
    done = subprocess.run([sys.executable, "-c", ask], env=env, cwd=ROOT, capture_output=True, text=True, check=False)

    assert expected in (done.stdout.strip() or done.stderr)


@pytest.mark.parametrize(
    ("setting", "is_staff", "led"),
    [("none", True, False), ("staff", False, False), ("staff", True, True), ("all", False, True)],
)
def test_who_must_have_a_factor_is_led_to_set_it_up(settings: Any, setting: str, is_staff: bool, led: bool) -> None:
    settings.REQUIRE_MFA = setting
    person = UserFactory(is_staff=is_staff)
    client, _ = sign_in(person)

    answer: Any = client.get("/my-work/")
    assert (answer.status_code, answer.headers.get("Location")) == ((302, "/account/two-step/") if led else (200, None))
    assert client.get("/account/two-step/app/").status_code == 200
    assert client.get("/healthz").status_code == 200

    with_app(person)
    assert is_in(client)


def test_the_last_factor_stays_with_whoever_must_have_one(settings: Any) -> None:
    settings.REQUIRE_MFA = "all"
    person = UserFactory()
    with_app(person)
    client = Client()
    client.force_login(person)

    answer = client.post("/account/two-step/app/remove/")

    assert "add another one before you remove this one" in text_of(answer)
    assert second_factor.has(person)


def test_an_administrator_takes_a_lost_factor_away_and_it_is_on_record() -> None:
    person = UserFactory()
    with_app(person)
    admin, desk = clerk()
    before = len(configured())

    desk.post(address(person, "forget-factors"))

    assert not Authenticator.objects.filter(user=person).exists()
    (entry,) = configured()[before:]
    assert entry.body["sentence"] == f"Second factor of user {person.public_id} removed: authenticator app"
    assert entry.actor == {"kind": "user", "id": str(admin.public_id)}
    assert sign_in(person)[1]["Location"] == "/"
