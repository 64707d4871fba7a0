"""The bytes of a copy: headers, thread, alternatives; and nothing that a person typed becomes a header."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import compat32, default
from pathlib import Path
from typing import Any, cast

import pytest

from comms import delivery, mail
from comms.models import Delivery, Notice, Recipient
from incidents.evidence import keys
from incidents.evidence.note import Statement, opened
from incidents.models import Checkpoint, EvidenceChain
from incidents.terms import Level, NoticeKind
from tests.comms.test_clean import BREAKING
from tests.comms.world import issue
from tests.factories import Crew, make_incident
from tests.servers.smtp import SmtpSink

pytestmark = pytest.mark.django_db


def read(copy: Delivery) -> EmailMessage:
    return cast(EmailMessage, message_from_bytes(bytes(copy.content), policy=default))


def copy_to(notice: Notice, email: str) -> Delivery:
    return notice.deliveries.get(email=email)


def test_a_copy_has_one_recipient_and_the_headers_of_an_automatic_mail(crew: Crew, settings: object) -> None:
    settings.MAIL_DOMAIN, settings.DEFAULT_FROM_EMAIL = "lastgood.example", "Lastgood <lastgood@lastgood.example>"
    incident = make_incident(crew)

    notice = issue(incident, crew, NoticeKind.A)

    copy = copy_to(notice, "ops@example.test")
    message = read(copy)
    assert {name: str(message[name]) for name in message if name not in ("Date", "Content-Type")} == {
        "From": "Lastgood <lastgood@lastgood.example>",
        "To": "Reader 1 <ops@example.test>",
        "Subject": notice.subject,
        "Message-ID": f"<{copy.pk}@lastgood.example>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "X-Incident": incident.reference,
        "X-Sequence": "1",
        "MIME-Version": "1.0",
    }
    assert copy.message_id == f"<{copy.pk}@lastgood.example>"
    assert message["Date"].datetime == notice.issued_at.replace(microsecond=0)


def test_later_mails_answer_the_first_one_of_the_incident_that_this_reader_got(crew: Crew) -> None:
    incident = make_incident(crew)
    first = issue(incident, crew, NoticeKind.A)
    late = Recipient.objects.create(product=crew.product, name="Late", email="late@example.test")
    second = issue(incident, crew, NoticeKind.B)
    third = issue(incident, crew, NoticeKind.B, body="Nothing new.")

    def thread(notice: Notice, email: str) -> tuple[str | None, str | None]:
        message = read(copy_to(notice, email))
        return message["In-Reply-To"], message["References"]

    begin = copy_to(first, "ops@example.test").message_id
    assert thread(first, "ops@example.test") == (None, None)
    assert thread(second, "ops@example.test") == thread(third, "ops@example.test") == (begin, begin)
    assert thread(second, late.email) == (None, None)
    assert thread(third, late.email)[0] == copy_to(second, late.email).message_id
    assert [read(copy_to(notice, "ops@example.test"))["X-Sequence"] for notice in (first, second, third)] == [
        "1",
        "2",
        "3",
    ]


def test_threads_of_two_incidents_stay_apart(crew: Crew) -> None:
    from tests.comms.world import told_crew

    other = told_crew("ops@example.test")
    issue(make_incident(crew), crew, NoticeKind.A)

    notice = issue(make_incident(other), other, NoticeKind.A)

    assert read(copy_to(notice, "ops@example.test"))["In-Reply-To"] is None


def test_both_alternatives_say_the_same_and_where_it_belongs(crew: Crew) -> None:
    incident = make_incident(crew, level=Level.L3, summary="Lag – <b>1182</b> & co")

    notice = issue(incident, crew, NoticeKind.A)

    message = read(copy_to(notice, "ops@example.test"))
    text, html = (message.get_body((kind,)).get_content().replace("\r\n", "\n") for kind in ("plain", "html"))
    assert text.startswith(notice.body)
    assert f"{incident.reference} · Portarium · L3 Code, data, evidence and credentials" in text
    assert f"http://127.0.0.1:8000/incidents/{incident.reference}/" in text
    assert "Lag – &lt;b&gt;1182&lt;/b&gt; &amp; co" in html
    assert "<b>1182" not in html
    assert "L3 Code, data, evidence and credentials" in html


def test_every_inbox_is_a_witness_of_the_log_before_the_update(crew: Crew) -> None:
    incident = make_incident(crew)
    head = EvidenceChain.objects.get(incident=incident)

    notice = issue(incident, crew, NoticeKind.A)

    message = read(copy_to(notice, "ops@example.test"))
    text = message.get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert f"Evidence log: entry {head.seq}, head {head.hash[:16]}. Signed in checkpoint.txt" in text
    [attached] = message.iter_attachments()
    note = Checkpoint.objects.get(chain=head).note
    assert (attached.get_filename(), attached.get_payload(decode=True)) == ("checkpoint.txt", note.encode())
    signed = Statement.read(opened(note, keys.verifiers()))
    assert (signed.size, signed.head) == (head.seq, head.hash)


def test_an_update_goes_out_also_where_nothing_can_be_signed(crew: Crew, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    settings.KEY_DIR = tmp_path / "a file"

    notice = issue(make_incident(crew), crew, NoticeKind.A)

    message = read(copy_to(notice, "ops@example.test"))
    assert list(message.iter_attachments()) == []
    assert "Signed in" not in message.get_body(("plain",)).get_content()


@pytest.mark.parametrize("typed", BREAKING)
def test_nothing_typed_becomes_a_header(crew: Crew, typed: str) -> None:
    incident = make_incident(crew, summary="Lag")
    Recipient.objects.filter(email="ops@example.test").update(name=typed.replace("\x00", "").replace("\ud800", ""))

    notice = issue(incident, crew, NoticeKind.A, subject=typed, body=f"{typed}\n.\nFrom here on")

    raw = bytes(copy_to(notice, "ops@example.test").content)
    message = message_from_bytes(raw, policy=default)
    assert [name.lower() for name in message] == [
        "date",
        "from",
        "to",
        "subject",
        "message-id",
        "auto-submitted",
        "x-auto-response-suppress",
        "x-incident",
        "x-sequence",
        "mime-version",
        "content-type",
    ]
    [address] = message["To"].addresses
    assert address.addr_spec == "ops@example.test"
    assert not message.defects
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_a_long_name_and_subject_are_folded_and_read_back(crew: Crew) -> None:
    incident = make_incident(crew)
    name, subject = "Zażółć gęślą jaźń, " * 6, "Größenänderung – 漢字 " * 14
    Recipient.objects.filter(email="ops@example.test").update(name=name[:120])

    notice = issue(incident, crew, NoticeKind.A, subject=subject)

    message = message_from_bytes(bytes(copy_to(notice, "ops@example.test").content), policy=compat32)
    assert str(make_header(decode_header(message["Subject"]))) == subject.strip()
    assert str(make_header(decode_header(message["To"]))) == f"{name[:120].strip()} <ops@example.test>"
    assert all(len(word) <= 75 for header in ("To", "Subject") for word in message[header].split())


def test_the_html_part_shows_facts_lists_and_lines() -> None:
    body = "DRILL: practice.\n\nRollback target: commit x.\nRisks:\n- a: b\n- c\nNext update: soon.\nA line.\n- alone\n"

    assert list(mail.blocks(body)) == [
        {"name": "DRILL", "value": "practice"},
        {"name": "Rollback target", "value": "commit x"},
        {"name": "Risks", "list": ["a: b", "c"]},
        {"name": "Next update", "value": "soon"},
        {"line": "A line."},
        {"name": "", "list": ["alone"]},
    ]


def test_what_arrives_reads_well_as_plain_text_and_belongs_to_its_thread(crew: Crew, smtp_sink: SmtpSink) -> None:
    incident = make_incident(crew)
    for kind in (NoticeKind.A, NoticeKind.B):
        delivery.run(issue(incident, crew, kind).pk)

    first, second = smtp_sink.to("ops@example.test")
    assert {message["Auto-Submitted"] for message in (first, second)} == {"auto-generated"}
    assert {message["X-Incident"] for message in (first, second)} == {incident.reference}
    assert [message["X-Sequence"] for message in (first, second)] == ["1", "2"]
    assert (second["In-Reply-To"], second["References"]) == (first["Message-ID"], first["Message-ID"])
    text = second.get_body(("plain",)).get_content().replace("\r\n", "\n")
    body, signature = text.split("\n-- \n")
    notice = Notice.objects.get(kind=NoticeKind.B)
    assert body.strip() == notice.body.strip()
    assert body.splitlines()[-1] == f"Next update: {notice.next_update_at:%Y-%m-%d %H:%M} UTC."
    assert signature.splitlines()[:2] == [
        f"{incident.reference} · Portarium · L1 Code and config",
        f"http://127.0.0.1:8000/incidents/{incident.reference}/",
    ]
    assert not re.search(r"<\w|&\w+;|{{|None|\[\]", text)
