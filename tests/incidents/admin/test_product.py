"""Products, environments, roster and audit grants: one save, one entry; a roster change reaches rights at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from incidents import authority
from incidents.evidence import log
from incidents.models import AuditGrant, Environment, EvidenceChain, Product, RosterEntry
from incidents.terms import Phase, Role
from tests.factories import ProductFactory, UserFactory, make_crew, make_incident
from tests.incidents.admin.given import address, clerk, configured, filled

pytestmark = pytest.mark.django_db

NOTHING = {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0", "MIN_NUM_FORMS": "0", "MAX_NUM_FORMS": "1000"}


def inlines(*, roster: Any = (), environments: Any = ()) -> dict[str, str]:
    """The two inline formsets of a new product."""
    sent = {}
    for prefix, rows in (("roster", roster), ("environments", environments)):
        sent |= {f"{prefix}-{name}": value for name, value in NOTHING.items()}
        sent[f"{prefix}-TOTAL_FORMS"] = str(len(rows))
        for number, row in enumerate(rows):
            sent |= {f"{prefix}-{number}-{name}": str(value) for name, value in row.items()}
    return sent


def test_a_new_product_with_everything_leaves_one_entry() -> None:
    _, client = clerk()
    person = UserFactory(name="Mara Lindqvist")
    fields = {"name": "Portarium", "slug": "portarium", "stability_seconds": "20", "cadence_minutes": "30"}
    roster = [{"role": "commander", "user": person.pk, "rank": 1}]
    environments = [{"name": "dev", "position": 1}, {"name": "prod", "position": 2}]

    client.post(address(Product, "add"), {**fields, **inlines(roster=roster, environments=environments)})

    (entry,) = configured()
    assert entry.body == {
        "sentence": "Product “Portarium” added",
        "object": "product",
        "id": "portarium",
        "old": {},
        "new": {
            "slug": "portarium",
            "name": "Portarium",
            "stability_seconds": 20,
            "cadence_minutes": 30,
            "environments": [{"name": "dev", "position": 1}, {"name": "prod", "position": 2}],
            "roster": [{"role": "commander", "user": str(person.public_id), "rank": 1}],
        },
    }


def test_one_save_of_product_and_roster_leaves_one_entry_with_old_and_new() -> None:
    crew = make_crew()
    user, client = clerk()
    url = address(crew.product, "change")
    sent = filled(client, url, cadence_minutes="45")
    last = int(sent["roster-TOTAL_FORMS"]) - 1
    sent[f"roster-{last}-DELETE"] = "on"

    client.post(url, sent)

    (entry,) = configured()
    assert entry.actor == {"kind": "user", "id": str(user.public_id)}
    assert entry.body["sentence"] == f"Product “{crew.product}” changed: cadence minutes, roster"
    assert (entry.body["old"]["cadence_minutes"], entry.body["new"]["cadence_minutes"]) == (30, 45)
    assert len(entry.body["old"]["roster"]) == len(entry.body["new"]["roster"]) + 1 == 7
    assert set(entry.body["new"]) == {"cadence_minutes", "roster"}


def test_a_save_that_changes_nothing_leaves_no_entry() -> None:
    crew = make_crew()
    _, client = clerk()
    url = address(crew.product, "change")

    assert client.post(url, filled(client, url)).status_code == 302

    assert configured() == []


def test_the_change_and_its_entry_stand_or_fall_together() -> None:
    crew = make_crew()
    _, client = clerk()
    url = address(crew.product, "change")
    sent = filled(client, url, cadence_minutes="45")
    EvidenceChain.objects.filter(pk=log.global_chain().pk).update(seq=5, hash="f" * 64)  # no entry fits after this

    with pytest.raises(DatabaseError), transaction.atomic():
        client.post(url, sent)

    crew.product.refresh_from_db()
    assert crew.product.cadence_minutes == 30


def test_whoever_joins_the_roster_sees_the_product_s_incidents_and_whoever_leaves_does_not() -> None:
    crew = make_crew()
    incidents = [make_incident(crew, at=Phase.STOOD_DOWN), make_incident(crew)]
    newcomer, leaver = UserFactory(), crew.deputy
    _, client = clerk()
    url = address(crew.product, "change")
    sent = filled(client, url)
    rows = int(sent["roster-TOTAL_FORMS"])
    gone = next(n for n in range(rows) if str(sent[f"roster-{n}-user"]) == str(leaver.pk))
    sent |= {f"roster-{gone}-DELETE": "on", "roster-TOTAL_FORMS": str(rows + 1)}
    sent |= {
        f"roster-{rows}-{name}": value for name, value in {"role": "api_lead", "user": newcomer.pk, "rank": 2}.items()
    }

    assert client.post(url, sent).status_code == 302

    assert set(authority.visible_incidents(newcomer)) == set(incidents)
    assert not authority.visible_incidents(leaver).exists()
    assert authority.held_roles(crew.commander, incidents[1]) == {Role.COMMANDER}


def test_environments_stay_as_they_are_while_a_freeze_holds() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    _, client = clerk()
    url = address(crew.product, "change")
    sent = filled(client, url)
    sent["environments-TOTAL_FORMS"] = "4"
    sent |= {"environments-3-name": "edge", "environments-3-position": "4"}

    page = client.post(url, sent).content.decode()

    assert f"{incident} holds the freeze: its environments can be changed when it has ended." in page
    assert Environment.objects.filter(product=crew.product).count() == 3
    assert client.post(url, filled(client, url, cadence_minutes="15")).status_code == 302


def test_the_address_of_a_product_stays_and_it_is_not_deleted() -> None:
    product = ProductFactory(slug="steady")
    _, client = clerk()
    url = address(product, "change")

    client.post(url, {**filled(client, url), "slug": "moved"})

    product.refresh_from_db()
    assert product.slug == "steady"
    assert client.post(address(product, "delete"), {"post": "yes"}).status_code == 403
    assert RosterEntry.objects.count() == 0


def test_an_audit_grant_is_given_and_ended_on_record_and_never_deleted() -> None:
    user, client = clerk()
    auditor = UserFactory()
    ends = timezone.now() + timedelta(days=30)
    when = {"expires_at_0": f"{ends:%Y-%m-%d}", "expires_at_1": f"{ends:%H:%M:%S}"}

    client.post(address(AuditGrant, "add"), {"user": auditor.pk, "reason": "Yearly audit", **when})
    grant = AuditGrant.objects.get()
    past = {"expires_at_0": "2026-01-01", "expires_at_1": "00:00:00"}
    client.post(address(grant, "change"), {"reason": "Yearly audit", **past})

    added, ended = configured()
    assert grant.granted_by == user
    assert added.body["new"]["user"] == str(auditor.public_id)
    assert (ended.body["new"], list(ended.body["old"])) == (
        {"expires_at": "2026-01-01T00:00:00.000000Z"},
        ["expires_at"],
    )
    assert auditor.name not in str([entry.body for entry in configured()])
    assert not authority.visible_incidents(auditor).exists()
    assert client.post(address(grant, "delete"), {"post": "yes"}).status_code == 403


def test_a_form_that_claims_more_rows_than_a_product_has_is_not_drawn_with_a_thousand_of_them() -> None:
    _, client = clerk()
    claimed = {f"{prefix}-TOTAL_FORMS": "9223372036854775808" for prefix in ("roster", "environments")}

    answer = client.post(address(Product, "add"), {**inlines(), **claimed})

    assert [len(formset.formset.forms) for formset in answer.context["inline_admin_formsets"]] == [100, 100]
