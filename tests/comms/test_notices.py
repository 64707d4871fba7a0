"""Issuing an update: who may, what must come first, and what the log says afterwards."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
import time_machine

from comms import notices
from comms.drafts import Words
from comms.models import Delivery, Notice, NoticeState, Recipient
from incidents import clock
from incidents.evidence import log
from incidents.models import EvidenceEntry
from incidents.steps import unfreeze
from incidents.steps.base import Denied, Refused
from incidents.terms import Kind, NoticeKind, Phase, Role
from tests.comms.world import issue, ready_for_c
from tests.factories import Crew, make_crew, make_incident, own_next_cycle, pass_gates, walk

pytestmark = pytest.mark.django_db


def soon() -> object:
    return clock.now() + timedelta(minutes=30)


def test_issuing_freezes_the_words_and_the_log_has_their_hash(crew: Crew) -> None:
    incident = make_incident(crew)
    words = notices.fresh(incident, NoticeKind.A)

    notice = notices.issue(
        incident,
        NoticeKind.A,
        subject=words.subject,
        body=words.body,
        next_update_at=words.next_update_at,
        by=crew[Role.COMMUNICATIONS_OWNER],
    )

    entry = EvidenceEntry.objects.filter(chain__incident=incident, kind=Kind.NOTICE_ISSUED).get()
    assert notice.state == NoticeState.SENDING
    assert entry.body == {
        "sentence": f"Update A issued to 2 recipients: {notice.subject}",
        "incident": incident.reference,
        "notice": "A",
        "notice_id": str(notice.pk),
        "next_update_at": words.next_update_at.isoformat(),
        "subject": notice.subject,
        "words_sha256": hashlib.sha256(f"{notice.subject}\n\n{notice.body}".encode()).hexdigest(),
        "recipients": 2,
        "copies": [
            {"message_id": row.message_id, "sha256": row.sha256} for row in notice.deliveries.order_by("message_id")
        ],
        "about": None,
        "act": "send_notice",
    }
    assert entry.actor["role"] == Role.COMMUNICATIONS_OWNER
    assert unfreeze.next_update_due(incident) == words.next_update_at


def test_each_active_recipient_of_the_product_gets_one_copy(crew: Crew) -> None:
    incident = make_incident(crew)
    Recipient.objects.create(product=crew.product, name="Away", email="away@example.test", active=False)
    Recipient.objects.create(product=crew.product, name="Twice", email="OPS@example.test")
    Recipient.objects.create(product=make_crew().product, name="Else", email="else@example.test")

    notice = issue(incident, crew, NoticeKind.A)

    assert sorted(notice.deliveries.values_list("email", flat=True)) == ["board@example.test", "ops@example.test"]


def test_a_recipient_without_a_mailbox_fails_at_once_and_holds_up_nobody(crew: Crew) -> None:
    incident = make_incident(crew)
    Recipient.objects.create(product=crew.product, name="Bad", email="a@example.test, b@example.test")

    notice = issue(incident, crew, NoticeKind.A)

    states = dict(notice.deliveries.values_list("name", "state"))
    assert states == {"Reader 1": "queued", "Reader 2": "queued", "Bad": "failed"}
    assert notice.deliveries.get(name="Bad").answer == "“a@example.test, b@example.test” is not an address."


def test_a_product_without_recipients_refuses_and_keeps_nothing() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    with pytest.raises(Refused, match="has no active recipient: add one first"):
        issue(incident, crew, NoticeKind.A)

    assert not Notice.objects.exists()
    assert not log.entries_of(incident, Kind.NOTICE_ISSUED).exists()


def test_recipients_none_of_whom_can_be_reached_refuse(crew: Crew) -> None:
    incident = make_incident(crew)
    Recipient.objects.all().delete()
    Recipient.objects.create(product=crew.product, name="Bad", email="nobody")

    with pytest.raises(Refused, match="None of the recipients has an address"):
        issue(incident, crew, NoticeKind.A)

    assert not Delivery.objects.exists()


def test_only_the_communications_owner_and_the_commander_send(crew: Crew) -> None:
    incident = make_incident(crew)
    said = {"subject": "S", "body": "B", "next_update_at": soon()}

    for person in (crew[Role.API_LEAD], crew.deputy, crew.outsider):
        with pytest.raises(Denied):
            notices.issue(incident, NoticeKind.A, **said, by=person)
    notices.issue(incident, NoticeKind.A, **said, by=crew.commander)


def test_update_b_is_refused_before_a(crew: Crew) -> None:
    incident = make_incident(crew)

    with pytest.raises(Refused, match="Update A comes first"):
        issue(incident, crew, NoticeKind.B)

    issue(incident, crew, NoticeKind.A)
    assert issue(incident, crew, NoticeKind.B).sequence == 2


def test_update_c_is_refused_until_the_three_other_preconditions_hold(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)
    issue(incident, crew, NoticeKind.A)

    with pytest.raises(Refused, match="“CI: npm run ci:pr” has not run") as unverified:
        issue(incident, crew, NoticeKind.C)
    assert "Nobody is named for the next cycle's work of the API Lead." in unverified.value.sentences

    pass_gates(incident, crew)
    with pytest.raises(Refused, match="Nobody is named"):
        issue(incident, crew, NoticeKind.C)

    own_next_cycle(incident, crew)
    assert issue(incident, crew, NoticeKind.C).next_update_at is None
    assert unfreeze.next_update_due(incident) is None


def test_update_c_waits_for_the_target_to_be_stable(crew: Crew) -> None:
    crew.product.stability_seconds = 600
    crew.product.save()
    incident = make_incident(crew)
    ready_for_c(incident, crew)

    with pytest.raises(Refused, match="The target is watched until"):
        issue(incident, crew, NoticeKind.C)


@pytest.mark.parametrize("kind", [NoticeKind.A, NoticeKind.B])
def test_a_and_b_promise_a_time_to_come(crew: Crew, kind: NoticeKind) -> None:
    incident = make_incident(crew)
    issue(incident, crew, NoticeKind.A)

    with pytest.raises(Refused, match=f"Update {kind.value} promises the next update: say when."):
        issue(incident, crew, kind, next_update_at=None)
    with pytest.raises(Refused, match="must be promised for a time to come"):
        issue(incident, crew, kind, next_update_at=clock.now() - timedelta(seconds=1))


def test_c_and_the_stand_down_notice_promise_nothing(crew: Crew) -> None:
    incident = make_incident(crew)
    ready_for_c(incident, crew)

    with pytest.raises(Refused, match="promises no next one"):
        issue(incident, crew, NoticeKind.C, next_update_at=soon())


def test_a_stood_down_incident_sends_the_stand_down_notice_and_nothing_else(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.STOOD_DOWN)

    with pytest.raises(Refused, match="send the stand-down notice"):
        issue(incident, crew, NoticeKind.A)
    assert issue(incident, crew, NoticeKind.STAND_DOWN).subject.startswith("Portarium rollback stood down")


def test_an_open_incident_sends_no_stand_down_notice_and_nobody_sends_the_reminder(crew: Crew) -> None:
    incident = make_incident(crew)
    said = {"subject": "S", "body": "B", "next_update_at": None, "by": crew.commander}

    with pytest.raises(Refused, match="The incident is not stood down"):
        notices.issue(incident, NoticeKind.STAND_DOWN, **said)
    with pytest.raises(Refused, match="Lastgood sends the reminder by itself"):
        notices.issue(incident, NoticeKind.REMINDER, **said)


def test_a_closed_incident_sends_nothing_more(crew: Crew) -> None:
    incident = make_incident(crew)
    walk(incident, crew, Phase.CLOSED)

    with pytest.raises(Refused, match="it is closed"):
        issue(incident, crew, NoticeKind.A, subject="S", body="B", next_update_at=soon())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"subject": " \u202e"}, "An update needs a subject and a text."),
        ({"body": "\r\n\x00"}, "An update needs a subject and a text."),
        ({"subject": "s" * 301}, "The subject is longer than 300 characters."),
        ({"body": "b" * 65_536}, "The text is longer than 65536 characters."),
    ],
)
def test_words_that_cannot_be_sent_are_refused(crew: Crew, words: dict[str, str], sentence: str) -> None:
    incident = make_incident(crew)

    with pytest.raises(Refused) as refused:
        issue(incident, crew, NoticeKind.A, **words)

    assert sentence in refused.value.sentences


# The draft ----------------------------------------------------------------------------------------------------------


def test_a_saved_draft_is_what_is_shown_and_there_is_one_of_a_kind(crew: Crew) -> None:
    incident = make_incident(crew)
    owner = crew[Role.COMMUNICATIONS_OWNER]

    notices.save(incident, NoticeKind.B, Words("First", "Text"), by=owner)
    notices.save(incident, NoticeKind.B, Words("Second", "Text"), by=owner)

    assert notices.draft(incident, NoticeKind.B) == Words("Second", "Text")
    assert Notice.objects.filter(incident=incident, kind="B").count() == 1
    assert not log.entries_of(incident, Kind.NOTICE_ISSUED).exists()


def test_nobodys_text_is_written_over_unread(crew: Crew) -> None:
    incident = make_incident(crew)
    owner = crew[Role.COMMUNICATIONS_OWNER]
    with time_machine.travel(clock.now(), tick=False):
        kept = notices.save(incident, NoticeKind.A, Words("Hers", "Text"), by=owner)

        with pytest.raises(Refused, match=f"{owner} saved this draft at .* while you were writing."):
            notices.save(incident, NoticeKind.A, Words("His", "Text"), by=crew.commander, seen=None)

        notices.save(incident, NoticeKind.A, Words("His", "Text"), by=crew.commander, seen=kept.written_at)
    assert notices.draft(incident, NoticeKind.A).subject == "His"


def test_a_draft_is_for_those_who_may_send(crew: Crew) -> None:
    incident = make_incident(crew)

    for act in (
        lambda: notices.save(incident, NoticeKind.A, Words("S", "T"), by=crew[Role.API_LEAD]),
        lambda: notices.discard(incident, NoticeKind.A, by=crew[Role.API_LEAD]),
    ):
        with pytest.raises(Denied, match="is for the Incident Commander or Communications Owner"):
            act()


def test_the_saved_draft_becomes_the_issued_update(crew: Crew) -> None:
    incident = make_incident(crew)
    kept = notices.save(incident, NoticeKind.A, notices.fresh(incident, NoticeKind.A), by=crew.commander)

    issued = issue(incident, crew, NoticeKind.A)

    assert issued.pk == kept.pk
    assert notices.saved(incident, NoticeKind.A) is None


def test_a_discarded_draft_is_filled_anew(crew: Crew) -> None:
    incident = make_incident(crew)
    notices.save(incident, NoticeKind.A, Words("Old", "Old"), by=crew.commander)

    notices.discard(incident, NoticeKind.A, by=crew.commander)

    assert notices.draft(incident, NoticeKind.A).subject.startswith("Portarium delivery rollback declared")


def test_a_preview_is_what_is_sent(crew: Crew) -> None:
    incident = make_incident(crew, drill=True)
    with time_machine.travel(clock.now(), tick=False):
        letter = notices.preview(incident, NoticeKind.A, notices.draft(incident, NoticeKind.A))
        notice = issue(incident, crew, NoticeKind.A)

    assert (letter.subject, letter.text.splitlines()[:3]) == (notice.subject, notice.body.splitlines()[:3])
