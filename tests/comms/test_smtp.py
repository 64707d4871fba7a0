"""What is kept of a mail server's words."""

from __future__ import annotations

from typing import Any

from comms.smtp import Line, Verdict
from tests.hostile.canaries import canary, search
from tests.servers.smtp import SmtpSink


def test_a_server_that_quotes_our_password_is_not_quoted(smtp_sink: SmtpSink, settings: Any) -> None:
    secret = settings.EMAIL_HOST_PASSWORD = canary("mail-password")
    smtp_sink.answers["reader@example.test"] = f"550 5.7.1 portal with {secret} may not"

    with Line() as line:
        outcome = line.send("reader@example.test", b"Subject: Update\r\n\r\nIt goes on.\r\n")

    assert (outcome.verdict, outcome.answer) == (Verdict.REFUSED, "550 5.7.1 portal with [masked] may not")
    assert search({"mail password": secret}, [("answer", outcome.answer.encode())]) == []
