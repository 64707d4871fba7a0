"""Finding the checkpoint in what people kept: the note itself, or a whole mail that carries it."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default

NAME = "checkpoint.txt"


def checkpoint_in(content: bytes) -> str:
    """The text of the checkpoint: of the attachment, where `content` is a mail, else all of it.

    Line ends that a mailer or an editor made are put back to line feeds, which are what was signed.
    """
    found = content
    if b"\nMIME-Version:" in content or b"\nContent-Type:" in content[:4000]:
        message = message_from_bytes(content, policy=default)
        parts = [part for part in message.walk() if part.get_filename() == NAME]
        if parts:
            found = bytes(parts[0].get_payload(decode=True) or b"")
    return found.decode("utf-8", "replace").replace("\r\n", "\n")
