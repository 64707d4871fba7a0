"""Step 3 checklist, mandatory cleanup validation: three areas, each ticked, evidenced or waived by its owner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from incidents import clock, policy
from incidents.models import Attachment, CleanupItem, Exhibit, Incident
from incidents.runbook.content import CleanupArea
from incidents.steps.base import Denied, Refused, step, store
from incidents.steps.text import row_faults
from incidents.terms import Act, CleanupState, Kind, Role


def lay_out(incident: Incident) -> None:
    """Put the runbook's checklist into the incident. Part of the declare transaction."""
    CleanupItem.objects.bulk_create(
        CleanupItem(incident=incident, area=area.key, key=item.key, name=item.name, owner=area.owner)
        for area in incident.book.cleanup
        for item in area.items
    )


def subject(evidence_key: str) -> str:
    return f"cleanup:{evidence_key}"


def fit_to_level(incident: Incident) -> list[str]:
    """Open again what one person waived and this level asks two for. Returns the keys."""
    if not waiver_needs_second(incident):
        return []
    alone = incident.cleanup_items.filter(state=CleanupState.WAIVED, second=None)
    keys = list(alone.values_list("key", flat=True))
    alone.update(state=CleanupState.OPEN, note="", by=None, settled_at=None)
    return keys


def tick(incident: Incident, items: Sequence[CleanupItem], *, by: Any, note: str) -> None:
    """Mark items of one area as done. All of them or none."""
    area = _one_area(items)
    with step(incident, Act.TICK_CLEANUP, by=by, owner=Role(items[0].owner)) as taken:
        current, note = _locked(taken.incident, items), note.strip()
        taken.refuse_if(f"“{item}” is already {item.state}." for item in current if item.state != CleanupState.OPEN)
        for item in current:
            item.state, item.note, item.by, item.settled_at = CleanupState.DONE, note, by, taken.at
            store(item, "state", "note", "by", "settled_at")
        names = ", ".join(item.name for item in current)
        taken.record(
            Kind.CLEANUP_TICKED,
            f"Cleanup done: {names}",
            area=area,
            items=[item.key for item in current],
            note=note,
            old=CleanupState.OPEN,
            new=CleanupState.DONE,
        )


def waiver_needs_second(incident: Incident) -> bool:
    return policy.cleanup_waiver_needs_second(incident.level)


def waive_blockers(item: CleanupItem) -> list[str]:
    return [] if item.state == CleanupState.OPEN else [f"“{item}” is already {item.state}."]


def waive(item: CleanupItem, *, by: Any, reason: str, second: Any = None) -> None:
    """The owner says why an item does not apply; at L3 a second person agrees."""
    with step(item.incident, Act.WAIVE_CLEANUP, by=by, owner=Role(item.owner), second=second) as taken:
        [item] = _locked(taken.incident, [item])
        taken.refuse_if(waive_blockers(item))
        if waiver_needs_second(taken.incident) and second is None:
            raise Denied(f"{taken.incident.level.label} asks for a second person to waive “{item}”.")
        reason = taken.said(reason)
        item.state, item.note, item.by, item.second, item.settled_at = (
            CleanupState.WAIVED,
            reason,
            by,
            second,
            taken.at,
        )
        store(item, "state", "note", "by", "second", "settled_at")
        taken.record(
            Kind.CLEANUP_WAIVED,
            f"Cleanup waived: {item}",
            area=item.area,
            items=[item.key],
            reason=reason,
            old=CleanupState.OPEN,
            new=CleanupState.WAIVED,
        )


def attach(
    incident: Incident,
    on: str,
    *,
    owner: Role,
    by: Any,
    text: str = "",
    link: str = "",
    attachment: Attachment | None = None,
    source: str = "",
    collected_at: datetime | None = None,
    personal: bool = False,
) -> Exhibit:
    """Bring a file, a link or a text as evidence for what `on` names (see `Exhibit.subject`).

    Args:
        owner: the role in which the person brings it: the one that owns the thing, for a gate one that records it.
        source: where it was taken from, as the person says: a host, a path, a system.
        collected_at: when it was taken, as the person says.
        personal: whether it speaks of a person; its words, link and file name then stand apart from the log and can
            be erased, the file's bytes with them.
    """
    with step(incident, Act.ATTACH_EVIDENCE, by=by, owner=owner) as taken:
        taken.refuse_if(attach_blockers(taken.incident, on, owner, attachment))
        taken.refuse_if([] if text.strip() or link or attachment else ["Give a file, a link or a text."])
        taken.refuse_if(_collected_blockers(collected_at, taken.at))
        sha256 = attachment.sha256 if attachment else ""
        said = {"text": text.strip(), "link": link, "source": source.strip()}
        exhibit = Exhibit(
            incident=taken.incident,
            subject=on,
            **said,
            attachment=attachment,
            collected_at=collected_at,
            by=by,
            added_at=taken.at,
        )
        taken.refuse_if(row_faults(exhibit))
        by_file = {"attachment__sha256": sha256} if attachment else {"attachment": None}
        for same in taken.incident.exhibits.filter(subject=on, by=by, collected_at=collected_at, **said, **by_file):
            taken.refuse_repeat(Kind.EXHIBIT_ADDED, exhibit=same.pk)
        exhibit = store(exhibit)
        taken.record(
            Kind.EXHIBIT_ADDED,
            f"Evidence attached: {_named(taken.incident, on)}",
            subject=on,
            exhibit=exhibit.pk,
            sha256=sha256,
            **_collected(collected_at),
            **(_said_of(attachment) if attachment else {}),
            **_apart({**said, "file": attachment.name if attachment else ""}, personal=personal),
        )
    return exhibit


