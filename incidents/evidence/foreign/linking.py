"""A log put back into the order in which it was written: by the hashes alone, whatever the file's order is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Record:
    """What is remembered of one entry.

    Attributes:
        number: its place in the file, from one.
        hash: as the entry states it.
        own: the hash of what the entry says; the same object where both are equal.
        before: the hash that it follows, None for a first entry.
    """

    number: int
    id: str
    time: str
    hash: str
    own: str
    before: str | None

    @property
    def holds(self) -> bool:
        return self.hash == self.own


@dataclass
class Links:
    """Who follows whom.

    Attributes:
        firsts: entries without one before.
        orphans: entries whose predecessor is not in the file, by the hash they name.
        next: by an entry's number, the entries that follow it.
        parent: by an entry's number, the entry before it.
        restated: entries whose stated hash is not the one that the next entry names.
    """

    firsts: list[Record] = field(default_factory=list)
    orphans: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    next: dict[int, list[Record]] = field(default_factory=lambda: defaultdict(list))
    parent: dict[int, Record] = field(default_factory=dict)
    restated: set[int] = field(default_factory=set)

    @property
    def starts(self) -> list[Record]:
        return [*self.firsts, *(record for group in self.orphans.values() for record in group)]

    def follow(self, start: Record) -> Iterator[Record]:
        """The entries from this one on, each after the one it follows; those of a fork in the order of the file."""
        waiting, seen = [start], {start.number}
        while waiting:
            record = waiting.pop()
            yield record
            fresh = [child for child in self.next.get(record.number, ()) if child.number not in seen]
            seen.update(child.number for child in fresh)
            waiting.extend(reversed(fresh))


def link(records: list[Record]) -> Links:
    """Find each entry's predecessor, by its stated hash or, where that was changed, by what its content hashes to."""
    found = Links()
    stated: dict[str, Record] = {}
    for record in records:
        if record.hash not in stated or (record.holds and not stated[record.hash].holds):
            stated[record.hash] = record
    meant = {record.own: record for record in records if not record.holds and record.own}
    for record in records:
        before = record.before
        if before is None:
            found.firsts.append(record)
        elif parent := stated.get(before) or meant.get(before):
            found.parent[record.number] = parent
            found.next[parent.number].append(record)
            if before not in stated:
                found.restated.add(parent.number)
        else:
            found.orphans[before].append(record)
    return found


def ordered(links: Links) -> list[Record]:
    """Every entry that a beginning or a fragment leads to, in the order of the chain."""
    return [record for start in links.starts for record in links.follow(start)]


def last_of(links: Links, start: Record) -> tuple[Record, int]:
    """The end of the longest way from an entry on, and how many entries it has."""
    length = {start.number: 1}
    best = start
    for record in links.follow(start):
        here = length[record.number]
        if here > length[best.number]:
            best = record
        for child in links.next.get(record.number, ()):
            length.setdefault(child.number, here + 1)
    return best, length[best.number]
