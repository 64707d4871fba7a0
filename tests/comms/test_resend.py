"""A copy that failed: seen by those who can send it again, and sent again as it was or to the corrected address."""

from __future__ import annotations

from collections.abc import Callable
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from comms import delivery, resend
from comms.models import Delivery, Notice, NoticeState, Recipient
from incidents.evidence import completeness, log
from incidents.models import Incident
from incidents.steps.base import Denied, Refused
from incidents.terms import Kind, NoticeKind, Phase, Role
from tests.comms.world import issue
from tests.factories import Crew, make_incident
from tests.incidents.api.calling import Caller
from tests.servers.smtp import SmtpSink

pytestmark = pytest.mark.django_db
WRONG, RIGHT = "ops@example.test", "operations@example.test"


@pytest.fixture
def incident(crew: Crew) -> Incident:
    cache.clear()
    return make_incident(crew)


@pytest.fixture
def missed(incident: Incident, crew: Crew, smtp_sink: SmtpSink) -> Delivery:
    """The copy of update A that the mail server refused."""
    smtp_sink.answers[WRONG] = "550 5.1.1 no such person"
    notice = issue(incident, crew, NoticeKind.A)
    delivery.run(notice.pk)
    return notice.deliveries.get(email=WRONG)


def gaps(incident: Incident) -> list[str]:
    return [str(gap) for gap in completeness.check(incident)]


def page(signed_in: Callable[[Any], Client], by: Any, notice: Notice) -> str:
    return signed_in(by).get(f"/incidents/{notice.incident.reference}/notices/{notice.pk}/").content.decode()


def test_the_same_mail_goes_out_again_under_its_message_id(missed: Delivery, crew: Crew, smtp_sink: SmtpSink) -> None:
    smtp_sink.answers.clear()

    resend.again(missed, address=WRONG, by=crew[Role.COMMUNICATIONS_OWNER])
    delivery.run(missed.notice_id)

    [message] = smtp_sink.to(WRONG)
    missed.refresh_from_db()
    notice = missed.notice
    assert (missed.state, message["Message-ID"]) == ("sent", missed.message_id)
    assert notice.state == NoticeState.SENT
    [retried] = log.entries_of(notice.incident, Kind.NOTICE_RETRIED)
    sent = list(log.entries_of(notice.incident, Kind.NOTICE_SENT))
    assert retried.body["copies"] == [{"message_id": missed.message_id, "sha256": missed.sha256}]
    assert WRONG not in str(retried.body)
    assert [entry.body["sentence"] for entry in sent] == ["Update A sent to 1 of 2", "Update A sent to 2 of 2"]


def test_a_corrected_address_gets_the_same_words_in_a_mail_of_its_own(
    missed: Delivery, crew: Crew, smtp_sink: SmtpSink
) -> None:
    sent = resend.again(missed, address=f" {RIGHT} ", by=crew[Role.COMMUNICATIONS_OWNER])
    delivery.run(missed.notice_id)

    [message] = smtp_sink.to(RIGHT)
    missed.refresh_from_db()
    frozen = message_from_bytes(bytes(missed.content), policy=default)
    assert smtp_sink.to(WRONG) == []
    assert (message["Message-ID"], message["To"]) == (sent.message_id, f"Reader 1 <{RIGHT}>")
    assert message["Subject"] == frozen["Subject"]
    assert [part.get_content() for part in message.walk() if not part.is_multipart()] == [
        part.get_content() for part in frozen.walk() if not part.is_multipart()
    ]
    assert (missed.state, missed.is_missed, missed.answer) == (
        "failed",
        False,
        "Not needed: a copy went to the corrected address. 550 5.1.1 no such person",
    )
    last = log.entries_of(missed.notice.incident, Kind.NOTICE_SENT).last()
    assert last.body["sentence"] == "Update A sent to 2 of 2"


@pytest.mark.parametrize("address", [WRONG, RIGHT])
def test_the_log_explains_every_copy_meanwhile_and_afterwards(
    missed: Delivery, crew: Crew, smtp_sink: SmtpSink, address: str
) -> None:
    smtp_sink.answers.clear()
    incident = missed.notice.incident
    assert gaps(incident) == []

    resend.again(missed, address=address, by=crew[Role.COMMUNICATIONS_OWNER])
    assert gaps(incident) == []

    delivery.run(missed.notice_id)
    assert gaps(incident) == []


def test_a_later_update_answers_the_mail_that_the_corrected_address_got(missed: Delivery, crew: Crew) -> None:
    sent = resend.again(missed, address=RIGHT, by=crew[Role.COMMUNICATIONS_OWNER])
    Recipient.objects.filter(email=WRONG).update(email=RIGHT)

    later = issue(missed.notice.incident, crew, NoticeKind.B).deliveries.get(email=RIGHT)

    message = message_from_bytes(bytes(later.content), policy=default)
    assert message["In-Reply-To"] == message["References"] == sent.message_id


