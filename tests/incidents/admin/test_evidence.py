"""The evidence log in the back office: read and verified, untouched by whatever is sent to it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.urls import get_resolver, reverse

from incidents.evidence import log, triggers
from incidents.models import EvidenceChain, EvidenceEntry
from tests.factories import make_crew, make_incident, tamper
from tests.incidents.admin.given import address, clerk

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]


def admin_routes(*models: str) -> list[str]:
    """The names of all addresses that the admin has for these models, extra ones included."""
    found = [name for name in get_resolver().namespace_dict["admin"][1].reverse_dict if isinstance(name, str)]
    return sorted(name for name in found if any(f"_{model}_" in name for model in models))


def stored() -> list[Any]:
    heads = list(EvidenceChain.objects.order_by("pk").values())
    return [heads, list(EvidenceEntry.objects.order_by("pk").values())]


def test_no_address_of_the_admin_touches_it() -> None:
    incident = make_incident(make_crew())
    entry = EvidenceEntry.objects.filter(chain=incident.chain).earliest("seq")
    _, client = clerk(is_superuser=True)
    before = stored()
    names = admin_routes("evidencechain", "evidenceentry")
    forged = {"kind": "note.added", "body": "{}", "seq": "1", "hash": "0" * 64, "post": "yes"}
    forged |= {"action": "delete_selected", "_selected_action": [str(entry.pk)], "_save": "1", "form-TOTAL_FORMS": "1"}
    forged |= {"form-INITIAL_FORMS": "1", "form-0-id": str(entry.pk), "form-0-kind": "note.added"}

    for name in names:
        row = incident.chain if "chain" in name else entry
        url = reverse(f"admin:{name}", args=[] if name.endswith(("_changelist", "_add")) else [row.pk])
        for method in ("get", "post", "put", "patch", "delete"):
            assert getattr(client, method)(url, forged).status_code < 500, (method, url)

    assert len(names) >= 10
    assert stored() == before
    assert log.verify(incident.chain).is_intact


def test_the_list_shows_number_time_kind_actor_and_sentence() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    _, client = clerk()

    page = client.get(address(EvidenceEntry, "changelist"), {"q": "Rollback mode declared"}).content.decode()

    for text in ("Rollback mode declared for", incident.reference, f"{crew.commander} · Incident Commander"):
        assert text in page
    entry = EvidenceEntry.objects.filter(chain=incident.chain).earliest("seq")
    shown = client.get(address(entry, "change")).content.decode()
    assert entry.hash in shown
    assert "&quot;sentence&quot;: &quot;Rollback mode declared for" in shown


def test_a_chain_is_verified_on_its_page() -> None:
    incident = make_incident(make_crew())
    _, client = clerk()

    page = client.get(address(incident.chain, "verify")).content.decode()

    assert "Intact" in page
    assert log.verify(incident.chain).head in page
    assert address(incident.chain, "verify") in client.get(address(incident, "change")).content.decode()


def test_a_broken_chain_is_named_with_its_first_bad_entry() -> None:
    incident = make_incident(make_crew())
    _, client = clerk()
    triggers.drop(connection)
    tamper(incident, 3)

    page = client.get(address(incident.chain, "verify")).content.decode()

    assert "Broken" in page
    assert "number <b>3</b>. Entry 3 was changed after it was written." in page
