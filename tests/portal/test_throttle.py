"""Wrong tries are bounded per address and per account, and whoever owns the account still signs in."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.cache import cache
from django.test import Client

from portal.accounts import throttle
from portal.accounts.models import Try
from tests.factories import UserFactory
from tests.incidents.views.pages import text_of
from tests.portal.test_second_factor import code_of, enter, with_app
from tests.portal.test_sign_in import PASSWORD, SAME_ANSWER, is_in, sign_in
from tests.portal.test_step_up import ASKED, set_proof

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("static_folder")]

TOO_MANY = "Too many wrong tries."


class Counting(Argon2PasswordHasher):
    """Argon2 that counts how often it worked, and works little."""

    memory_cost, time_cost, parallelism = 8, 1, 1
    worked = 0

    def encode(self, password: str, salt: str) -> str:
        Counting.worked += 1
        return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        Counting.worked += 1
        return super().verify(password, encoded)


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.Counting"]


def attack(email: str, *, address: str, times: int = 1) -> list[str]:
    """What wrong tries from an address are answered with."""
    answers = []
    for _ in range(times):
        sent = {"login": email, "password": "guessed"}
        page = text_of(Client(REMOTE_ADDR=address).post("/sign-in/", sent))
        answers.append("tried" if SAME_ANSWER in page else "refused" if TOO_MANY in page else page)
    return answers


@pytest.mark.thorough
def test_a_thousand_tries_from_fifty_addresses_are_bounded_while_the_owner_signs_in() -> None:
    owner = UserFactory()
    device, _ = sign_in(owner)
    Counting.worked = 0

    answers = [answer for n in range(1000) for answer in attack(owner.email, address=f"10.0.{n % 50}.{n % 50}")]

    assert answers.count("tried") == Counting.worked == throttle.MOST["account"]
    assert answers.count("refused") == 1000 - throttle.MOST["account"]
    assert Try.objects.count() <= throttle.MOST["account"] * 2
    device.post("/sign-out/")
    sign_in(owner, client=device)
    assert is_in(device)


def test_an_address_that_tries_many_accounts_is_bounded_too() -> None:
    answers = [answer for n in range(40) for answer in attack(f"somebody{n}@example.test", address="10.1.1.1")]

    assert answers == ["tried"] * throttle.MOST["address"] + ["refused"] * 10
    assert attack("somebody@example.test", address="10.1.1.2") == ["tried"]


def test_one_network_of_ipv6_is_one_address() -> None:
    answers = [answer for n in range(31) for answer in attack(f"p{n}@example.test", address=f"2001:db8::{n:x}")]

    assert answers[-1] == "refused"
    assert attack("p@example.test", address="2001:db8:0:1::1") == ["tried"]


def test_a_known_device_is_bounded_apart_and_only_for_its_own_accounts() -> None:
    owner, other = UserFactory(), UserFactory()
    device, _ = sign_in(owner)
    device.post("/sign-out/")
    attack(owner.email, address="127.0.0.1", times=12)

    wrong = [text_of(sign_in(owner, "guessed", device)[1]) for _ in range(11)]
    assert [SAME_ANSWER in page for page in wrong] == [True] * 10 + [False]

    attack(other.email, address="10.2.2.2", times=10)
    assert TOO_MANY in text_of(sign_in(other, PASSWORD, device)[1])


def test_a_forged_cookie_makes_no_device_known() -> None:
    owner = UserFactory()
    attack(owner.email, address="10.3.3.3", times=10)
    client = Client()
    client.cookies[throttle.COOKIE] = "eyJpZCI6IngiLCJhY2NvdW50cyI6W119:1abc:forged"

    assert TOO_MANY in text_of(sign_in(owner, client=client)[1])


def test_after_a_quarter_of_an_hour_it_may_be_tried_again() -> None:
    owner = UserFactory()
    attack(owner.email, address="10.4.4.4", times=11)

    with time_machine.travel(time.time() + throttle.WINDOW.total_seconds() + 1):
        assert sign_in(owner)[1].status_code == 302
        assert Try.objects.count() == 0


def test_a_right_password_is_not_counted() -> None:
    owner = UserFactory()
    for _ in range(15):
        assert sign_in(owner)[1].status_code == 302

    assert Try.objects.count() == 0


def test_an_unknown_account_costs_the_same_work_and_gets_the_same_answers() -> None:
    known, closed, elsewhere = UserFactory(), UserFactory(is_active=False), UserFactory()
    elsewhere.set_unusable_password()
    elsewhere.save()
    worked = []
    for email in (known.email, closed.email, elsewhere.email, "nobody@example.test"):
        Counting.worked = 0
        answers = attack(email, address=f"10.5.5.{len(worked)}", times=12)
        worked.append((Counting.worked, answers))

    assert worked == [(10, ["tried"] * 10 + ["refused"] * 2)] * 4


def test_codes_are_bounded_as_passwords_are() -> None:
    owner = UserFactory()
    secret = with_app(owner)
    client, _ = sign_in(owner)

    pages = [text_of(enter(client, "000000")) for _ in range(11)]
    cache.clear()

    assert [TOO_MANY in page for page in pages] == [False] * 10 + [True]
    assert TOO_MANY in text_of(enter(client, code_of(secret)))
    assert not is_in(client)


def test_passwords_are_bounded_in_a_session_as_well() -> None:
    owner = UserFactory()
    client, _ = sign_in(owner)
    set_proof(client, seconds_ago=601)
    pages = [text_of(client.post("/account/password/", {"step-up-password": "guessed"})) for _ in range(11)]

    assert all(ASKED in page for page in pages)
    assert [TOO_MANY in page for page in pages] == [False] * 10 + [True]


def test_the_old_password_cannot_be_guessed_where_it_is_changed() -> None:
    client, _ = sign_in(UserFactory())
    asked = {"oldpassword": "guessed", "password1": "a longer one entirely", "password2": "a longer one entirely"}

    pages = [text_of(client.post("/account/password/", asked)) for _ in range(11)]

    assert ["This is not your current password." in page for page in pages] == [True] * 10 + [False]
    assert TOO_MANY in pages[-1]


def test_a_refused_try_is_in_the_log_without_the_name_that_was_typed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    attack("mara.secret@example.test", address="10.6.6.6", times=11)

    events = [str(record.msg) for record in caplog.records]
    assert sum("sign_in_failed" in event for event in events) == 10
    assert sum("sign_in_throttled" in event for event in events) == 1
    assert not any("mara.secret" in event for event in events)


def test_a_forwarded_address_counts_only_behind_a_proxy(settings: Any) -> None:
    sent = {"login": "a@example.test", "password": "x"}
    for n in range(11):
        Client(REMOTE_ADDR="10.7.7.7").post("/sign-in/", sent, headers={"x-forwarded-for": f"10.8.8.{n}"})
    assert {row.bucket for row in Try.objects.all()} >= {throttle._digest("address", "10.7.7.7")}

    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    Client(REMOTE_ADDR="10.7.7.7").post(
        "/sign-in/", {**sent, "login": "b@example.test"}, headers={"x-forwarded-for": "1.1.1.1, 10.8.8.8"}
    )
    assert Try.objects.filter(bucket=throttle._digest("address", "10.8.8.8")).exists()


# How old a session may become ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "holds"),
    [(timedelta(minutes=29), True), (timedelta(minutes=31), False)],
)
def test_a_session_ends_after_half_an_hour_without_an_act(after: timedelta, holds: bool) -> None:
    client, _ = sign_in(UserFactory())

    with time_machine.travel(time.time() + after.total_seconds()):
        assert is_in(client) is holds
        if not holds:
            assert "nothing was done for a while" in text_of(client.get("/sign-in/"))


def test_a_session_in_use_ends_after_twelve_hours() -> None:
    client, _ = sign_in(UserFactory())
    began = time.time()

    held = []
    for minutes in range(0, 12 * 60 + 21, 20):
        with time_machine.travel(began + minutes * 60 + 1):
            held.append(is_in(client))

    assert held == [True] * 36 + [False] * 2


def test_a_session_says_when_it_was_last_used() -> None:
    client, _ = sign_in(UserFactory())
    began = time.time()
    with time_machine.travel(began + 300):
        assert is_in(client)

    assert UserSession.objects.get().last_seen_at.timestamp() >= began + 300


def test_a_page_that_asks_by_itself_does_not_keep_a_session_alive() -> None:
    client, _ = sign_in(UserFactory())
    began = time.time()
    for minutes in (10, 20, 29):
        with time_machine.travel(began + minutes * 60):
            client.get("/my-work/", headers={"hx-request": "true"})

    with time_machine.travel(began + 31 * 60):
        assert not is_in(client)
