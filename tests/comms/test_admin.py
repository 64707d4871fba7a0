"""The back office of comms: recipients are edited and the change is on record; what was sent is looked at."""

from __future__ import annotations

import pytest
from django.test import Client

from comms.models import Delivery, Notice, Recipient, Report
from comms.reports import queue
from incidents.evidence import log
from incidents.models import EvidenceEntry
from incidents.terms import Kind, NoticeKind
from tests.comms.world import issue
from tests.factories import Crew, UserFactory, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(crew: Crew) -> Client:
    client = Client()
    client.force_login(UserFactory(is_staff=True))
    return client


def fields(crew: Crew, **changed: str) -> dict[str, object]:
    return {"product": crew.product.pk, "name": "Support", "email": "support@example.test", "active": "on"} | changed


def test_a_recipient_is_added_and_the_log_names_nobody(staff: Client, crew: Crew) -> None:
    answer = staff.post("/admin/comms/recipient/add/", fields(crew))

    entry = EvidenceEntry.objects.filter(chain=log.global_chain(), kind=Kind.CONFIGURED).last()
    assert answer.status_code == 302
    assert Recipient.objects.filter(name="Support", product=crew.product).exists()
    assert "support" not in str(entry.body).lower()
    assert (entry.body["new"]["name"], entry.body["new"]["email"]) == ("set", "set")


@pytest.mark.parametrize(
    "email", ["a@example.test, b@example.test", "Support <support@example.test>", "support", "ö@example.test"]
)
def test_a_recipient_has_exactly_one_mailbox(staff: Client, crew: Crew, email: str) -> None:
    answer = staff.post("/admin/comms/recipient/add/", fields(crew, email=email))

    assert answer.status_code == 200
    assert not Recipient.objects.filter(name="Support").exists()


def test_what_was_said_and_sent_is_only_looked_at(staff: Client, crew: Crew) -> None:
    incident = make_incident(crew)
    notice = issue(incident, crew, NoticeKind.A)
    copy, report = notice.deliveries.first(), queue.ask(incident.pk)

    for model, row in ((Notice, notice), (Delivery, copy), (Report, report)):
        page = f"/admin/comms/{model._meta.model_name}/"
        assert staff.get(page).status_code == 200
        shown = staff.get(f"{page}{row.pk}/change/")
        assert shown.status_code == 200
        assert b'type="submit"' not in shown.content.replace(b"Log out", b"").partition(b'id="content"')[2]
        assert staff.post(f"{page}{row.pk}/change/", {"subject": "Other"}).status_code == 403
        assert staff.post(f"{page}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert staff.get(f"{page}add/").status_code == 403
    notice.refresh_from_db()
    assert notice.subject != "Other"


def test_the_bytes_of_a_mail_are_not_on_its_page(staff: Client, crew: Crew) -> None:
    copy = issue(make_incident(crew), crew, NoticeKind.A).deliveries.first()

    page = staff.get(f"/admin/comms/delivery/{copy.pk}/change/").content.decode()

    assert copy.sha256 in page
    assert "multipart/alternative" not in page
