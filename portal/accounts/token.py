"""The form of a token: `lgd_<type>_<random><check>`, so that scanners find a leaked one and tell it from noise.

The type is the most that the token may do, the random part 256 bits, the check the CRC-32 of all that stands before it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "lgd_"
PATTERN = r"lgd_(?:check|suggest|read|act)_[0-9A-Za-z]{49}"
RANDOM_BYTES = 32
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LETTERS, _CHECK_LETTERS = 43, 6
_shape = re.compile(PATTERN)


def make(kind: str) -> str:
    """A new secret of this type."""
    value = int.from_bytes(secrets.token_bytes(RANDOM_BYTES))
    begun = f"{PREFIX}{kind}_{_in_letters(value, _RANDOM_LETTERS)}"
    return begun + _check(begun)


def is_whole(secret: str) -> bool:
    """Whether this can be a token: of the form, and neither mistyped nor cut off."""
    return bool(_shape.fullmatch(secret)) and _check(secret[:-_CHECK_LETTERS]) == secret[-_CHECK_LETTERS:]


def is_in(words: str) -> bool:
    """Whether a token stands somewhere in these words."""
    return bool(_shape.search(words))


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _check(begun: str) -> str:
    return _in_letters(zlib.crc32(begun.encode()), _CHECK_LETTERS)


def _in_letters(value: int, length: int) -> str:
    found = ""
    for _ in range(length):
        value, digit = divmod(value, len(_DIGITS))
        found = _DIGITS[digit] + found
    return found