def _collected(collected_at: datetime | None) -> dict[str, Any]:
    return {"collected_at": clock.stamp(collected_at)} if collected_at else {}


def _collected_blockers(collected_at: datetime | None, at: datetime) -> list[str]:
    if collected_at and collected_at > at:
        return [f"{clock.utc_text(collected_at)} is still to come: give the time at which it was collected."]
    return []


def _apart(said: dict[str, str], *, personal: bool) -> dict[str, Any]:
    """What a person brought, as facts of the entry or apart from it."""
    return {"personal": {name: words for name, words in said.items() if words}} if personal else said


def _said_of(attachment: Attachment) -> dict[str, Any]:
    """What the log says of a file beside its name and hash."""
    return {"attachment": attachment.pk, "size": attachment.size, "scan": attachment.scan}


def attach_blockers(incident: Incident, on: str, owner: Role, attachment: Attachment | None = None) -> list[str]:
    """Why nothing can be attached to this in that role."""
    owners = _owners(incident, on)
    if not owners:
        return [f"This incident asks for no evidence on “{on[:80]}”."]
    if owner not in owners:
        return [f"Evidence on “{on}” is brought by the {' or '.join(r.label for r in Role if r in owners)}."]
    if attachment and attachment.incident_id != incident.pk:
        return ["This file belongs to another incident."]
    return []


def _named(incident: Incident, on: str) -> str:
    """What people call the thing: `cleanup:repair-notes` is “Migration/projection repair notes”."""
    wanted = [(f"cleanup:{row.key}", row.name) for area in incident.book.cleanup for row in area.evidence]
    actions = [(f"action:{row.key}", str(row)) for row in incident.actions.all()]
    gates = [(f"gate:{row.key}", row.name) for row in incident.gates.all()]
    return dict(wanted + actions + gates).get(on, on)


def _owners(incident: Incident, on: str) -> frozenset[Role]:
    """Who brings evidence for a thing; nobody where the incident has no such thing."""
    part, _, key = on.partition(":")
    if part == "cleanup":
        return frozenset(area.owner for area in incident.book.cleanup for wanted in area.evidence if wanted.key == key)
    if part == "action":
        return frozenset(Role(action.owner) for action in incident.actions.all() if action.key == key)
    if part == "gate":
        found = frozenset(Role(gate.owner) for gate in incident.gates.all() if gate.key == key)
        return policy.ROLES[Act.RECORD_GATE] | found if found else found
    return frozenset()


def missing(incident: Incident, area: CleanupArea) -> list[str]:
    """What an area still asks for, as sentences. An area whose items are all waived needs no evidence."""
    items = [item for item in incident.cleanup_items.all() if item.area == area.key]
    found = [f"{area.name}: “{item.name}” is open." for item in items if item.state == CleanupState.OPEN]
    if all(item.state == CleanupState.WAIVED for item in items):
        return found
    brought = {exhibit.subject for exhibit in incident.exhibits.all()}
    return found + [
        f"{area.name}: “{wanted.name}” is not attached."
        for wanted in area.evidence
        if subject(wanted.key) not in brought
    ]


def blockers(incident: Incident) -> list[str]:
    """What the whole checklist still asks for."""
    return [sentence for area in incident.book.cleanup for sentence in missing(incident, area)]


def _one_area(items: Iterable[CleanupItem]) -> str:
    areas = {item.area for item in items}
    if len(areas) != 1:
        raise Refused("Items of exactly one area are ticked together.")
    return areas.pop()


def _locked(incident: Incident, items: Sequence[CleanupItem]) -> list[CleanupItem]:
    wanted = {item.pk for item in items}
    found = list(incident.cleanup_items.filter(pk__in=wanted))
    if len(found) != len(wanted):
        raise Refused("These items belong to another incident.")
    return found
