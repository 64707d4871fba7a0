"""One pass over a chain: does each entry hold, and is it still what earlier checkpoints said?

Exit codes of the command, of the bundle's verifier and here are the same: 0 holds, 1 broken, 2 truncated or forked,
3 a signature does not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from incidents.evidence import chain as arithmetic
from incidents.evidence.merkle import EMPTY_ROOT, Tree
from incidents.evidence.note import NotANote, NotSigned, Statement, VerifierKey, opened

HOLDS, BROKEN, TRUNCATED, BAD_SIGNATURE = range(4)
STEP = 10_000


class Match(StrEnum):
    """How a chain stands to what a checkpoint said of it."""

    HOLDS = "holds"
    CUT = "cut"
    REWRITTEN = "rewritten"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Comparison:
    """One checkpoint against the chain, as a sentence."""

    statement: Statement
    match: Match
    sentence: str


@dataclass(frozen=True)
class Finding:
    """What a verification found.

    Attributes:
        verdict: of the entries alone.
        compared: one for each checkpoint, in their order.
        unsigned: sentences about notes that are none, or whose signature does not fit.
        tree: the Merkle tree over the entries that hold.
    """

    verdict: arithmetic.Verdict
    compared: Sequence[Comparison]
    unsigned: Sequence[str]
    tree: Tree

    @property
    def code(self) -> int:
        if not self.verdict.is_intact:
            return BROKEN
        if any(found.match != Match.HOLDS for found in self.compared):
            return TRUNCATED
        return BAD_SIGNATURE if self.unsigned else HOLDS


def check(
    chain_id: str,
    lines: Iterable[arithmetic.Line],
    notes: Sequence[str] = (),
    keys: Sequence[VerifierKey] = (),
    *,
    known: Sequence[Statement] = (),
    with_tree: bool = False,
) -> Finding:
    """Walk a chain once, from its first entry, in constant memory.

    Args:
        notes: signed checkpoints that somebody kept, as text.
        keys: whose signatures count.
        known: checkpoints whose signature was checked already.
        with_tree: whether the tree is asked for; without, it grows only where a checkpoint needs its root.
    """
    for found in in_steps(chain_id, lines, notes, keys, known=known, with_tree=with_tree):
        if isinstance(found, Finding):
            return found
    raise AssertionError("in_steps ends with a finding")


def in_steps(
    chain_id: str,
    lines: Iterable[arithmetic.Line],
    notes: Sequence[str] = (),
    keys: Sequence[VerifierKey] = (),
    *,
    known: Sequence[Statement] = (),
    with_tree: bool = False,
) -> Iterator[int | Finding]:
    """The same as `check`, telling now and then how many entries were walked; the last thing told is the finding."""
    signed, unsigned = _read(notes, keys)
    statements = [*known, *signed]
    with_tree = with_tree or bool(signed) or any(not statement.head for statement in statements)
    marks = Marks({statement.size for statement in statements}, Tree() if with_tree else None)
    count, head, fault = 0, arithmetic.ZERO, ""
    for line in lines:
        if fault := arithmetic.fault(line, count + 1, head):
            break
        count, head = line.seq, line.hash
        marks.pass_by(line)
        if not count % STEP:
            yield count
    verdict = arithmetic.Verdict(count, head, line.seq, fault) if fault else arithmetic.Verdict(count, head)
    compared = [_compare(chain_id, verdict, statement, marks) for statement in statements]
    yield Finding(verdict, _narrowed(compared), unsigned, marks.tree or Tree())


def _read(notes: Sequence[str], keys: Sequence[VerifierKey]) -> tuple[list[Statement], list[str]]:
    statements, unsigned = list[Statement](), list[str]()
    for note in notes:
        try:
            statements.append(Statement.read(opened(note, list(keys))))
        except (NotANote, NotSigned) as error:
            unsigned.append(str(error))
    return statements, unsigned


class Marks:
    """Of the entries that pass by, what checkpoints of certain sizes are compared with."""

    def __init__(self, sizes: set[int], tree: Tree | None) -> None:
        self.tree = tree
        self.heads: dict[int, str] = {0: arithmetic.ZERO}
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}
        self._sizes = sizes

    def pass_by(self, line: arithmetic.Line) -> None:
        if self.tree is not None:
            self.tree.append(bytes.fromhex(line.hash))
        if line.seq in self._sizes:
            self.heads[line.seq] = line.hash
            if self.tree is not None:
                self.roots[line.seq] = self.tree.root()


def _compare(chain_id: str, verdict: arithmetic.Verdict, statement: Statement, marks: Marks) -> Comparison:
    size, count = statement.size, verdict.count
    if statement.chain != chain_id:
        return Comparison(statement, Match.ELSEWHERE, f"This checkpoint speaks of another log, {statement.chain}.")
    if size > count:
        if not verdict.is_intact:
            return Comparison(statement, Match.CUT, f"Entry {size} was signed, and the log holds only up to {count}.")
        what = f"Entry {size} was" if size == count + 1 else f"Entries {count + 1} to {size} were"
        return Comparison(statement, Match.CUT, f"{what} cut off: {size} entries were signed, {count} are there.")
    head_fits = not statement.head or marks.heads[size] == statement.head
    if not head_fits or marks.roots.get(size, statement.root) != statement.root:
        return Comparison(statement, Match.REWRITTEN, f"Entries 1 to {size} are not those that were signed.")
    added = count - size
    since = "nothing was added since" if not added else f"{added} {'was' if added == 1 else 'were'} added since"
    return Comparison(statement, Match.HOLDS, f"Entries 1 to {size} are as they were signed; {since}.")


def _narrowed(compared: list[Comparison]) -> list[Comparison]:
    """Where an older checkpoint holds, what was rewritten lies after it."""
    holding = [found.statement.size for found in compared if found.match == Match.HOLDS]
    return [
        Comparison(found.statement, found.match, _rewritten(found.statement.size, max(before)))
        if found.match == Match.REWRITTEN and (before := [size for size in holding if size < found.statement.size])
        else found
        for found in compared
    ]


def _rewritten(size: int, held: int) -> str:
    return f"Entries 1 to {held} are as they were signed; entries {held + 1} to {size} were rewritten."
