"""A real mail server on loopback whose mail a test can read and whose answers a test can choose."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as policy
from typing import cast

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from portal.demo.processes import wait_until


@dataclass
class SmtpSink:
    """What arrived, and what the server answers.

    `sink.answers["x@example.org"] = "550 no such person"` refuses one recipient, `"451 later"` puts it off;
    `sink.answers["DATA"] = "451 full"` refuses every message at its end.
    """

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The EMAIL_URL of a process that is to send here."""
        return f"smtp://127.0.0.1:{self.port}"

    def to(self, recipient: str) -> list[EmailMessage]:
        """The copies that one recipient got, in the order of arrival."""
        return [message for message in self.messages if message["Delivered-To"] == recipient]

    def wait_for(self, number: int, *, seconds: float = 15) -> list[EmailMessage]:
        """The messages, once this many have arrived; fails with what is there when the time is up."""
        if not wait_until(lambda: len(self.messages) >= number, seconds=seconds):
            subjects = [message["Subject"] for message in self.messages]
            pytest.fail(f"{len(subjects)} of {number} mails after {seconds} s: {subjects}")
        return list(self.messages)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or answer as the test wants."""
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep one parsed copy per recipient."""
        if "DATA" in self.answers:
            return self.answers["DATA"]
        for recipient in envelope.rcpt_tos:
            message = cast(EmailMessage, message_from_bytes(envelope.original_content or b"", policy=policy))
            message["Delivered-To"] = recipient
            self.messages.append(message)
        return "250 kept"


@pytest.fixture(scope="session")
def _smtp_server() -> Iterator[SmtpSink]:
    # It logs every command at info, which buries what a failed test has to say.
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    sink, loop, ready, done = SmtpSink(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        server = await loop.create_server(lambda: SMTP(sink, hostname="localhost", enable_SMTPUTF8=True), "127.0.0.1")
        sink.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await done.wait()

    # A thread of its own, as Playwright keeps a loop running in the main one.
    thread = threading.Thread(target=loop.run_until_complete, args=[serve()], daemon=True)
    thread.start()
    assert ready.wait(10)
    yield sink
    loop.call_soon_threadsafe(done.set)
    thread.join(10)
    loop.close()


@pytest.fixture
def smtp_sink(_smtp_server: SmtpSink, settings: object) -> SmtpSink:
    """A real SMTP server; this process, `worker` and `served` send their mail there. Empty at the start of a test."""
    _smtp_server.messages.clear()
    _smtp_server.answers.clear()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", _smtp_server.port
    return _smtp_server
