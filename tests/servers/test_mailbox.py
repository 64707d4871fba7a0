"""Mail goes through the demo's real mail server into its Maildir, and the mailbox shows it without trusting it."""

import hashlib
import re
import smtplib
import sys
from email.message import EmailMessage

import pytest
from django.urls import include, path

from portal.bootstrap.places import ROOT
from portal.demo import ports
from portal.demo.processes import Child

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

urlpatterns = [path("mailbox/", include("portal.demo.mailbox_urls")), path("", include("portal.urls"))]


@pytest.fixture
def send(tmp_path, settings):
    """Send a message to the demo's mail server, which runs as the demo runs it."""
    settings.MAILBOX = str(tmp_path / "mail")
    listening, port = ports.listening()
    command = [sys.executable, "-m", "portal.demo.sink", str(listening.fileno()), settings.MAILBOX]
    child = Child("mail", command, tmp_path / "mail.log", {"PYTHONPATH": str(ROOT)}, [listening.fileno()]).start()
    listening.close()

    def deliver(message: EmailMessage) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as line:
            line.send_message(message)

    yield deliver
    child.stop()


def mail(*, to: str = "mara@example.org", subject: str = "Rollback mode", html: str = "") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "lastgood@example.org", to, subject
    message["Date"], message["Message-ID"] = "Tue, 24 Nov 2026 14:32:07 -0000", "<1@example.org>"
    message.set_content("Freeze in force – merges stop.\n")
    if html:
        message.add_alternative(html, subtype="html")
    return message


def test_the_list_for_programs_holds_every_recipients_copy_newest_first(client, send):
    send(mail(to="mara@example.org, tom@example.org"))
    second = mail(subject="Update 1")
    second["In-Reply-To"] = "<1@example.org>"
    second.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="report.pdf")
    send(second)

    messages = client.get("/mailbox/messages.json").json()

    assert [(one["to"], one["subject"]) for one in messages] == [
        ("mara@example.org", "Update 1"),
        ("tom@example.org", "Rollback mode"),
        ("mara@example.org", "Rollback mode"),
    ]
    assert messages[0]["attachments"] == [{"name": "report.pdf", "sha256": hashlib.sha256(b"%PDF-1.7").hexdigest()}]
    assert (messages[0]["in_reply_to"], messages[0]["message_id"]) == ("<1@example.org>", "<1@example.org>")
    assert messages[2]["date"] == "2026-11-24T14:32:07+00:00"
    assert messages[2]["text"] == "Freeze in force – merges stop.\n"
    assert messages[2]["headers"]["Delivered-To"] == "mara@example.org"


def test_a_person_reads_a_mail_with_all_its_parts(client, send):
    message = mail(subject="Freeze <b>now</b>", html="<h1>Freeze</h1>")
    message.add_attachment(b"a,b", maintype="text", subtype="csv", filename='"../weird".csv')
    send(message)

    inbox = client.get("/mailbox/").content.decode()
    address = re.search(r'href="(/mailbox/[^/"]+/)"', inbox).group(1)
    page = client.get(address).content.decode()
    file = client.get(f"{address}attachments/1/")

    assert "Freeze &lt;b&gt;now&lt;/b&gt;" in inbox
    assert "Freeze in force – merges stop." in page
    assert re.search(rf'<iframe[^>]+src="{address}html/"[^>]+sandbox', page)
    assert "Delivered-To" in page
    assert file.content == b"a,b"
    assert file["Content-Disposition"].startswith("attachment")


def test_a_mails_html_can_run_nothing_and_reach_nothing(client, send):
    send(mail(html="<script>alert(1)</script><img src='https://tracker.example/'>"))
    key = client.get("/mailbox/messages.json").json()[0]["id"]

    part = client.get(f"/mailbox/{key}/html/")

    policy = part["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script-src" not in policy
    assert part["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize("key", ["nothing", "..%2F..%2Fsecret-key", "1.M2P3%00", "new%2F1"])
def test_a_mail_that_is_not_there_is_not_found(client, send, key):
    assert [client.get(f"/mailbox/{key}/{part}").status_code for part in ("", "html/", "attachments/1/")] == [404] * 3
