"""A need-to-know incident: its own people and auditors find it, nobody else anything but the freeze."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from incidents import authority, clock
from incidents.evidence import completeness
from incidents.management.commands.reconcile_permissions import _differences
from incidents.models import AuditGrant, Incident
from incidents.steps import declare, roles
from incidents.steps.base import Denied, Refused
from incidents.terms import Kind, Phase, Role
from tests.factories import Crew, ProductFactory, UserFactory, make_crew, make_incident
from tests.incidents.admin.given import address
from tests.incidents.api.calling import Caller, calling
from tests.incidents.views.pages import at, refusals, text_of

__all__ = ["calling"]

pytestmark = pytest.mark.django_db
SECRET = "Leak of the merger papers"


@pytest.fixture
def crew() -> Crew:
    return make_crew(ProductFactory(name="Portarium", slug="portarium"))


@pytest.fixture
def hidden(crew: Crew) -> Incident:
    return make_incident(crew, summary=SECRET, need_to_know=True)


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def auditor() -> Any:
    user = UserFactory()
    AuditGrant.objects.create(user=user, reason="Audit", expires_at=clock.now() + timedelta(days=1))
    return user


def test_those_who_may_know_are_its_people_and_auditors(crew: Crew, hidden: Incident) -> None:
    seen = {
        name: authority.visible_incidents(user).exists()
        for name, user in {
            "commander": crew.commander,
            "lead": crew[Role.API_LEAD],
            "deputy": crew.deputy,
            "outsider": crew.outsider,
            "staff": UserFactory(is_staff=True),
            "superuser": UserFactory(is_staff=True, is_superuser=True),
            "auditor": auditor(),
        }.items()
    }

    assert {name for name, is_seen in seen.items() if is_seen} == {"commander", "lead", "auditor"}


def test_who_no_longer_holds_a_role_no_longer_knows(crew: Crew, hidden: Incident) -> None:
    roles.hand_over(hidden, Role.API_LEAD, to=crew.deputy, by=crew.commander, reason="Off shift")

    assert not authority.visible_incidents(crew[Role.API_LEAD]).exists()
    assert authority.visible_incidents(crew.deputy).exists()


def test_a_deputy_of_the_roster_finds_it_nowhere(crew: Crew, hidden: Incident, calling: Callable[..., Caller]) -> None:
    client, api = signed_in(crew.deputy), calling(crew.deputy)

    pages = [text_of(client.get(url)) for url in ("/", "/incidents/", f"/incidents/?q={SECRET}", "/my-work/")]

    assert not [page for page in pages if SECRET in page or "L1 Code" in page]
    assert "Portarium is frozen" in pages[0]
    assert client.get(hidden.get_absolute_url()).status_code == 404
    assert api.get(f"incidents/{hidden.reference}").status_code == 404
    assert api.get("incidents").json()["incidents"] == []
    with pytest.raises(Denied):
        roles.take_over(hidden, Role.COMMANDER, by=crew.deputy, reason="I am the deputy")


def test_staff_find_nothing_of_it_in_the_back_office(crew: Crew, hidden: Incident) -> None:
    roles.assign(hidden, Role.COMMUNICATIONS_OWNER, user=crew.deputy, by=crew.commander, reason=SECRET)
    open_one = make_incident(make_crew(), summary="Everybody may read this")
    client = signed_in(UserFactory(is_staff=True, is_superuser=True))

    for model in admin.site._registry:
        page = client.get(address(model, "changelist"))
        assert page.status_code == 200
        assert SECRET not in page.content.decode(), model
        assert hidden.memberships.model is not model or len(page.context["cl"].result_list) == 6

    assert "Everybody may read this" in client.get(address(Incident, "changelist")).content.decode()
    assert client.get(address(open_one, "change")).status_code == 200
    for row in (hidden, hidden.chain, hidden.memberships.get(role=Role.COMMANDER), hidden.gates.first()):
        assert client.get(address(row, "change")).status_code == 302


def test_stakeholders_read_that_the_product_is_frozen_and_no_more(crew: Crew, hidden: Incident, client: Client) -> None:
    page = text_of(client.get("/status/portarium/"))
    feed = client.get("/status/portarium/feed.atom").content.decode()

    assert "Feature merges Frozen" in page
    assert hidden.reference not in page + feed
    assert "L1" not in page


def test_the_gate_still_denies_and_tells_no_title(crew: Crew, hidden: Incident, calling: Callable[..., Caller]) -> None:
    answer = calling(crew.outsider).get("freeze/portarium/check", operation="merge")

    assert answer.json()["decision"] == "deny"
    assert SECRET not in answer.content.decode()


def test_the_commander_opens_and_closes_it_with_a_reason_on_record(crew: Crew) -> None:
    incident = make_incident(crew, summary=SECRET)
    visitor = at(incident, crew.commander)
    assert authority.visible_incidents(crew.deputy).exists()

    assert refusals(visitor.send("knowledge", reason=" "))
    visitor.send("knowledge", reason="It names a person")

    incident.refresh_from_db()
    entry = incident.chain.entries.filter(kind=Kind.KNOWLEDGE_CHANGED).get()
    assert (entry.body["old"], entry.body["new"], entry.body["reason"]) == (False, True, "It names a person")
    assert not authority.visible_incidents(crew.deputy).exists()
    assert _differences(incident) == []
    assert list(completeness.check(incident)) == []

    visitor.send("knowledge", reason="It is over")

    incident.refresh_from_db()
    assert not incident.need_to_know
    assert authority.visible_incidents(crew.deputy).exists()


def test_it_can_be_declared_so_on_the_page_and_by_the_api(crew: Crew, calling: Callable[..., Caller]) -> None:
    form = {
        "product": "portarium", "trigger": "regression", "summary": SECRET, "scope_level": "L1",
        "commander": crew.commander.pk, "drill": "real", "need_to_know": "on",
    }  # fmt: skip
    signed_in(crew.commander).post("/declare/", form)
    first = Incident.objects.get()
    declare.stand_down(first, by=crew.commander, second=_accepted(first, crew), reason="False alarm")

    body = {"product": "portarium", "trigger": "regression", "summary": SECRET, "scope_level": "L1"}
    calling(crew.commander).post("incidents", body | {"need_to_know": True})

    assert [incident.need_to_know for incident in Incident.objects.all()] == [True, True]
    assert first.chain.entries.first().body["need_to_know"] is True


def _accepted(incident: Incident, crew: Crew) -> Any:
    roles.accept(incident, Role.API_LEAD, by=crew[Role.API_LEAD])
    return crew[Role.API_LEAD]


def test_only_the_commander_decides_who_may_know(crew: Crew, hidden: Incident) -> None:
    with pytest.raises(Denied):
        declare.limit_knowledge(hidden, False, by=crew[Role.SECURITY_LEAD], reason="Let all know")
    with pytest.raises(Refused, match="already"):
        declare.limit_knowledge(hidden, True, by=crew.commander, reason="Twice")


def test_a_change_of_the_roster_lets_nobody_in(crew: Crew, hidden: Incident) -> None:
    crew.product.roster.create(role=Role.API_LEAD, user=crew.outsider, rank=2)
    authority.project(hidden)

    assert not authority.visible_incidents(crew.outsider).exists()


def test_it_may_be_closed_to_others_long_after_it_ended(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.STOOD_DOWN)

    declare.limit_knowledge(incident, True, by=crew.commander, reason="It names a person")

    assert not authority.visible_incidents(crew.deputy).exists()
