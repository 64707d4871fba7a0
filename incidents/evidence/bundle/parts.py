"""The files of a bundle that this app knows, each read piece by piece."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from string import Template
from typing import IO, Any

from django.contrib.auth import get_user_model

from incidents.evidence import attachments as files
from incidents.evidence import log
from incidents.evidence.bundle import page
from incidents.evidence.bundle.form import compact, indented
from incidents.evidence.bundle.stage import CHUNK, Part
from incidents.evidence.note import VerifierKey
from incidents.models.cleanup import Attachment
from incidents.models.evidence import EvidenceChain
from incidents.models.incident import Incident
from incidents.terms import Kind

HERE = Path(__file__).parent
_PERSON = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_AT_ONCE = 500


def of_the_log(head: EvidenceChain) -> Iterator[Part]:
    """The entries, and every checkpoint that was signed of them."""
    yield Part("entries.jsonl", log.jsonl(head, until=head.seq))
    signed = head.checkpoints.filter(size__lte=head.seq).order_by("size").values_list("size", "note")
    for size, note in signed.iterator():
        yield Part(f"checkpoints/{size:012}.txt", [note.encode()])


def attachments(incident: Incident, head: EvidenceChain, *, private: bool) -> Iterator[Part]:
    """Each file that was brought as evidence, and the list that also names those whose bytes are not given.

    Args:
        private: whether files that speak of a person, and their names, are given as well.
    """
    rows = incident.attachments.exclude(exhibits=None).distinct().order_by("sha256", "pk")
    withheld = frozenset[int]() if private else _personal(head)
    listed = []
    for sha256, group in groupby(rows, key=lambda row: row.sha256):
        alike = list(group)
        shown = [row for row in alike if row.pk not in withheld]
        state, content = _state(alike, shown)
        listed.append(_listed(alike[0], shown, state))
        if content is not None:
            with content:
                yield Part(f"attachments/{sha256}", _pieces(content))
    yield Part("attachments.json", [indented(listed)])


def _personal(head: EvidenceChain) -> frozenset[int]:
    """The files whose names the log only commits to."""
    brought = head.entries.filter(kind=Kind.EXHIBIT_ADDED, seq__lte=head.seq).defer("canonical")
    return frozenset(entry.body.get("attachment", 0) for entry in brought if "file" not in entry.body)


def _state(alike: list[Attachment], shown: list[Attachment]) -> tuple[str, IO[bytes] | None]:
    if all(row.erased_at for row in alike):
        return "erased", None
    kept = next((row for row in shown if row.erased_at is None), None)
    if kept is None:
        return "withheld", None
    try:
        return "present", files.open(kept)
    except files.Damaged:
        return "damaged", None


def _listed(first: Attachment, shown: list[Attachment], state: str) -> dict[str, Any]:
    return {
        "sha256": first.sha256,
        "size": first.size,
        "state": state,
        "names": sorted({row.name for row in shown}),
        "scans": sorted({row.scan for row in shown}),
    }


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def custody(incident: Incident) -> Iterator[Part]:
    """Who took this evidence away before: a log of its own, as far as it goes now."""
    found = EvidenceChain.objects.filter(custody_of=incident).first()
    if found and found.seq:
        yield Part("custody.jsonl", log.jsonl(found, until=found.seq))


def private(head: EvidenceChain) -> Part:
    """The personal values that were not erased, in the order of the entries that commit to them."""
    rows = head.private_values.filter(seq__lte=head.seq).order_by("seq", "path")
    return Part("private.jsonl", (compact(_opened(row)) + b"\n" for row in rows.iterator(chunk_size=_AT_ONCE)))


def _opened(row: Any) -> dict[str, Any]:
    return {"seq": row.seq, "path": row.path, "salt": bytes(row.salt).hex(), "value": row.value}


def people(incident: Incident, head: EvidenceChain) -> Part:
    """The names of those whom the log or its custody knows by a pseudonym."""
    ids = {found.decode() for line in _all_lines(incident, head) for found in _PERSON.findall(line)}
    names: dict[str, str] = {}
    for some in _some(sorted(ids)):
        for user in get_user_model().objects.filter(public_id__in=some):
            names[str(user.public_id)] = str(user)
    return Part("people.json", [indented(names)])


def _all_lines(incident: Incident, head: EvidenceChain) -> Iterator[bytes]:
    yield from (line.canonical for line in log.lines(head, until=head.seq))
    for chain in EvidenceChain.objects.filter(custody_of=incident):
        yield from (line.canonical for line in log.lines(chain, until=chain.seq))


def _some(found: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(found), _AT_ONCE):
        yield found[start : start + _AT_ONCE]


def tools(incident: Incident, keys: Iterable[VerifierKey]) -> Iterator[Part]:
    """What a reader needs: the keys, the two verifiers, and what to do."""
    readme = Template((HERE / "README.txt").read_text(encoding="utf-8"))
    words = readme.substitute(incident=incident.reference, product=incident.product.name)
    yield Part("README.txt", [words.encode()])
    yield Part("vkey.txt", [f"{key}\n".encode() for key in keys])
    yield Part("verify.html", [page.html()])
    yield Part("verify.py", [(HERE / "verify.py").read_bytes()])
