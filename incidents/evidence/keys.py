"""The portal's one signing key: in a file outside the database, made when it is first asked for.

`signing.pem` holds the private key, `verifiers.txt` the public ones as C2SP verifier keys, the one in use first. Who
may read the database cannot sign, and who restores an old database signs with the same key.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from django.conf import settings

from incidents.evidence.note import NotANote, Signer, VerifierKey

PRIVATE = "signing.pem"
PUBLIC = "verifiers.txt"


class NoKey(Exception):
    """The key's files cannot be read or made; the message says which and why."""


def signer() -> Signer:
    """The key in use. The first call of an installation makes it.

    Raises:
        NoKey: the folder cannot be written, or a file of it is damaged.
    """
    try:
        if not (_path(PRIVATE).exists() and _path(PUBLIC).exists()):
            _refuse_to_forget()
            _make()
        private = load_pem_private_key(_path(PRIVATE).read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise NoKey(f"The signing key in {settings.KEY_DIR} cannot be used: {error}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise NoKey(f"{_path(PRIVATE)} is no Ed25519 key.")
    found = Signer(verifiers()[0].name, private)
    if found.verifier != verifiers()[0]:
        raise NoKey(f"The first line of {_path(PUBLIC)} is not the public half of {_path(PRIVATE)}.")
    return found


def _refuse_to_forget() -> None:
    """A list of public keys that is gone is not made anew with fewer: what they signed could not be checked."""
    if _path(PRIVATE).exists() and any(Path(settings.WITNESS_DIR).glob("*")):
        raise NoKey(f"{_path(PUBLIC)} is missing: restore it from the backup.")


def verifiers() -> list[VerifierKey]:
    """Every public key of this installation, the one in use first; none before the first signature.

    Raises:
        NoKey: the file is damaged.
    """
    try:
        lines = _path(PUBLIC).read_text(encoding="utf-8").split()
        return [VerifierKey.read(line) for line in lines]
    except FileNotFoundError:
        return []
    except (OSError, NotANote) as error:
        raise NoKey(f"{_path(PUBLIC)} cannot be used: {error}") from error


def rotate() -> tuple[VerifierKey, VerifierKey]:
    """Make a new key. The old one signs nothing more; its public half stays, for what it signed.

    The old private half is not needed: it may be lost.

    Returns:
        The old and the new public key.
    """
    old = next(iter(verifiers()), None) or signer().verifier
    new = Signer(old.name, Ed25519PrivateKey.generate())
    # Public half first: a key that signs is always one that can be checked.
    known = [new.verifier, *verifiers()]
    _write(PUBLIC, "".join(f"{key}\n" for key in known).encode(), replace=True)
    _write(PRIVATE, _pem(new), replace=True)
    return old, new.verifier


def _make() -> None:
    """Of several processes that make the first key at once, one succeeds and the others use it."""
    Path(settings.KEY_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)
    host = urlsplit(settings.PUBLIC_URL).netloc or "lastgood"
    made = Signer(host, Ed25519PrivateKey.generate())
    _write(PRIVATE, _pem(made), replace=False)
    private = load_pem_private_key(_path(PRIVATE).read_bytes(), password=None)
    assert isinstance(private, Ed25519PrivateKey)  # noqa: S101 - just written by one of us
    _write(PUBLIC, f"{Signer(host, private).verifier}\n".encode(), replace=False)


def _pem(signer: Signer) -> bytes:
    return signer.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(name: str, content: bytes, *, replace: bool) -> None:
    """Whole or not at all; without `replace`, a file that is there already stays."""
    with tempfile.NamedTemporaryFile(dir=settings.KEY_DIR, delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if replace:
        Path(file.name).replace(_path(name))
        return
    try:
        os.link(file.name, _path(name))
    except FileExistsError:
        pass
    finally:
        Path(file.name).unlink()


def _path(name: str) -> Path:
    return Path(settings.KEY_DIR) / name
