"""API tokens: a form that scanners know, a check before the database is asked, the header alone, a life that ends."""

from __future__ import annotations

import re
import string
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from incidents.models import Incident
from incidents.terms import Role
from portal.accounts import auth, token
from portal.accounts.models import ApiToken, Scope
from tests.factories import Crew, UserFactory, make_crew, make_incident
from tests.incidents.api.calling import calling, static_folder

__all__ = ["calling", "static_folder"]

pytestmark = pytest.mark.django_db
CHECK = "/api/v1/freeze/portarium/check?operation=merge"
PLACES = [CHECK, "/api/v1/incidents"]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_a_secret_has_the_documented_form_and_is_never_the_same() -> None:
    made = {token.make("act") for _ in range(500)}

    assert len(made) == 500
    assert all(re.fullmatch(r"lgd_(?:check|suggest|read|act)_[0-9A-Za-z]{49}", secret) for secret in made)
    assert all(token.is_whole(secret) for secret in made)


@pytest.mark.parametrize(
    ("scopes", "kind"),
    [([], "check"), (["check"], "check"), (["suggest"], "suggest"), (["act", "read", "check"], "act")],
)
def test_its_type_is_the_most_that_it_may_do(scopes: list[str], kind: str) -> None:
    row, secret = ApiToken.issue(UserFactory(), name="ci", scopes=scopes)

    assert secret.startswith(f"lgd_{kind}_")
    assert row.hint == f"lgd_{kind}_…{secret[-4:]}"


def test_a_changed_or_missing_letter_shows_at_every_place() -> None:
    secret = token.make("check")
    letters = string.ascii_letters + string.digits + "_"

    changed = [
        secret[:place] + letters[(letters.index(secret[place]) + 1) % 63] + secret[place + 1 :]
        for place in range(len(secret))
    ]
    cut = [secret[:place] for place in range(len(secret))]

    assert not [wrong for wrong in [*changed, *cut, secret + "0", secret + "\n", f" {secret}"] if token.is_whole(wrong)]


@pytest.mark.parametrize("url", PLACES)
def test_a_wrong_check_is_refused_before_the_database_is_asked(
    url: str, django_assert_num_queries: Callable[..., Any]
) -> None:
    _, secret = ApiToken.issue(UserFactory(), name="ci", scopes=list(Scope))
    mistyped = secret[:-1] + ("0" if secret[-1] != "0" else "1")

    with django_assert_num_queries(0):
        answer = Client().get(url, headers=bearer(mistyped))

    assert (answer.status_code, answer.json()["detail"]) == (401, "This token is mistyped or cut off.")


@pytest.mark.parametrize("url", PLACES)
@pytest.mark.parametrize("beside_a_good_header", [True, False])
def test_a_token_comes_in_the_header_and_nowhere_else(url: str, beside_a_good_header: bool, crew: Crew) -> None:
    _, secret = ApiToken.issue(crew.commander, name="ci", scopes=list(Scope))
    headers = bearer(secret) if beside_a_good_header else {}
    percent = quote(secret).replace("_", "%5F")
    cookie = Client()
    cookie.cookies["token"] = secret
    more = "&" if "?" in url else "?"

    answers = [
        Client().get(f"{url}{more}token={secret}", headers=headers),
        Client().get(f"{url}{more}token={percent}", headers=headers),
        cookie.get(url, headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert not [answer for answer in answers if secret in answer.content.decode()]


@pytest.mark.parametrize("header", ["X-Api-Key", "X-Auth-Token", "Private-Token", "Proxy-Authorization"])
def test_other_headers_are_not_looked_at(header: str, crew: Crew) -> None:
    _, secret = ApiToken.issue(crew.commander, name="ci", scopes=list(Scope))

    assert Client().get("/api/v1/incidents", headers={header: secret}).status_code == 401


def test_a_token_lives_at_most_a_year() -> None:
    longest = timezone.now() + timedelta(days=365)

    assert ApiToken.issue(UserFactory(), name="ci", scopes=["check"], expires_at=longest)[0].is_live()
    with pytest.raises(ValueError, match="at most 365 days"):
        ApiToken.issue(UserFactory(), name="ci", scopes=["check"], expires_at=longest + timedelta(minutes=1))


# Bound to one incident -----------------------------------------------------------------------------------------------


@pytest.fixture
def two(crew: Crew) -> tuple[Incident, Incident]:
    """Two incidents that one person commands."""
    other = make_crew()
    other.people[Role.COMMANDER] = crew.commander
    other.product.roster.filter(role="commander", rank=1).update(user=crew.commander)
    return make_incident(crew), make_incident(other)


def test_a_token_of_one_incident_knows_no_other(two: tuple[Incident, Incident], calling: Callable[..., Any]) -> None:
    mine, other = two
    agent = calling(mine.declared_by, incident=mine)

    assert agent.get(f"incidents/{mine.reference}").status_code == 200
    assert agent.get(f"incidents/{other.reference}").status_code == 404
    assert agent.post(f"incidents/{other.reference}/declare/note", {"text": "Noted"}).status_code == 404
    assert [row["reference"] for row in agent.get("incidents").json()["incidents"]] == [mine.reference]
    assert agent.get(f"freeze/{mine.product.slug}/check", operation="merge").json()["decision"] == "deny"
    assert agent.get(f"freeze/{other.product.slug}/check", operation="merge").status_code == 404


def test_a_token_of_one_incident_declares_nothing(two: tuple[Incident, Incident], calling: Callable[..., Any]) -> None:
    mine, _ = two
    agent = calling(mine.declared_by, incident=mine)
    asked = {"product": mine.product.slug, "trigger": "regression", "summary": "Lag", "scope_level": "L1"}

    answer = agent.post("incidents", asked)

    assert (answer.status_code, answer.json()["detail"]) == (422, "product: This token is for one incident alone.")


# Last used -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("url", PLACES)
def test_when_it_was_last_used_is_noted_now_and_then(url: str) -> None:
    crew = make_crew()
    row, secret = ApiToken.issue(crew.commander, name="ci", scopes=list(Scope))
    url = url.replace("portarium", crew.product.slug)

    assert Client().get(url, headers=bearer(secret)).status_code == 200
    first = last_used(row)
    Client().get(url, headers=bearer(secret))
    again = last_used(row)
    auth._noted[row.digest] -= auth.NOTED_EVERY
    Client().get(url, headers=bearer(secret))

    assert first
    assert first == again < last_used(row)


def last_used(row: ApiToken) -> Any:
    row.refresh_from_db()
    return row.last_used_at


@pytest.mark.django_db(transaction=True)
def test_a_check_waits_for_nobody_who_holds_the_token_row() -> None:
    crew = make_crew()
    row, secret = ApiToken.issue(crew.commander, name="ci", scopes=["check"])
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            ApiToken.objects.filter(pk=row.pk).update(name="held")
            held.set()
            over.wait(30)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    try:
        begun = time.monotonic()
        answer = Client().get(CHECK.replace("portarium", crew.product.slug), headers=bearer(secret))
        took = time.monotonic() - begun
    finally:
        over.set()
        holder.join()

    assert (answer.status_code, last_used(row)) == (200, None)
    assert took < 5
