"""Text from people on its way into a mail: one line stays one line, an address is exactly one mailbox.

A newline in a subject is a header of someone else's, a bidi mark shows another word than it says (ASVS 1.3.11).
"""

from __future__ import annotations

import re
import unicodedata
from email.headerregistry import Address

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

# Cc: controls. Zl, Zp: line and paragraph separators. Cs: lone surrogates. Bidi marks are in Cf, among harmless ones.
_DROPPED = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
SUBJECT_LENGTH = 300


class NotAMailbox(ValueError):
    """The text is not exactly one address that a mail server takes."""


def _kept(text: str, keep: str) -> str:
    return "".join(_char(char, keep) for char in text)


def _char(char: str, keep: str) -> str:
    if char in keep:
        return char
    if char in _BIDI or unicodedata.category(char) in _DROPPED:
        return " " if char.isspace() else ""
    return char


def one_line(text: str) -> str:
    """The text without controls, line breaks and bidi marks, its white space collapsed."""
    return " ".join(_kept(text, "").split())


def block(text: str) -> str:
    """Text of several lines with LF ends and nothing invisible in it; one line break at its end."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = _kept(lines, "\n").split("\n")
    return "\n".join(line.rstrip() for line in kept).strip("\n") + "\n"


def mailbox(text: str) -> str:
    """The address as a mail server takes it, its domain in ASCII.

    Raises:
        NotAMailbox: it is none, more than one, or has a name, quotes or a comment around it.
    """
    local, _, domain = text.strip().rpartition("@")
    try:
        address = Address(username=local, domain=domain.encode("idna").decode("ascii")).addr_spec
        validate_email(address)
    except (ValidationError, ValueError, IndexError) as error:
        raise NotAMailbox(f"“{one_line(text)[:80]}” is not an address.") from error
    if not _PLAIN_LOCAL.fullmatch(local) or len(address) > 254:
        raise NotAMailbox(f"“{one_line(text)[:80]}” is not an address.")
    return address
