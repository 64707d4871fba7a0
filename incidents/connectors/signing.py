"""Standard Webhooks 1.0.0: sign what we send, so that a receiver knows it is ours, fresh and not a repeat; and back.

A secret is one or more `whsec_` keys separated by spaces; while one is rotated out, both sign side by side.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
TOLERANCE_SECONDS = 300
LONGEST_STAMP = 10
MOST_SIGNATURES = 10


def headers(message: str, now: datetime, body: str, secret: str) -> dict[str, str]:
    """Return the three headers for `body` as it is sent; `message` stays the same over repeats of one attempt."""
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(key).sign(message, now, body) for key in secret.split()),
    }


def is_signed(message: str, stamp: str, signatures: str, body: bytes, secret: str, now: datetime) -> bool:
    """Tell whether one of our keys signed exactly this message, within five minutes of `now`."""
    if problems(secret) or not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= LONGEST_STAMP):
        return False
    if abs(now.timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        return False
    try:
        text, sent = body.decode(), datetime.fromtimestamp(int(stamp), UTC)
    except UnicodeDecodeError:
        return False
    wanted = [Webhook(key).sign(message, sent, text).encode() for key in secret.split()]
    given = [part.encode("utf-8", "replace") for part in signatures.split()[:MOST_SIGNATURES]]
    return any(hmac.compare_digest(ours, theirs) for ours in wanted for theirs in given)


def problems(secret: str | None) -> list[str]:
    """Return sentences why this secret cannot sign. No part of it is in any of them."""
    keys = (secret or "").split()
    if not keys:
        return ["This webhook has no signing secret."]
    if not all(_key_length(key) in KEY_BYTES for key in keys):
        return ["The signing secret must be whsec_ and the base64 of 24 to 64 random bytes."]
    return []


def maskable(secret: str | None) -> list[str]:
    """Return the parts of a secret that must not be shown."""
    return [key.removeprefix(PREFIX) for key in (secret or "").split()]


def _key_length(key: str) -> int:
    coded = key.removeprefix(PREFIX)
    try:
        return len(base64.b64decode(coded + "=" * (-len(coded) % 4), validate=True)) if coded != key else 0
    except (binascii.Error, ValueError):
        return 0
