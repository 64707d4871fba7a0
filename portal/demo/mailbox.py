"""The demo's mailbox: what the portal's mail looks like to the people who get it. Wired only with LASTGOOD_MAILBOX.

Open to whoever reaches the demo's loopback address, as a person's inbox does not ask for the portal's password.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.policy import default as policy
from email.utils import parsedate_to_datetime
from mailbox import Maildir
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

# A mail's own HTML gets no script, no network and no place to navigate to.
MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


@dataclass(frozen=True)
class Mail:
    """One recipient's copy as it arrived."""

    id: str
    message: EmailMessage

    def header(self, name: str) -> str:
        """A header as text, empty when the mail has none."""
        return str(self.message.get(name, ""))

    @property
    def subject(self) -> str:
        """What the mail is about."""
        return self.header("Subject") or "(no subject)"

    @property
    def to(self) -> str:
        """The recipient this copy was delivered to."""
        return self.header("Delivered-To") or self.header("To")

    @property
    def sent_at(self) -> datetime | None:
        """The Date header."""
        try:
            moment = parsedate_to_datetime(self.header("Date"))
        except ValueError:
            return None
        # Django sends UTC as -0000, which the parser reads as a time of no zone.
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    @property
    def text(self) -> str:
        """The plain text part."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML part."""
        return self._part("html")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Every header in the order of the mail."""
        return [(name, str(value)) for name, value in self.message.items()]

    @property
    def attachments(self) -> list[dict[str, Any]]:
        """Name, size and SHA-256 of each attachment."""
        return [
            {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in self.files()
        ]

    def files(self) -> list[tuple[str, bytes]]:
        """The attachments' names and bytes."""
        parts = self.message.iter_attachments() if self.message.is_multipart() else ()
        return [(part.get_filename() or f"part-{number}", _content(part)) for number, part in enumerate(parts, 1)]

    def _part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        # Mail travels with CRLF.
        return str(body.get_content()).replace("\r\n", "\n") if body else ""


def _box() -> Maildir:
    return Maildir(settings.MAILBOX, create=True)


def _read(box: Maildir, key: str) -> Mail:
    return Mail(key, BytesParser(policy=policy).parsebytes(box.get_bytes(key)))


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else part.as_bytes()


def newest_first() -> list[Mail]:
    """Every mail; a Maildir key begins with the moment of delivery."""
    box = _box()
    return [_read(box, key) for key in sorted(box.keys(), key=_delivery, reverse=True)]


def _delivery(key: str) -> tuple[int, int, str]:
    seconds, _, rest = key.partition(".")
    micros = rest.partition("P")[0].removeprefix("M")
    return int(seconds), int(micros or 0), key


def _one(key: str) -> Mail:
    try:
        return _read(_box(), key)
    except (KeyError, FileNotFoundError) as why:
        raise Http404("No such mail") from why


@login_not_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """All mail, the newest first."""
    return render(request, "demo/mailbox.html", {"mails": newest_first()})


@login_not_required
@require_safe
def messages(request: HttpRequest) -> HttpResponse:
    """The same for programs."""
    return JsonResponse([_as_json(mail) for mail in newest_first()], safe=False)


@login_not_required
@require_safe
def mail(request: HttpRequest, key: str) -> HttpResponse:
    """One mail with its parts."""
    return render(request, "demo/mail.html", {"mail": _one(key)})


@login_not_required
@require_safe
def html_part(request: HttpRequest, key: str) -> HttpResponse:
    """The HTML part as its sender made it, shut into a sandbox."""
    response = HttpResponse(_one(key).html)
    response["Content-Security-Policy"] = MAIL_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


@login_not_required
@require_safe
def attachment(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """One attachment, always as a download."""
    files = _one(key).files()
    if not 1 <= number <= len(files):
        raise Http404("No such attachment")
    name, content = files[number - 1]
    response = HttpResponse(content, content_type="application/octet-stream")
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response


def _as_json(mail: Mail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "to": mail.to,
        "subject": mail.header("Subject"),
        "date": mail.sent_at.isoformat() if mail.sent_at else None,
        "message_id": mail.header("Message-ID"),
        "in_reply_to": mail.header("In-Reply-To"),
        "headers": dict(mail.headers),
        "text": mail.text,
        "html": mail.html,
        "attachments": [{"name": file["name"], "sha256": file["sha256"]} for file in mail.attachments],
    }
