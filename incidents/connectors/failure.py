"""The two ways in which an HTTP exchange can miss its answer, and why, in one word and one sentence."""

from __future__ import annotations

import ssl

import httpcore2

from incidents.connectors.watch import NotOurs, OutOfTime

REASONS: list[tuple[type[Exception], str, str]] = [
    (OutOfTime, "deadline", "the deadline passed"),
    (NotOurs, "not_ours", "this attempt was taken back"),
    (ssl.SSLError, "tls", "the secure connection failed"),
    (ConnectionRefusedError, "refused", "the connection was refused"),
    (ConnectionResetError, "reset", "the connection was cut"),
    (BrokenPipeError, "reset", "the connection was cut"),
    (httpcore2.WriteError, "reset", "the connection was cut"),
    (httpcore2.LocalProtocolError, "request", "the request itself is not valid HTTP"),
    (httpcore2.ProtocolError, "protocol", "what came back was not a complete HTTP answer"),
]
CAUSES = (OSError, OutOfTime, NotOurs, httpcore2.NetworkError, httpcore2.ProtocolError)


class NotSent(Exception):
    """No byte of the request has left. `reason` is one word for machines, the text a sentence for people."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class Forbidden(NotSent):
    """The settings do not allow it; trying again changes nothing."""


class NoAnswer(Exception):
    """Bytes have left and no complete answer came. `status` is 0 unless a status line had been read."""

    def __init__(self, reason: str, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.status = status


def of(error: Exception, place: str, *, sent: bool, status: int) -> NotSent | NoAnswer:
    """Turn what went wrong on the way to `place` into the one that tells whether something left."""
    reason, sentence = _why(error)
    if not sent:
        return NotSent(reason, f"Nothing was sent to {place}: {sentence}.")
    seen = f" after status {status}" if status else ""
    return NoAnswer(reason, f"The request left for {place}, but{seen} no complete answer came: {sentence}.", status)


def _why(error: Exception) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "tls", f"its certificate was not accepted ({error.verify_message})"
    for kind, reason, sentence in REASONS:
        if isinstance(error, kind):
            return reason, sentence
    return "network", getattr(error, "strerror", None) or "the network failed"
