"""One update as the bytes of a mail (RFC 5322): text and HTML alternative once, then the headers of each copy.

Everything is frozen when it is queued, so that a second try sends the same message, not a similar one.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, parseaddr
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from comms.clean import one_line
from comms.drafts import DRILL_LINE, Words
from comms.models import Notice
from incidents.evidence import letters
from incidents.models import EvidenceChain, Incident
from incidents.terms import NoticeKind

_UTF8 = {"charset": "utf-8"}
_FACT = re.compile(r"([A-Z][^:\n]{1,40}): (\S.*)")


@dataclass(frozen=True)
class Letter:
    """An update ready to be addressed: the parts that every copy shares."""

    subject: str
    text: str
    html: str
    checkpoint: str | None = None


def written(
    incident: Incident, kind: NoticeKind, words: Words, chain: EvidenceChain, checkpoint: str | None = None
) -> Letter:
    """The whole letter: the words, where they belong, and the log's head, so that every inbox is a witness.

    Args:
        checkpoint: the signed note that goes along as a file; None where the log could not be signed.
    """
    context = {
        "subject": words.subject,
        "body": words.body,
        "blocks": list(blocks(words.body.removeprefix(DRILL_LINE))),
        "kind": kind.value,
        "label": NoticeKind(kind).label,
        "reference": incident.reference,
        "product": incident.product.name,
        "level": f"{incident.level.value} {incident.level_text.name}",
        "drill": incident.drill,
        "url": settings.PUBLIC_URL + incident.get_absolute_url(),
        "witness": _witness(chain, checkpoint),
    }
    text, html = (render_to_string(f"email/body.{end}", context) for end in ("txt", "html"))
    lines = "\n".join(line.strip() for line in html.splitlines() if line.strip())
    return Letter(words.subject, text, lines, checkpoint)


def _witness(chain: EvidenceChain, checkpoint: str | None) -> str:
    attached = f". Signed in {letters.NAME}: keep this mail, it proves what the log held" if checkpoint else ""
    return f"Evidence log: entry {chain.seq}, head {chain.hash[:16]}{attached}"


def blocks(body: str) -> Iterator[dict[str, Any]]:
    """The body as facts, lists and lines, for the HTML part: `Name: value`, then `Name:` with `- item` lines."""
    heading, items = "", list[str]()
    for line in body.splitlines():
        if line.startswith("- "):
            items.append(line[2:])
            continue
        if heading or items:
            yield {"list": items, "name": heading}
            heading, items = "", []
        if line.endswith(":") and len(line) <= 60:
            heading = line[:-1]
        elif found := _FACT.fullmatch(line):
            yield {"name": found[1], "value": found[2].removesuffix(".")}
        elif line.strip():
            yield {"line": line}
    if heading or items:
        yield {"list": items, "name": heading}


def payload(letter: Letter, boundary: str) -> bytes:
    """The MIME headers and parts that all copies share."""
    message = EmailMessage(policy=SMTP)
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    message.set_boundary(f"=_{boundary}")
    if letter.checkpoint:
        # As bytes in base64, so that no mailer on the way changes one of those that were signed.
        note = letter.checkpoint.encode()
        message.add_attachment(note, maintype="text", subtype="plain", filename=letters.NAME, params=_UTF8)
        message.set_boundary(f"=_{boundary}-mixed")
    return message.as_bytes()


def message_id(copy_id: uuid.UUID) -> str:
    return f"<{copy_id}@{settings.MAIL_DOMAIN}>"


def sender() -> str:
    """The envelope's sender: the address of DEFAULT_FROM_EMAIL alone."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1]


@dataclass(frozen=True)
class Copy:
    """Whom one copy goes to, and the first mail of the incident that they got."""

    id: uuid.UUID
    name: str
    address: str
    first: str = ""


def addressed(copy: Copy, letter: Letter, shared: bytes, notice: Notice) -> bytes:
    """The full bytes of one copy. A thread begins with the incident's first mail to this reader."""
    assert notice.issued_at  # noqa: S101 - set by the step that calls us
    headers = {
        "Date": format_datetime(notice.issued_at),
        "From": _mailbox(*parseaddr(settings.DEFAULT_FROM_EMAIL)),
        "To": _mailbox(copy.name, copy.address),
        "Subject": _words(letter.subject, len("Subject")),
        "Message-ID": message_id(copy.id),
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "X-Incident": notice.incident.reference,
        "X-Sequence": str(notice.sequence),
    }
    if copy.first:
        headers |= {"In-Reply-To": copy.first, "References": copy.first}
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii") + shared


def readdressed(copy: Copy, content: bytes, notice: Notice) -> bytes:
    """The same update for another address: the words and parts of a frozen copy, byte for byte, under new headers."""
    shared = content[content.index(b"\r\nMIME-Version: ") + 2 :]
    return addressed(copy, Letter(notice.subject, "", ""), shared, notice)


def _words(text: str, beside: int = 0) -> str:
    """Words of a header, folded, and encoded where they are not ASCII (RFC 2047).

    The older `Header` does it: the newer header registry of Python 3.11 loses spaces between encoded words.
    """
    charset = "us-ascii" if _is_plain(text) else "utf-8"
    return Header(one_line(text), charset, maxlinelen=76 - beside, continuation_ws=" ").encode(linesep="\r\n")


def _is_plain(text: str) -> bool:
    """Whether it may stand in a header as it is. An encoded word that was typed would be read as what it encodes."""
    return text.isascii() and "=?" not in text


def _mailbox(name: str, address: str) -> str:
    name = one_line(name)
    if _is_plain(name):
        return formataddr((name, address))
    return f"{_words(name, len('From'))}\r\n <{address}>"
