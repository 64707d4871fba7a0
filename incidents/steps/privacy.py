"""Erasing personal values: the entry that holds a commitment stays, the value and its salt go.

A name, an address or a text that somebody marked as personal stands in a table of its own and in the row that pages
read. Both are emptied; what the log proves stays proven, and nobody can guess the value from what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.files.storage import default_storage

from incidents.evidence import attachments
from incidents.models import Attachment, EvidenceEntry, Exhibit, FollowUp, Incident, PrivateValue
from incidents.steps.base import Taken, step
from incidents.terms import Act, Kind

ERASED = "(erased)"


def values_of(incident: Incident) -> list[PrivateValue]:
    """The personal values that the log of an incident still holds, in the order of its entries."""
    return list(PrivateValue.objects.filter(chain__incident=incident))


def erase(incident: Incident, entry: int, path: str, *, by: Any, second: Any, reason: str) -> None:
    """Erase one personal value for good.

    Args:
        entry: the number of the entry that holds the commitment.
        path: the name of the fact.
    """
    with step(incident, Act.ERASE, by=by, second=second) as taken:
        taken.refuse_if(blockers(taken.incident, entry, path))
        reason = taken.said(reason, "Say why the value is erased, and who asked for it.")
        value = PrivateValue.objects.get(chain__incident=taken.incident, seq=entry, path=path)
        _empty_row(taken, taken.incident.chain.entries.get(seq=entry), path, value.value)
        taken.record(
            Kind.ERASED, f"Personal value erased: {path} of entry {entry}", entry=entry, path=path, reason=reason
        )
        # The database lets the value go only once the entry that says so is there.
        taken.afterwards(value.delete)


def blockers(incident: Incident, entry: int, path: str) -> list[str]:
    """Why this value cannot be erased."""
    if PrivateValue.objects.filter(chain__incident=incident, seq=entry, path=path).exists():
        return []
    return [f"Entry {entry} holds no personal value “{path[:40]}”, or it was erased already."]


def _empty_row(taken: Taken, entry: EvidenceEntry, path: str, value: str) -> None:
    """Empty the column that pages read, where it still shows this value."""
    if emptied := _ROWS.get((Kind(entry.kind), path)):
        emptied(taken, entry.body, value)


def _follow_up_owner(taken: Taken, body: dict[str, Any], value: str) -> None:
    FollowUp.objects.filter(incident=taken.incident, number=body["number"], owner=value).update(owner=ERASED)


def _corrected(taken: Taken, body: dict[str, Any], value: str) -> None:
    FollowUp.objects.filter(incident=taken.incident, pk=body["id"], owner=value).update(owner=ERASED)


def _exhibit_text(taken: Taken, body: dict[str, Any], value: str) -> None:
    Exhibit.objects.filter(pk=body["exhibit"], text=value).update(text=ERASED)


def _exhibit_link(taken: Taken, body: dict[str, Any], value: str) -> None:
    Exhibit.objects.filter(pk=body["exhibit"], link=value).update(link="", text=ERASED)


def _exhibit_source(taken: Taken, body: dict[str, Any], value: str) -> None:
    Exhibit.objects.filter(pk=body["exhibit"], source=value).update(source=ERASED)


def _exhibit_file(taken: Taken, body: dict[str, Any], value: str) -> None:
    """The name goes, and the bytes with it, unless another attachment holds the same ones."""
    for attachment in Attachment.objects.filter(exhibits=body["exhibit"], erased_at=None):
        attachment.name, attachment.erased_at = ERASED, taken.at
        attachment.save(update_fields=["name", "erased_at"])
        kept = Attachment.objects.filter(sha256=attachment.sha256, erased_at=None)
        if not kept.exists():
            path = attachments.path_of(attachment.sha256)
            taken.after_commit(partial(default_storage.delete, path))


_ROWS: dict[tuple[Kind, str], Callable[[Taken, dict[str, Any], str], None]] = {
    (Kind.FOLLOW_UP_ADDED, "owner"): _follow_up_owner,
    (Kind.CORRECTED, "old"): _corrected,
    (Kind.CORRECTED, "new"): _corrected,
    (Kind.EXHIBIT_ADDED, "text"): _exhibit_text,
    (Kind.EXHIBIT_ADDED, "link"): _exhibit_link,
    (Kind.EXHIBIT_ADDED, "source"): _exhibit_source,
    (Kind.EXHIBIT_ADDED, "file"): _exhibit_file,
}
