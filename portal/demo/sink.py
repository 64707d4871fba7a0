"""A real mail server that delivers nowhere: every message goes into a Maildir, for the mailbox page and the tests."""

import asyncio
import signal
import socket
import sys
from email import message_from_bytes
from email.policy import SMTP as POLICY
from mailbox import Maildir
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class Keeper:
    """Stores one copy per recipient, with the envelope in the headers that a delivering server adds."""

    def __init__(self, folder: Path) -> None:
        """Keep messages in this folder."""
        self.box = Maildir(folder, create=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Answer only when every copy is on disk."""
        for recipient in envelope.rcpt_tos:
            message = message_from_bytes(envelope.original_content or b"", policy=POLICY)
            message["Return-Path"] = f"<{envelope.mail_from}>"
            message["Delivered-To"] = recipient
            self.box.add(message)
        return "250 kept"


async def serve(listening: socket.socket, folder: Path) -> None:
    """Take mail on this socket until told to end."""
    loop, done, keeper = asyncio.get_running_loop(), asyncio.Event(), Keeper(folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    server = await loop.create_server(lambda: SMTP(keeper, hostname="localhost", enable_SMTPUTF8=True), sock=listening)
    async with server:
        await done.wait()


if __name__ == "__main__":
    asyncio.run(serve(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2])))
