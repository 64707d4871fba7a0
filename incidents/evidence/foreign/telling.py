"""What follows from the links of a log, each kind of fault told as what it is.

What a changed entry says of its predecessor is not believed: it is one finding, not two.
"""

from __future__ import annotations

from incidents.evidence.foreign.dialects import Dialect
from incidents.evidence.foreign.findings import Code, Findings, Mode, named, shown
from incidents.evidence.foreign.linking import Links, Record
from incidents.evidence.foreign.reading import Reader
from incidents.evidence.foreign.survey import Seen


def tell_links(links: Links, seen: Seen, reader: Reader, mode: Mode, found: Findings) -> None:
    _tell_changed(links, seen.records, found)
    _tell_forks(links, found)
    _tell_beginnings(links, found)
    _tell_times(links, seen.records, found)
    if mode == Mode.WHOLE:
        _tell_gaps(links, seen, reader, found)


def _tell_changed(links: Links, records: list[Record], found: Findings) -> None:
    for record in records:
        if record.holds:
            continue
        if record.number in links.restated:
            sentence = f"The hash of {named([record.id])} was changed: the next entry names the one its content has."
        elif not record.hash:
            sentence = f"{named([record.id])} states no hash."
        elif links.next.get(record.number):
            sentence = f"The content of {named([record.id])} was changed: the next entry names the hash it had."
        else:
            sentence = f"{named([record.id])} was changed: its content and its hash do not belong together."
        found.add(Code.TAMPERED, sentence, [record.id])


def _tell_forks(links: Links, found: Findings) -> None:
    """A changed entry is no branch: what it says it follows cannot be trusted."""
    groups = [*links.next.values(), *links.orphans.values()]
    for group in groups:
        branches = [record for record in group if record.holds]
        if len(branches) > 1:
            ids = [record.id for record in branches]
            at_once = " in one millisecond" if len({record.time for record in branches}) == 1 else ""
            found.add(Code.FORK, f"{named(ids)} follow the same entry{at_once}.", ids)


def _tell_beginnings(links: Links, found: Findings) -> None:
    ids = [record.id for record in links.firsts if record.holds]
    if len(ids) > 1:
        found.add(Code.SECOND_GENESIS, f"{named(ids)} each begin a log.", ids)


def _tell_times(links: Links, records: list[Record], found: Findings) -> None:
    for record in records:
        parent = links.parent.get(record.number)
        if parent and record.holds and parent.holds and record.time < parent.time:
            later, earlier = (f"{named([row.id])} ({shown(row.time)})" for row in (record, parent))
            found.add(Code.TIME_REGRESSION, f"{later} follows {earlier}.", [record.id, parent.id])


def _gaps(links: Links) -> dict[str, list[Record]]:
    """The hashes that are not in the file, with the unchanged entries that name them."""
    held = {before: [record for record in group if record.holds] for before, group in links.orphans.items()}
    return {before: group for before, group in held.items() if group}


def _tell_gaps(links: Links, seen: Seen, reader: Reader, found: Findings) -> None:
    gaps = _gaps(links)
    ids = [group[0].id for group in gaps.values()]
    if reader.next_page:
        found.add(Code.SUBSET, "The last page names a next one, and that is not in the file.", [])
    elif gaps and not links.firsts:
        found.add(Code.SUBSET, f"No entry begins this log: the one before {named(ids)} is not in the file.", ids)
    elif len(gaps) > 1 and (shared := seen.shared):
        sentence = f"Every entry is of {shared}, and in {len(gaps):,} places the one before is not in the file."
        found.add(Code.SUBSET, sentence, ids)
    else:
        for group in gaps.values():
            names = [record.id for record in group]
            found.add(Code.MISSING_PREDECESSOR, f"The entry before {named(names)} is not in the file.", names)


def tell_anchor(anchor: str, mode: Mode, dialect: Dialect, links: Links, seen: Seen, found: Findings) -> str:
    """The anchor as the dialect writes it; what is not found is told."""
    anchor = anchor.strip().lower()
    if not anchor:
        return ""
    anchor = dialect.prefix + anchor.removeprefix("sha256:")
    known = {record.hash for record in seen.records if record.holds}
    if anchor not in known and not (mode == Mode.SEGMENT and anchor in _gaps(links)):
        where = "no entry of the file has it" + (", and none follows it" if mode == Mode.SEGMENT else "")
        found.add(Code.ANCHOR_MISSING, f"{where[0].upper()}{where[1:]}: {shown(anchor)}.", [])
    return anchor
