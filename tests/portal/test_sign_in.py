"""Signing in and out with email and password, and where one is signed in."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.socialaccount.models import SocialApp
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import NoReverseMatch, reverse

from tests.factories import UserFactory
from tests.incidents.admin.given import configured
from tests.incidents.views.pages import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("static_folder")]

PASSWORD = "correct horse battery"
BETTER = "an entirely other horse"
SAME_ANSWER = "Email and password do not belong together, or the account may not sign in."


def sign_in(person: Any, password: str = PASSWORD, client: Client | None = None, **asked: str) -> tuple[Client, Any]:
    client = client or Client()
    return client, client.post("/sign-in/", {"login": person.email, "password": password, **asked})


def is_in(client: Client) -> bool:
    return client.get("/my-work/").status_code == 200


def test_a_person_signs_in_and_lands_where_they_were_going() -> None:
    client, answer = sign_in(UserFactory(), next="/runbook/")

    assert (answer.status_code, answer["Location"]) == (302, "/runbook/")
    assert is_in(client)


@pytest.mark.parametrize("asked", ["https://evil.example/", "//evil.example/", "http://localhost/", "javascript:x"])
def test_sign_in_never_leads_to_another_site(asked: str) -> None:
    _, answer = sign_in(UserFactory(), next=asked)

    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_the_answer_is_the_same_for_a_wrong_password_an_unknown_and_a_closed_account() -> None:
    closed = UserFactory(is_active=False)
    pages = [
        sign_in(UserFactory(), "wrong")[1],
        sign_in(UserFactory.build(email="nobody@example.test"))[1],
        sign_in(closed)[1],
    ]

    assert [(page.status_code, SAME_ANSWER in text_of(page)) for page in pages] == [(200, True)] * 3


def test_the_address_is_taken_in_any_case() -> None:
    person = UserFactory(email="mara@example.test")

    answer = Client().post("/sign-in/", {"login": " Mara@Example.test", "password": PASSWORD})

    assert (answer.status_code, person.pk) == (302, int(answer.client.session["_auth_user_id"]))


def test_signing_out_ends_the_session_and_is_never_done_by_a_link() -> None:
    client, _ = sign_in(UserFactory())
    before = client.cookies["session"].value

    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/")["Location"] == "/sign-in/"

    client.cookies["session"] = before
    assert not is_in(client)


def test_nobody_signs_up_and_no_mail_resets_a_password() -> None:
    for name in ("account_signup", "account_reset_password", "account_email", "account_reauthenticate"):
        with pytest.raises(NoReverseMatch):
            reverse(name)


def test_the_back_office_has_no_sign_in_page_of_its_own() -> None:
    answer = Client().get("/admin/login/?next=/admin/")

    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=%2Fadmin%2F")
    client, _ = sign_in(UserFactory())
    assert client.get("/admin/login/").status_code == 403


def test_a_provider_that_was_put_into_the_table_is_none() -> None:
    settings = {"server_url": "http://127.0.0.1:9"}
    SocialApp.objects.create(provider="openid_connect", provider_id="oidc", name="x", client_id="x", settings=settings)

    assert "Single sign-on" not in text_of(Client().get("/sign-in/"))
    assert Client().post("/sign-in/oidc/").status_code == 404


# Sessions -------------------------------------------------------------------------------------------------------------


def test_the_session_key_changes_at_sign_in() -> None:
    client = Client()
    client.get("/sign-in/")
    planted = client.session
    planted["planted"] = "yes"
    planted.save()
    client.cookies["session"] = planted.session_key

    sign_in(UserFactory(), client=client)

    assert client.cookies["session"].value != planted.session_key
    assert not Session.objects.filter(session_key=planted.session_key).exists()


def test_a_person_sees_where_they_are_signed_in_and_ends_one_or_all_others() -> None:
    person = UserFactory()
    agents = ("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "Mozilla/5.0 (iPhone) Safari/1", "curl/8")
    clients = [Client(headers={"user-agent": agent}) for agent in agents]
    for client in clients:
        sign_in(person, client=client)
    here, phone, other = clients

    page = text_of(here.get("/account/sessions/"))
    for words in ("Firefox on Linux", "Safari on iPhone", "Unknown browser on an unknown system"):
        assert words in page

    row = UserSession.objects.get(session_key=phone.cookies["session"].value)
    assert here.post(f"/account/sessions/{row.pk}/end/").status_code == 302
    assert [is_in(client) for client in clients] == [True, False, True]

    here.post("/account/sessions/end-others/")
    assert [is_in(client) for client in (here, other)] == [True, False]


def test_nobody_ends_the_session_of_somebody_else() -> None:
    client, _ = sign_in(UserFactory())
    other, _ = sign_in(UserFactory())
    row = UserSession.objects.get(session_key=other.cookies["session"].value)

    assert client.post(f"/account/sessions/{row.pk}/end/").status_code == 404
    assert is_in(other)


def test_a_new_password_ends_every_other_session() -> None:
    person = UserFactory()
    here, _ = sign_in(person)
    other, _ = sign_in(person)

    asked = {"oldpassword": PASSWORD, "password1": BETTER, "password2": BETTER}
    assert here.post("/account/password/", asked)["Location"] == "/account/sessions/"

    assert [is_in(here), is_in(other)] == [True, False]
    assert sign_in(person, BETTER)[1].status_code == 302


def test_a_changed_password_is_on_record_and_the_password_is_not() -> None:
    person = UserFactory()
    client, _ = sign_in(person)

    client.post("/account/password/", {"oldpassword": PASSWORD, "password1": BETTER, "password2": BETTER})

    (entry,) = configured()
    assert entry.body["new"] == {"password": "changed"}
    assert entry.actor == {"kind": "user", "id": str(person.public_id)}
    assert "horse" not in entry.canonical


def test_whoever_has_no_password_here_has_no_page_for_it() -> None:
    person = UserFactory()
    client, _ = sign_in(person)
    person.set_unusable_password()
    person.save()
    client.force_login(person)

    assert client.get("/account/password/").status_code == 404
    assert "Password" not in text_of(client.get("/account/sessions/"))


def test_whoever_is_deactivated_is_out_on_the_very_next_request() -> None:
    person = UserFactory()
    client, _ = sign_in(person)
    assert is_in(client)

    person.is_active = False
    person.save(update_fields=["is_active"])

    assert not is_in(client)
