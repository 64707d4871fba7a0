"""Acts that ask for a fresh proof: which they are, what a stale session gets, and that nothing typed is lost."""

from __future__ import annotations

import re
import time
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.test import Client
from django.urls import NoReverseMatch, get_resolver, reverse

from incidents.models import Product
from incidents.terms import Act, Phase, Role
from portal.accounts import step_up
from portal.accounts.models import ApiToken, Scope, User
from portal.bootstrap.places import ROOT
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.admin.given import address, clerk
from tests.incidents.views.pages import Visitor, at, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("static_folder")]

PASSWORD = "correct horse battery"
ASKED = "Confirm that it is you"
# Acts that need a fresh proof, and the route whose form does each.
ACTS = {
    Act.DISPATCH_ACTION: "dispatch_action",
    Act.APPROVE_ACTION: "approve_action",
    Act.RESOLVE_UNKNOWN: "resolve_action",
    Act.LIFT: "lift",
    Act.ASSIGN_ROLE: "roles",
    Act.ACCEPT_ROLE: "roles",
    Act.HAND_OVER: "roles",
    Act.TAKE_OVER: "roles",
    Act.ERASE: "personal_values",
}
HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


def set_proof(client: Client, *, seconds_ago: float, method: str = "password") -> None:
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": method, "at": time.time() - seconds_ago}]
    session.save()


def stale(incident: Any, person: Any) -> Visitor:
    visitor = at(incident, person)
    set_proof(visitor.client, seconds_ago=601)
    return visitor


def carried(answer: Any) -> dict[str, str]:
    """What the page sends along, hidden."""
    found = {name: unescape(value) for name, value in HIDDEN.findall(answer.content.decode())}
    return {name: value for name, value in found.items() if name != "csrfmiddlewaretoken"}


@pytest.fixture
def crew() -> Crew:
    return make_crew()


# The table ------------------------------------------------------------------------------------------------------------


def test_each_route_of_the_table_exists() -> None:
    names = {name for name in get_resolver().reverse_dict if isinstance(name, str)}
    for space, (_, resolver) in get_resolver().namespace_dict.items():
        names |= {f"{space}:{name}" for name in resolver.reverse_dict if isinstance(name, str)}

    wanted = {*step_up.ROUTES, *step_up.ALSO_READING, *step_up.EXCEPT}
    assert sorted(wanted - names) == []
    assert {space for space in step_up.NAMESPACES if space not in get_resolver().namespace_dict} == set()


def test_each_act_of_that_kind_is_in_the_table() -> None:
    assert [act for act, route in ACTS.items() if f"incidents:{route}" not in step_up.ROUTES] == []


def test_no_form_is_sent_by_htmx_which_would_put_the_question_into_a_part_of_the_page() -> None:
    pages = Path(ROOT, "templates").rglob("*.html")

    assert [page.name for page in pages if re.search(r"hx-(post|put|patch|delete)", page.read_text())] == []


# A stale session ------------------------------------------------------------------------------------------------------


def test_a_stale_session_is_asked_and_nothing_is_done(crew: Crew) -> None:
    incident = make_incident(crew, accepted=False)
    visitor = stale(incident, crew[Role.API_LEAD])
    before = incident.chain.entries.count()

    answer: Any = visitor.send("roles", act="accept", role="api_lead")

    assert ASKED in text_of(answer)
    assert "You are about to change who holds a role." in text_of(answer)
    assert incident.chain.entries.count() == before


def test_with_the_password_the_same_form_does_the_act_and_nothing_typed_is_lost(crew: Crew) -> None:
    incident = make_incident(crew)
    visitor = stale(incident, crew.commander)
    reason = 'Ümlaut <b>&\n"quotes" it\'s'
    typed = {"act": "hand_over", "role": "commander", "person": crew.deputy.pk, "reason": reason}
    sent = carried(visitor.send("roles", **typed))

    answer: Any = visitor.send("roles", **sent, **{"step-up-password": PASSWORD})

    assert sent == {name: str(value) for name, value in typed.items()}
    assert (answer.status_code, answer["Location"]) == (302, visitor.url("roles"))
    entry = incident.chain.entries.latest("seq")
    assert (entry.kind, entry.body["reason"]) == ("role.handed_over", reason.replace("\n", " "))
    assert PASSWORD not in entry.canonical


def test_a_form_that_is_refused_afterwards_shows_what_was_typed_at_its_own_address(crew: Crew) -> None:
    visitor = stale(make_incident(crew), crew.commander)
    typed = {"act": "hand_over", "role": "commander", "person": "", "reason": "Going off shift"}

    answer: Any = visitor.send("roles", **typed, **{"step-up-password": PASSWORD})

    assert answer.status_code == 200
    assert answer.request["PATH_INFO"] == visitor.url("roles")
    assert "Going off shift" in answer.content.decode()


