"""RFC 6962 Merkle trees over the hashes of entries. Pure: a tree is known by its frontier, not by its leaves.

The frontier of a tree holds the roots of its complete subtrees, largest first: one for each 1 in the binary form of
its size. Appending a leaf costs at most log2(size) hashes, and the root of the next size needs no leaf before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass
class Tree:
    """A growing tree.

    Attributes:
        size: how many leaves it has.
        frontier: roots of its complete subtrees, largest first, 32 bytes each.
    """

    size: int = 0
    frontier: list[bytes] = field(default_factory=list)

    @classmethod
    def stored(cls, size: int, frontier: bytes) -> Tree:
        """A tree as `packed` wrote it.

        Raises:
            ValueError: the frontier is none of a tree of this size.
        """
        if len(frontier) != size.bit_count() * HASH_BYTES:
            raise ValueError(f"A tree of {size} leaves has a frontier of {size.bit_count()} hashes.")
        return cls(size, [frontier[at : at + HASH_BYTES] for at in range(0, len(frontier), HASH_BYTES)])

    def packed(self) -> bytes:
        return b"".join(self.frontier)

    def append(self, data: bytes) -> None:
        """Add a leaf by its data; for an entry, the 32 bytes of its hash."""
        current, complete = leaf_hash(data), self.size
        while complete & 1:
            current = node_hash(self.frontier.pop(), current)
            complete >>= 1
        self.frontier.append(current)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        for data in leaves:
            self.append(data)

    def root(self) -> bytes:
        """The Merkle tree hash (RFC 6962, 2.1)."""
        if not self.frontier:
            return EMPTY_ROOT
        found, *larger = reversed(self.frontier)
        for left in larger:
            found = node_hash(left, found)
        return found
