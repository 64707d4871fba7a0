"""The stored versions of the runbook: the first from the shipped file, each edit a new number."""

from __future__ import annotations

from typing import Any

from django.db import connections, transaction

from incidents.evidence import log
from incidents.models.evidence import EvidenceChain
from incidents.models.runbook import RunbookVersion
from incidents.runbook.content import SHIPPED, BadRunbook, digest, parse
from incidents.terms import Kind


def current() -> RunbookVersion:
    """The version that a new declaration takes."""
    version = RunbookVersion.objects.order_by("-number").first()
    return version or _shipped()


def publish(source: str, *, note: str, by: Any, after: int | None = None) -> RunbookVersion:
    """Store a changed text as the next version.

    Args:
        after: the number of the version that was edited, where the text comes from a person's edit.

    Raises:
        BadRunbook: the text is no usable runbook, or another version came in between; nothing is stored.
    """
    source = source.replace("\r\n", "\n")
    parse(source)
    with transaction.atomic():
        log.lock_head(EvidenceChain.objects.filter(pk=log.global_chain().pk)).get()  # one edit at a time
        last = current()
        if after not in (None, last.number):
            raise BadRunbook(f"Version {last.number} was published while you edited. Take its changes over first.")
        if last.sha256 == digest(source):
            return last
        version, _ = _stored(last.number + 1, source, note, by=by)
        _recorded(version, last.sha256, by=by)
    return version


def _shipped() -> RunbookVersion:
    with transaction.atomic():
        version, is_new = _stored(1, SHIPPED.read_text(encoding="utf-8"), "Shipped with Lastgood", by=None)
        if is_new:
            _recorded(version, "", by=None)
    return version


def _stored(number: int, source: str, note: str, *, by: Any) -> tuple[RunbookVersion, bool]:
    return RunbookVersion.objects.get_or_create(
        number=number, defaults={"source": source, "sha256": digest(source), "note": note, "created_by": by}
    )


def _recorded(version: RunbookVersion, old: str, *, by: Any) -> None:
    log.append_globally(
        Kind.CONFIGURED,
        actor=log.person(by) if by else log.SYSTEM_ACTOR,
        sentence=f"Runbook version {version.number} published",
        object="runbook",
        id=str(version.number),
        old=old,
        new=version.sha256,
        note=version.note,
    )


def ensure_first_version(using: str, **_: Any) -> None:
    if RunbookVersion._meta.db_table in connections[using].introspection.table_names():
        current()