def test_the_check_of_the_forms_token_stands_before_the_question(crew: Crew) -> None:
    incident = make_incident(crew)
    visitor = stale(incident, crew.commander)
    visitor.client.handler.enforce_csrf_checks = True

    answer = visitor.send("roles", act="accept", role="commander", **{"step-up-password": PASSWORD})

    assert answer.status_code == 403


def test_a_wrong_password_asks_again_and_does_nothing(crew: Crew) -> None:
    incident = make_incident(crew)
    visitor = stale(incident, crew.commander)
    typed = {"act": "hand_over", "role": "commander", "person": crew.deputy.pk, "reason": "Off shift"}

    answer: Any = visitor.send("roles", **typed, **{"step-up-password": "not-this-one"})

    assert "This is not your password." in text_of(answer)
    assert carried(answer)["reason"] == "Off shift"
    assert "not-this-one" not in answer.content.decode()
    assert not incident.chain.entries.filter(kind="role.handed_over").exists()


@pytest.mark.parametrize(("seconds_ago", "asked"), [(0, False), (599, False), (601, True), (-60, True)])
def test_a_proof_counts_for_ten_minutes(crew: Crew, seconds_ago: int, asked: bool) -> None:
    visitor = at(make_incident(crew), crew.commander)
    set_proof(visitor.client, seconds_ago=seconds_ago)

    answer: Any = visitor.send("roles", act="accept", role="commander")

    assert (ASKED in text_of(answer)) is asked


def test_the_proof_of_one_person_is_none_of_another(crew: Crew) -> None:
    visitor = at(make_incident(crew), crew.commander)
    session = visitor.client.session
    session["account_authentication_methods_user"] = str(crew.deputy.pk)
    session.save()

    assert ASKED in text_of(visitor.send("roles", act="accept", role="commander"))


@pytest.mark.parametrize("route", ["approve_action", "dispatch_action", "resolve_action"])
def test_acts_on_an_action_are_asked_for(crew: Crew, route: str) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    visitor = stale(incident, crew.commander)
    key = incident.actions.first().key  # type: ignore[union-attr]

    assert ASKED in text_of(visitor.send(route, key))


def test_reading_asks_for_nothing(crew: Crew) -> None:
    visitor = stale(make_incident(crew), crew.commander)

    assert ASKED not in text_of(visitor.open("roles"))


def test_every_form_of_the_back_office_is_asked_for() -> None:
    person, client = clerk()
    set_proof(client, seconds_ago=601)

    for url in (address(User, "add"), address(person, "change"), address(Product, "add"), address(ApiToken, "add")):
        assert ASKED in text_of(client.post(url, {"name": "Kept"})), url
        assert ASKED not in text_of(client.get(url)), url

    asked = {"name": "Mara", "email": "mara@example.test", "password1": PASSWORD, "password2": PASSWORD}
    client.post(address(User, "add"), {**asked, "step-up-password": PASSWORD})
    assert User.objects.filter(email="mara@example.test").exists()


def test_a_token_is_not_asked(crew: Crew) -> None:
    incident = make_incident(crew, accepted=False)
    _, secret = ApiToken.issue(crew.deputy, name="ci", scopes=[Scope.READ.value, Scope.ACT.value])

    path = f"/api/v1/incidents/{incident.reference}/roles/commander/take-over"
    answer = Client().post(path, "{}", content_type="application/json", headers={"authorization": f"Bearer {secret}"})

    assert answer["Content-Type"].startswith(("application/json", "application/problem+json"))


def test_whoever_has_neither_password_nor_factor_is_told_what_to_do(crew: Crew) -> None:
    crew.commander.set_unusable_password()
    crew.commander.save()
    visitor = stale(make_incident(crew), crew.commander)

    answer = visitor.send("roles", act="accept", role="commander", **{"step-up-password": ""})

    assert "sign out and in again, or set up a passkey" in text_of(answer)


def test_the_demo_says_its_password_there(crew: Crew, settings: Any) -> None:
    settings.DEMO = True
    visitor = stale(make_incident(crew), crew.commander)

    assert "Demo: the password is lastgood-demo" in text_of(visitor.send("roles", act="accept", role="commander"))


def test_a_sign_in_is_a_proof_itself(crew: Crew) -> None:
    incident = make_incident(crew)
    client = Client()
    client.post(reverse("account_login"), {"login": crew.commander.email, "password": PASSWORD})

    answer = Visitor(client, incident).send("roles", act="accept", role="commander")

    assert ASKED not in text_of(answer)


def test_allauths_own_question_is_not_reached() -> None:
    with pytest.raises(NoReverseMatch):
        reverse("mfa_reauthenticate")
