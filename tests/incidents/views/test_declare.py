"""Declaring: one form, and the freeze is in force when the answer arrives."""

from __future__ import annotations

from typing import Any

import pytest

from incidents.models import Freeze, Incident
from incidents.terms import Level, Phase, Role
from tests.factories import Crew, ProductFactory, RosterEntry, make_crew, make_incident
from tests.incidents.views.pages import refusals, text_of, told
from tests.incidents.views.visiting import errors, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew(ProductFactory(name="Portarium"))


def declaration(crew: Crew, **changed: Any) -> dict[str, Any]:
    sent = {
        "product": crew.product.slug,
        "trigger": "evidence_uncertain",
        "summary": "Hash-chain gap after migration 0412",
        "scope_level": "L3",
        "commander": crew.commander.pk,
        "drill": "real",
    }
    return {name: value for name, value in {**sent, **changed}.items() if value is not None}


def test_a_declaration_leads_to_the_war_room_with_the_freeze_in_force(crew: Crew) -> None:
    client = signed_in(crew.commander)

    response = client.post("/declare/", declaration(crew))

    incident = Incident.objects.get()
    assert response.url == f"/incidents/{incident.reference}/"
    assert told(response) == ["Rollback mode is in force: Portarium is frozen from this moment on."]
    assert (incident.trigger, incident.scope_level, incident.drill) == ("evidence_uncertain", Level.L3, False)
    assert Freeze.objects.get(active=True).incident == incident


def test_the_triggers_stand_in_the_runbooks_own_words(crew: Crew) -> None:
    seen = text_of(signed_in(crew.commander).get("/declare/"))

    for sentence in (
        "npm run ci:pr fails in critical areas and cannot be resolved within planned window.",
        "Production/staging reliability or integrity regressions are detected.",
        "Security or tenancy isolation risk is identified.",
        "Evidence chain integrity is uncertain.",
    ):
        assert sentence in seen


def test_each_level_shows_name_scope_and_typical_use(crew: Crew) -> None:
    seen = text_of(signed_in(crew.commander).get("/declare/"))

    assert "L2 Code, config, schema and data Code/config + schema/data rollback. Typical use: migration" in seen


def test_a_drill_is_declared_as_one(crew: Crew) -> None:
    signed_in(crew.commander).post("/declare/", declaration(crew, drill="drill"))

    assert Incident.objects.get().drill


def test_a_deputy_may_declare_for_another_commander(crew: Crew) -> None:
    signed_in(crew.deputy).post("/declare/", declaration(crew))

    incident = Incident.objects.get()
    assert incident.declared_by == crew.deputy
    assert incident.memberships.get(role=Role.COMMANDER).user == crew.commander


def test_a_frozen_product_names_the_first_reference_links_to_it_and_keeps_what_was_typed(crew: Crew) -> None:
    first = make_incident(crew)

    response = signed_in(crew.commander).post("/declare/", declaration(crew))

    assert errors(response) == [f"{first.reference} already holds the freeze of this product."]
    assert f'href="/incidents/{first.reference}/"' in response.content.decode()
    assert 'value="Hash-chain gap after migration 0412"' in response.content.decode()
    assert Incident.objects.count() == 1


def test_the_wrong_person_is_told_who_may(crew: Crew) -> None:
    response = signed_in(crew[Role.API_LEAD]).post("/declare/", declaration(crew))

    assert refusals(response) == [
        "Rollback mode is declared by those who stand ready as Incident Commander of a product."
    ]
    assert f"{declaration(crew)['summary']}</textarea>" in response.content.decode()
    assert Incident.objects.count() == 0


def test_who_stands_ready_for_nothing_sees_it_before_typing(crew: Crew) -> None:
    seen = text_of(signed_in(crew.outsider).get("/declare/"))

    assert "You stand ready as Incident Commander of no product" in seen
    assert f"Open. Declared by {crew.commander} or {crew.deputy}." in seen


def test_a_commander_of_another_product_does_not_fit(crew: Crew) -> None:
    other = make_crew()

    response = signed_in(crew.commander).post("/declare/", declaration(crew, commander=other.commander.pk))

    assert errors(response) == [f"{other.commander} does not stand ready as Incident Commander of Portarium."]
    assert Incident.objects.count() == 0


def test_the_product_of_the_address_is_chosen_already(crew: Crew) -> None:
    other = make_crew()
    RosterEntry.objects.create(product=other.product, role=Role.COMMANDER, user=crew.commander, rank=9)

    seen = signed_in(crew.commander).get(f"/declare/?product={other.product.slug}").content.decode()

    assert f'value="{other.product.slug}" id="id_product_' in seen
    checked = seen.split(f'value="{other.product.slug}"')[1].split(">")[0]
    assert "checked" in checked


def test_a_product_is_free_again_after_its_incident_ended(crew: Crew) -> None:
    make_incident(crew, at=Phase.STOOD_DOWN)

    response = signed_in(crew.commander).post("/declare/", declaration(crew))

    assert response.status_code == 302


@pytest.mark.parametrize("field", ["product", "trigger", "summary", "scope_level", "commander", "drill"])
def test_every_field_is_asked_for(crew: Crew, field: str) -> None:
    response = signed_in(crew.commander).post("/declare/", declaration(crew, **{field: None}))

    assert list(response.context["form"].errors) == [field]
    assert Incident.objects.count() == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("product", "no-such-product"),
        ("product", "nul\x00"),
        ("trigger", "made up"),
        ("summary", "nul\x00byte"),
        ("summary", "x" * 501),
        ("summary", "   "),
        ("scope_level", "L9"),
        ("commander", "0"),
        ("commander", "one"),
        ("commander", str(2**70)),
        ("drill", "perhaps"),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(crew: Crew, field: str, value: str) -> None:
    response = signed_in(crew.commander).post("/declare/", declaration(crew, **{field: value}))

    assert (response.status_code, list(response.context["form"].errors)) == (200, [field])
    assert Incident.objects.count() == 0


def test_ten_megabytes_are_turned_away_whole(crew: Crew) -> None:
    client = signed_in(crew.commander)

    response = client.post("/declare/", declaration(crew, summary="x" * 10_000_000), follow=True)

    assert response.redirect_chain == [("/declare/", 302)]
    assert "What you sent is larger than 2.5 MB, so it was not read and nothing was changed." in text_of(response)
    assert Incident.objects.count() == 0
