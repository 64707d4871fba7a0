"""One connection to the mail server for a run, and what each of its answers means for a copy."""

from __future__ import annotations

import smtplib
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend

from comms import mail
from comms.clean import one_line
from incidents.connectors.masking import mask


class Verdict(Enum):
    """How a try ended. Whatever is not certain is sent again, under the same Message-ID."""

    SENT = auto()
    LATER = auto()
    REFUSED = auto()
    UNREACHABLE = auto()


@dataclass(frozen=True)
class Outcome:
    verdict: Verdict
    answer: str


CUT_OFF = "The connection ended before the server's answer: the same message goes out again."
CUTS_IN_A_ROW = 3


class Line:
    """A connection that is opened at the first copy, kept for the next ones and opened again when it was cut."""

    def __init__(self) -> None:
        self._backend = EmailBackend()
        self._cuts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def send(self, address: str, content: bytes) -> Outcome:
        """Hand one copy over in a transaction of its own.

        After some cuts in a row nothing more is tried: a server that stalls would take minutes for each copy.
        """
        if self._cuts == CUTS_IN_A_ROW:
            return Outcome(Verdict.UNREACHABLE, "The mail server cannot be used: it stalls or cuts off every time.")
        outcome = self._hand_over(address, content)
        self._cuts = self._cuts + 1 if outcome.answer == CUT_OFF else 0
        return outcome

    def _hand_over(self, address: str, content: bytes) -> Outcome:
        try:
            server = self._open()
        except OSError as error:
            self._close()
            return Outcome(Verdict.UNREACHABLE, f"The mail server cannot be used: {_why(error)}")
        try:
            server.sendmail(mail.sender(), [address], content)
        except smtplib.SMTPRecipientsRefused as error:
            return _refusal(*next(iter(error.recipients.values())))
        except smtplib.SMTPSenderRefused as error:
            # It speaks of us, not of this reader: a mended configuration sends it after all.
            return Outcome(Verdict.LATER, _answer(error.smtp_code, error.smtp_error))
        except smtplib.SMTPResponseException as error:
            return _refusal(error.smtp_code, error.smtp_error)
        except OSError:
            self._close()
            return Outcome(Verdict.LATER, CUT_OFF)
        return Outcome(Verdict.SENT, "")

    def _open(self) -> Any:
        line: Any = self._backend.connection
        if line is None or line.sock is None:
            self._backend.connection = None
            self._backend.open()
            line = self._backend.connection
            line.ehlo_or_helo_if_needed()
        return line

    def _close(self) -> None:
        with suppress(OSError):
            self._backend.close()
        self._backend.connection = None


def _refusal(code: int, text: bytes | str) -> Outcome:
    return Outcome(Verdict.REFUSED if 500 <= code < 600 else Verdict.LATER, _answer(code, text))


def _answer(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return one_line(mask(f"{code} {words}", [settings.EMAIL_HOST_PASSWORD]))[:500]


def _why(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    return one_line(str(error) or type(error).__name__)[:300]
