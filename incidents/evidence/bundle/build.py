"""Making the bundle: what the log's head names, read as it stood at one moment, listed, signed and zipped."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from django.db import connection, transaction

from incidents import clock
from incidents.evidence import checkpoints, keys
from incidents.evidence.bundle import parts, statements
from incidents.evidence.bundle.form import indented
from incidents.evidence.bundle.stage import CHUNK, Part, Stage
from incidents.models.evidence import EvidenceChain
from incidents.models.incident import Incident

More = Callable[[EvidenceChain], Iterable[Part]]


@dataclass(frozen=True)
class Wanted:
    """What is in a bundle by choice only.

    Attributes:
        private: the personal values that entries commit to, with their salts; and files that speak of a person.
        names: who stands behind the pseudonyms of the log.
    """

    private: bool = False
    names: bool = False


@dataclass(frozen=True)
class Built:
    """A finished bundle. Its temporary file goes when it is closed."""

    name: str
    file: IO[bytes]
    size: int
    sha256: str
    entries: int


def build(incident: Incident, wanted: Wanted | None = None, more: More = lambda head: ()) -> Built:
    """The bundle of an incident up to the entry that is its last now. The same state gives the same bytes.

    Args:
        more: parts from elsewhere, read at the same moment: what was said is not known here.

    Raises:
        keys.NoKey: there is no key to sign with.
    """
    checkpoints.announce_key()
    stage = Stage()
    with _one_moment():
        head = EvidenceChain.objects.get(incident=incident)
        for part in _parts(incident, head, wanted or Wanted()):
            stage.add(part)
        for part in more(head):
            stage.add(part)
    _seal(stage, incident, head)
    return _zipped(stage, incident, head)


def _parts(incident: Incident, head: EvidenceChain, wanted: Wanted) -> Iterator[Part]:
    yield from parts.of_the_log(head)
    yield from parts.attachments(incident, head, private=wanted.private)
    yield from parts.custody(incident)
    yield Part("statements.jsonl", statements.signed(incident, head, keys.signer()))
    if wanted.private:
        yield parts.private(head)
    if wanted.names:
        yield parts.people(incident, head)
    yield from parts.tools(incident, keys.verifiers())


@contextmanager
def _one_moment() -> Iterator[None]:
    """All reads see the database as it stood at the first one, and nobody waits for them.

    SQLite's own BEGIN, for Django's would take the one write lock. Inside another transaction that one decides.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            # It locks nothing, and stands still while files are read.
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield
    else:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")


def _seal(stage: Stage, incident: Incident, head: EvidenceChain) -> None:
    """List every part, and sign the list."""
    assert head.at  # noqa: S101 - an incident's log begins with its first entry
    listed = {
        "v": 1,
        "incident": incident.reference,
        "product": incident.product.slug,
        "chain": str(head.pk),
        "entries": head.seq,
        "head": head.hash,
        "made_until": clock.stamp(head.at),
        "files": stage.listed(),
    }
    manifest, signer = indented(listed), keys.signer()
    note = signer.signed(f"{signer.name}/bundle\n{hashlib.sha256(manifest).hexdigest()}\n")
    stage.add(Part("MANIFEST.json", [manifest]))
    stage.add(Part("MANIFEST.note", [note.encode()]))


def _zipped(stage: Stage, incident: Incident, head: EvidenceChain) -> Built:
    file, digest = tempfile.TemporaryFile(), hashlib.sha256()  # noqa: SIM115 - whoever sends it closes it
    stage.write(file)
    size = file.tell()
    file.seek(0)
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    file.seek(0)
    return Built(f"{incident.reference}-bundle.zip", file, size, digest.hexdigest(), head.seq)
