"""When an administrator takes a role, everybody who holds one reads of it, once."""

from __future__ import annotations

from typing import Any

import pytest

from comms import delivery, telling
from comms.models import Notice
from incidents.evidence import completeness
from incidents.steps import roles, unfreeze
from incidents.terms import NoticeKind, Role
from tests.factories import Crew, UserFactory, make_incident
from tests.servers.smtp import SmtpSink

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> Any:
    return UserFactory(name="Rut Admin", is_staff=True, is_superuser=True)


def test_holders_the_one_before_and_the_administrator_get_a_mail(crew: Crew, root: Any, smtp_sink: SmtpSink) -> None:
    incident = make_incident(crew)
    due = unfreeze.next_update_due(incident)
    roles.step_in(incident, Role.API_LEAD, by=root, reason="Nobody answers")

    assert (telling.check(), telling.check()) == (1, 0)
    delivery.run(Notice.objects.get(kind=NoticeKind.STEPPED_IN).pk)

    people = {crew[role].email for role in Role} | {root.email}
    assert {str(mail["Delivered-To"]) for mail in smtp_sink.messages} == people
    [mail] = smtp_sink.to(crew[Role.API_LEAD].email)
    assert mail["Subject"] == f"{incident.reference}: an administrator took the role API Lead"
    said = mail.get_body(("plain",)).get_content()
    for words in ("Rut Admin took the role API Lead", "Nobody answers", str(crew[Role.API_LEAD])):
        assert words in said
    assert unfreeze.next_update_due(incident) == due
    assert list(completeness.check(incident)) == []


def test_each_time_is_told_by_itself(crew: Crew, root: Any) -> None:
    incident = make_incident(crew)
    roles.step_in(incident, Role.API_LEAD, by=root, reason="Nobody answers")
    roles.step_in(incident, Role.SECURITY_LEAD, by=root, reason="Nor here")

    assert telling.check() == 2


def test_it_is_no_news_to_stakeholders(crew: Crew, root: Any, client: Any, smtp_sink: SmtpSink) -> None:
    incident = make_incident(crew)
    roles.step_in(incident, Role.API_LEAD, by=root, reason="Nobody answers")
    telling.check()
    delivery.run(Notice.objects.get(kind=NoticeKind.STEPPED_IN).pk)

    feed = client.get(f"/status/{crew.product.slug}/feed.atom").content.decode()

    assert "stepped" not in feed
