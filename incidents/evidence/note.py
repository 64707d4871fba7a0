"""Signed notes and checkpoints as C2SP writes them (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), with Ed25519.

Pure but for the key's own arithmetic: no Django, no clock, no files. A checkpoint is the note

    <origin>
    <size>
    <root, base64>
    head <hash of the last entry, hex>

signed by the portal's one key. The head is our extension line: it names the entry that people see in mails.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
_SIGNED_BY = "— "
_LONGEST = 1_000_000


class NotANote(ValueError):
    """The text is no signed note, no checkpoint, or no verifier key; the message says what is wrong."""


class NotSigned(Exception):
    """No signature of a key that we trust, or a wrong one."""


@dataclass(frozen=True)
class VerifierKey:
    """A public key by name: `name+hash+key`, as C2SP writes it."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        return key_id(self.name, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def read(cls, text: str) -> VerifierKey:
        """The key that `str` wrote.

        Raises:
            NotANote: it is malformed, of another algorithm, or its hash is not its own.
        """
        try:
            name, hashed, encoded = text.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
            found = cls(name, raw[1:])
            ours = raw[:1] == ED25519 and len(raw) == 33 and bytes.fromhex(hashed) == found.id
        except (ValueError, binascii.Error) as error:
            raise NotANote("This is no verifier key: it has the form name+hash+key.") from error
        if not ours or not name:
            raise NotANote("This verifier key is damaged, or not for Ed25519.")
        return found

    def holds(self, text: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class Signer:
    """A private key and the name it signs under."""

    name: str
    private: Ed25519PrivateKey

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey(self.name, self.private.public_key().public_bytes_raw())

    def signed(self, text: str) -> str:
        """The note: the text and this key's signature line. The text ends with a line feed and has no blank line."""
        signature = base64.b64encode(self.verifier.id + self.private.sign(text.encode())).decode()
        return f"{text}\n{_SIGNED_BY}{self.name} {signature}\n"


def key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def opened(note: str, keys: list[VerifierKey]) -> str:
    """The note's text, once a trusted key's signature on it is found to hold.

    Raises:
        NotANote: it has not the form of a signed note.
        NotSigned: no trusted key signed it, or one did and the signature is wrong.
    """
    text, signatures = _parts(note)
    trusted = {(key.name, key.id): key for key in keys}
    known = [(trusted[name, raw[:4]], raw[4:]) for name, raw in signatures if (name, raw[:4]) in trusted]
    if not known:
        names = ", ".join(sorted({name for name, _ in signatures}))
        raise NotSigned(f"The note is signed by {names}, by no key that is trusted here.")
    for key, signature in known:
        if not key.holds(text.encode(), signature):
            raise NotSigned(f"The signature of {key.name} does not fit the note: it was changed, or forged.")
    return text


def _parts(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    if len(note) > _LONGEST or any(ord(char) < 0x20 and char != "\n" for char in note):
        raise NotANote("This is no signed note: it is too long, or holds control characters.")
    text, blank, rest = note.rpartition("\n\n")
    if not blank or not rest.endswith("\n"):
        raise NotANote("This is no signed note: text, a blank line and signatures are expected.")
    return text + "\n", [_signature(line) for line in rest.splitlines()]


def _signature(line: str) -> tuple[str, bytes]:
    name, space, encoded = line.removeprefix(_SIGNED_BY).rpartition(" ")
    if not line.startswith(_SIGNED_BY) or not space or not name or " " in name or "+" in name:
        raise NotANote("A signature line of the note is malformed.")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise NotANote("A signature of the note is no base64.") from error
    if len(raw) < 5:
        raise NotANote("A signature of the note is too short.")
    return name, raw


@dataclass(frozen=True)
class Statement:
    """What a checkpoint says: a chain had this size, this root, and this last entry.

    Attributes:
        origin: names the chain, `<host>/rollback/<chain's UUID>`.
        size: in entries.
        root: 32 bytes, RFC 6962 over the entries' hashes.
        head: the hash of entry `size` in hex; empty where the note does not say.
    """

    origin: str
    size: int
    root: bytes
    head: str = ""

    @property
    def text(self) -> str:
        lines = [self.origin, str(self.size), base64.b64encode(self.root).decode()]
        return "\n".join([*lines, f"head {self.head}"] if self.head else lines) + "\n"

    @property
    def chain(self) -> str:
        """The UUID of the chain, from the origin."""
        return self.origin.rpartition("/")[2]

    @classmethod
    def read(cls, text: str) -> Statement:
        """What a note's text says.

        Raises:
            NotANote: it is no checkpoint.
        """
        origin, size, root, *others = [*text.splitlines(), "", "", ""]
        try:
            raw = base64.b64decode(root, validate=True)
        except binascii.Error:
            raw = b""
        if not origin or not (size.isascii() and size.isdecimal()) or len(size) > 18 or len(raw) != 32:
            raise NotANote("This note is no checkpoint: origin, size and root are expected.")
        if str(int(size)) != size:
            raise NotANote("The size of this checkpoint has leading zeros.")
        heads = [line.removeprefix("head ") for line in others if line.startswith("head ")]
        return cls(origin, int(size), raw, heads[0] if heads else "")