def test_an_address_that_was_none_is_corrected_too(crew: Crew, incident: Incident, smtp_sink: SmtpSink) -> None:
    Recipient.objects.filter(email=WRONG).update(email="nobody at all")
    notice = issue(incident, crew, NoticeKind.A)
    bad = notice.deliveries.get(state="failed")
    with pytest.raises(Refused, match="“nobody at all” is not an address"):
        resend.again(bad, address="nobody at all", by=crew.commander)

    resend.again(bad, address=RIGHT, by=crew.commander)
    delivery.run(notice.pk)

    [message] = smtp_sink.to(RIGHT)
    assert message.get_body(("plain",)).get_content().replace("\r\n", "\n").startswith(notice.body)


def test_what_cannot_be_sent_again_is_refused(missed: Delivery, crew: Crew) -> None:
    owner = crew[Role.COMMUNICATIONS_OWNER]
    arrived = missed.notice.deliveries.get(state="sent")
    with pytest.raises(Refused, match="has not failed: it is sent"):
        resend.again(arrived, address=RIGHT, by=owner)
    with pytest.raises(Refused, match="has a copy of this update already"):
        resend.again(missed, address=arrived.email.upper(), by=owner)
    with pytest.raises(Refused, match="is not an address"):
        resend.again(missed, address="a@b.test, c@d.test", by=owner)
    with pytest.raises(Denied):
        resend.again(missed, address=RIGHT, by=crew[Role.API_LEAD])

    resend.again(missed, address=RIGHT, by=owner)
    with pytest.raises(Refused, match="has not failed"):
        resend.again(missed, address="third@example.test", by=owner)


def test_the_address_that_was_corrected_in_the_list_is_proposed(missed: Delivery) -> None:
    assert resend.suggested(missed) == WRONG

    Recipient.objects.filter(email=WRONG).update(email=RIGHT)

    assert resend.suggested(missed) == RIGHT


def test_the_page_shows_the_servers_answer_and_sends_again(
    missed: Delivery, crew: Crew, signed_in: Callable[[Any], Client], smtp_sink: SmtpSink
) -> None:
    owner, notice = crew[Role.COMMUNICATIONS_OWNER], missed.notice
    url = f"/incidents/{notice.incident.reference}/notices/{notice.pk}/copies/{missed.pk}/again/"
    seen = page(signed_in, owner, notice)
    assert "550 5.1.1 no such person" in seen
    assert f'action="{url}#copy-{missed.pk}"' in seen
    assert f'value="{WRONG}"' in seen

    refused = signed_in(owner).post(url, {"address": "no address"})
    assert "“no address” is not an address." in refused.content.decode()
    assert 'value="no address"' in refused.content.decode()
    signed_in(owner).post(url, {"address": RIGHT})

    assert notice.deliveries.filter(email=RIGHT, state="queued").count() == 1
    assert "Not needed" in page(signed_in, owner, notice)


def test_only_who_may_send_is_offered_it(missed: Delivery, crew: Crew, signed_in: Callable[[Any], Client]) -> None:
    seen = page(signed_in, crew[Role.API_LEAD], missed.notice)

    assert "550 5.1.1 no such person" in seen
    assert "/again/" not in seen
    url = f"/incidents/{missed.notice.incident.reference}/notices/{missed.notice_id}/copies/{missed.pk}/again/"
    assert signed_in(crew[Role.API_LEAD]).post(url, {"address": RIGHT}).status_code == 403
    assert not Delivery.objects.filter(email=RIGHT).exists()
    assert "Sending again is for the Incident Commander or Communications Owner." in seen


@pytest.mark.parametrize("role", [Role.COMMUNICATIONS_OWNER, Role.COMMANDER])
def test_a_missed_copy_is_a_banner_on_every_page_until_it_is_sent_again(
    missed: Delivery, crew: Crew, signed_in: Callable[[Any], Client], role: Role
) -> None:
    link = f'href="/incidents/{missed.notice.incident.reference}/notices/{missed.notice_id}/#copies"'
    assert link in signed_in(crew[role]).get("/runbook/").content.decode()
    assert link not in signed_in(crew[Role.API_LEAD]).get("/runbook/").content.decode()

    resend.again(missed, address=RIGHT, by=crew.commander)
    assert link not in signed_in(crew[role]).get("/runbook/").content.decode()


def test_a_closed_incident_is_no_banner(missed: Delivery, crew: Crew, signed_in: Callable[[Any], Client]) -> None:
    Incident.objects.update(phase=Phase.CLOSED)

    assert "Not delivered" not in signed_in(crew.commander).get("/runbook/").content.decode()


def test_the_api_sends_again(missed: Delivery, crew: Crew, calling: Callable[..., Caller]) -> None:
    owner = calling(crew[Role.COMMUNICATIONS_OWNER])
    path = f"incidents/{missed.notice.incident.reference}/notices/copies/{missed.pk}/again"
    assert owner.post(path, {"address": "none"}).status_code == 409
    assert calling(crew[Role.API_LEAD]).post(path, {"address": RIGHT}).status_code == 403

    answer = owner.post(path, {"address": RIGHT})

    assert answer.status_code == 200
    assert {copy["email"]: copy["state"] for copy in answer.json()["deliveries"]} == {
        WRONG: "failed",
        RIGHT: "queued",
        "board@example.test": "sent",
    }
