"""People and tokens in the back office: made, switched off and revoked, each on record; no secret stays anywhere."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.accounts.models import ApiToken, User
from portal.accounts.token import PATTERN, digest_of
from tests.factories import ProductFactory, UserFactory
from tests.incidents.admin.given import address, clerk, configured, filled
from tests.incidents.steps.at_once import at_once

pytestmark = pytest.mark.django_db

WORDS = "correct horse battery staple"


def bodies() -> list[dict[str, Any]]:
    return [entry.body for entry in configured()]


def issue(client: Client, user: User, **changes: Any) -> str:
    """Issue a token on the page and return the whole answer."""
    ends = timezone.now() + timedelta(days=30)
    asked = {"name": "pipeline", "user": user.pk, "product": "", "scopes": ["check"], **changes}
    asked = {"expires_at_0": f"{ends:%Y-%m-%d}", "expires_at_1": "12:00:00", **asked}
    return client.post(address(ApiToken, "add"), asked).content.decode()


def secret_in(page: str) -> str:
    (found,) = re.findall(PATTERN, page)
    return str(found)


# People --------------------------------------------------------------------------------------------------------------


def test_a_person_is_made_with_a_password_and_on_record_without_name_and_address() -> None:
    user, client = clerk()
    asked = {"name": "Mara Lindqvist", "email": "Mara@Portarium.Example", "password1": WORDS, "password2": WORDS}

    client.post(address(User, "add"), asked)

    mara = User.objects.get(email="mara@portarium.example")
    (body,) = bodies()
    assert mara.check_password(WORDS)
    assert (body["object"], body["id"], body["old"]) == ("user", str(mara.public_id), {})
    assert body["sentence"] == f"User {mara.public_id} added"
    assert (body["new"]["name"], body["new"]["email"]) == ("set", "set")
    assert (body["new"]["is_staff"], body["new"]["is_active"]) == (False, True)
    assert re.search("mara|lindqvist|horse|argon", json.dumps(bodies()), re.IGNORECASE) is None
    assert configured()[0].actor == {"kind": "user", "id": str(user.public_id)}


def test_an_address_stands_once_whatever_its_case() -> None:
    _, client = clerk()
    UserFactory(email="mara@portarium.example")
    asked = {"name": "Mara", "email": "MARA@portarium.example", "password1": WORDS, "password2": WORDS}

    page = client.post(address(User, "add"), asked).content.decode()

    assert "User with this Email already exists." in page
    assert bodies() == []


def test_a_person_is_switched_off_and_not_deleted() -> None:
    _, client = clerk()
    person = UserFactory()
    theirs = Client()
    theirs.force_login(person)
    url = address(person, "change")
    sent = filled(client, url)
    del sent["is_active"]

    client.post(url, {**sent, "name": "Somebody Else"})

    person.refresh_from_db()
    assert person.is_active is False
    assert bodies()[-1]["sentence"] == f"User {person.public_id} changed: name, may sign in"
    assert (bodies()[-1]["old"], bodies()[-1]["new"]) == (
        {"name": "set", "is_active": True},
        {"name": "changed", "is_active": False},
    )
    assert client.post(address(person, "delete"), {"post": "yes"}).status_code == 403
    assert theirs.get(reverse("admin:index")).status_code == 302


def test_nobody_takes_their_own_access_away() -> None:
    user, client = clerk()
    url = address(user, "change")
    sent = filled(client, url)
    del sent["is_staff"]

    page = client.post(url, sent).content.decode()

    user.refresh_from_db()
    assert "You cannot take this from yourself: ask another administrator." in page
    assert user.is_staff


@pytest.mark.django_db(transaction=True)
def test_twenty_administrators_who_take_it_from_each_other_at_once_leave_one() -> None:
    """Each takes the access of the next: two alone would be two who each take it from the other."""
    people = [clerk() for _ in range(20)]
    for ring in (people[:2], people[2:]):
        asked = []
        for number, (_, client) in enumerate(ring):
            url = address(ring[(number + 1) % len(ring)][0], "change")
            sent = filled(client, url)
            del sent["is_staff"]
            asked.append(lambda client=client, url=url, sent=sent: client.post(url, sent).status_code == 302)

        outcomes = at_once(*asked)

        left = User.objects.filter(pk__in=[user.pk for user, _ in ring], is_staff=True).count()
        assert set(outcomes) <= {"done", "refused"}
        assert left == len(ring) - outcomes.count("done") > 0


def test_a_changed_password_is_on_record_as_changed_and_no_more() -> None:
    user, client = clerk()
    person = UserFactory()
    another = {"password1": f"{WORDS} 2", "password2": f"{WORDS} 2", "usable_password": "true"}
    url = reverse("admin:auth_user_password_change", args=[person.pk])

    client.post(url, {**another, "password2": "different"})
    client.post(url, another)
    own = {"oldpassword": "correct horse battery", "password1": f"{WORDS} 3", "password2": f"{WORDS} 3"}
    client.post(client.get(reverse("admin:password_change"))["Location"], own)

    person.refresh_from_db()
    user.refresh_from_db()
    assert (person.check_password(f"{WORDS} 2"), user.check_password(f"{WORDS} 3")) == (True, True)
    changed = {"old": {"password": "set"}, "new": {"password": "changed"}}
    assert [{name: body[name] for name in ("id", "old", "new")} for body in bodies()] == [
        {"id": str(person.public_id), **changed},
        {"id": str(user.public_id), **changed},
    ]
    assert bodies()[0]["sentence"] == f"User {person.public_id} changed: password"


def test_groups_and_permissions_are_nowhere() -> None:
    _, client = clerk(is_superuser=True)

    page = client.get(address(UserFactory(), "change")).content.decode()

    assert Group not in admin.site._registry
    for name in ("groups", "user_permissions", "is_superuser"):
        assert f'name="{name}"' not in page


# Tokens --------------------------------------------------------------------------------------------------------------


def test_a_secret_is_shown_once_and_stored_nowhere() -> None:
    user, client = clerk()
    person = UserFactory()
    product = ProductFactory()

    page = issue(client, person, product=product.pk)

    secret = secret_in(page)
    token = ApiToken.objects.get()
    assert (token.digest, token.user, token.product, token.scopes) == (digest_of(secret), person, product, ["check"])
    assert secret not in database()
    for url in (address(token, "change"), address(ApiToken, "changelist"), address(token, "history")):
        assert secret not in client.get(url).content.decode()
    (body,) = bodies()
    assert body["sentence"] == "Api token “pipeline” added"
    assert body["new"]["user"] == str(person.public_id)
    assert body["new"]["product"] == product.slug
    assert "digest" not in body["new"]
    assert Session.objects.count() == 1
    assert LogEntry.objects.get().user == user


def database() -> str:
    """Every text of every table, as one."""
    found = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            found += [str(bytes(cell) if isinstance(cell, memoryview) else cell) for row in cursor for cell in row]
    sessions = [str(session.get_decoded()) for session in Session.objects.all()]
    return "\n".join(found + sessions)


def test_sending_the_page_again_issues_no_second_token() -> None:
    _, client = clerk()
    person = UserFactory()
    issue(client, person)

    again = issue(client, person)

    assert "This person has a live token of this name: revoke it, or choose another name." in again
    assert ApiToken.objects.count() == 1


def test_a_token_is_revoked_for_good_and_never_edited_or_deleted() -> None:
    _, client = clerk()
    issue(client, UserFactory())
    token = ApiToken.objects.get()
    digest = token.digest

    assert client.get(address(token, "revoke")).status_code == 405
    client.post(address(token, "revoke"))
    revoked_at = ApiToken.objects.get().revoked_at
    client.post(address(token, "revoke"))
    edited = client.post(address(token, "change"), {"name": "mine", "digest": "0" * 64, "revoked_at": ""})

    token.refresh_from_db()
    assert (token.is_live(), token.revoked_at, token.digest) == (False, revoked_at, digest)
    assert edited.status_code == 403
    assert client.post(address(token, "delete"), {"post": "yes"}).status_code == 403
    assert [(list(body["old"]), list(body["new"])) for body in bodies()[1:]] == [(["revoked_at"], ["revoked_at"])]
    assert bodies()[-1]["old"] == {"revoked_at": None}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"expires_at_0": "2020-01-01"}, "A token expires in the future"),
        ({"expires_at_0": "2099-01-01"}, "at most 365 days from now"),
        ({"scopes": ["everything"]}, "Select a valid choice."),
        ({"scopes": []}, "This field is required."),
        ({"name": ""}, "This field is required."),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(changes: dict[str, Any], sentence: str) -> None:
    _, client = clerk()

    page = issue(client, UserFactory(), **changes)

    assert sentence in page
    assert ApiToken.objects.count() == 0
    assert bodies() == []
