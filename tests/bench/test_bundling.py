"""The bundle's verifier over a long log: against a loop that only reads, parses, writes and hashes the lines.

Both run in processes of their own, in turn, and are compared by the time of the processor, twice each.
LASTGOOD_BENCH_ENTRIES sets the length of the log.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from incidents.evidence import chain as arithmetic
from incidents.evidence.bundle import verify
from incidents.evidence.bundle.form import indented
from incidents.evidence.merkle import Tree
from incidents.evidence.note import Statement
from tests.incidents.evidence.bundle.making import ACTOR, CHAIN, OURS

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
ENTRIES = int(os.environ.get("LASTGOOD_BENCH_ENTRIES", "200000"))
RATIO = 1.3
MOST_MEMORY = 100 * 1024 * 1024
SIZES = (1, 4711, ENTRIES // 2, ENTRIES)
BARE = """
import hashlib, json, sys
for line in open(sys.argv[1], "rb"):
    text = json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    hashlib.sha256(text.encode()).digest()
"""
# Between this process and the measured one: the kernel counts, as a child's most memory, also its parent's at the fork.
MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
"""


def written(log: Path, number: int) -> dict[int, bytes]:
    """A log of so many notes; returns the checkpoints that were signed of it on the way, by size."""
    body = {"act": "add_note", "incident": "RB-2026-0007", "sentence": "Note @: “projection” lags by @ seconds"}
    said = {"v": 1, "chain": CHAIN, "kind": "note.added", "actor": ACTOR, "body": body, "commits": []}
    content, prev, tree, signed = arithmetic.canonical(said), arithmetic.ZERO, Tree(), {}
    with log.open("wb", buffering=1 << 20) as file:
        for seq in range(1, number + 1):
            entry = content.replace(b"@", b"%d" % seq)
            at = b"2026-11-24T03:12:07.%06dZ" % (seq % 1_000_000 if seq < 1_000_000 else 999_999)
            digest = hashlib.sha256(b"lastgood-entry-v1\n" + entry).hexdigest()
            link = hashlib.sha256(b"lastgood-link-v1\n%d\n%b\n%b\n%b" % (seq, at, prev.encode(), digest.encode()))
            head = link.hexdigest()
            row = (at, entry, head.encode(), prev.encode(), seq)
            file.write(b'{"at":"%b","entry":%b,"hash":"%b","prev":"%b","seq":%d}\n' % row)
            tree.append(link.digest())
            prev = head
            if seq in SIZES:
                statement = Statement(f"{OURS.name}/rollback/{CHAIN}", seq, tree.root(), head)
                signed[seq] = OURS.signed(statement.text).encode()
    return signed


@dataclass(frozen=True)
class Large:
    """A large bundle, unpacked and as a zip."""

    folder: Path
    zip: Path

    @property
    def log(self) -> Path:
        return self.folder / "entries.jsonl"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Large]:
    folder = tmp_path_factory.mktemp("large")
    found = Large(folder, folder.with_suffix(".zip"))
    signed = written(found.log, ENTRIES)
    (folder / "checkpoints").mkdir()
    for size, note in signed.items():
        (folder / "checkpoints" / f"{size:012}.txt").write_bytes(note)
    (folder / "vkey.txt").write_text(f"{OURS.verifier}\n")
    seal(folder)
    with ZipFile(found.zip, "w", ZIP_STORED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(folder).as_posix())
    yield found
    found.zip.unlink()
    found.log.unlink()


def seal(folder: Path) -> None:
    with (folder / "entries.jsonl").open("rb") as file:
        file.seek(-1000, os.SEEK_END)
        last = json.loads(file.read().splitlines()[-1])
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = {
        "v": 1,
        "incident": "RB-2026-0007",
        "product": "portarium",
        "chain": CHAIN,
        "entries": last["seq"],
        "head": last["hash"],
        "made_until": last["at"],
        "files": [
            {"path": path.relative_to(folder).as_posix(), "sha256": sum_of(path), "size": path.stat().st_size}
            for path in files
        ],
    }
    manifest = indented(listed)
    (folder / "MANIFEST.json").write_bytes(manifest)
    note = OURS.signed(f"{OURS.name}/bundle\n{hashlib.sha256(manifest).hexdigest()}\n")
    (folder / "MANIFEST.note").write_text(note, encoding="utf-8")


def sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Ended:
    """How a process ended: its output, processor seconds, and the most memory it held, in bytes."""

    output: str
    seconds: float
    memory: int


def ran(*command: str | Path) -> Ended:
    measured = subprocess.run(
        [sys.executable, "-c", MEASURED, sys.executable, *map(str, command)],
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=200,
    )
    seconds, memory = measured.stderr.split()[-2:]
    return Ended(measured.stdout, float(seconds), int(memory) * 1024)


def test_a_million_entries_take_little_longer_than_reading_and_hashing_them(large: Large) -> None:
    script = verify.__file__
    bare, checks = list[Ended](), list[Ended]()
    for place in (large.folder, large.zip):
        bare.append(ran("-c", BARE, large.log))
        checks.append(ran(script, place, "--json"))

    found = json.loads(checks[0].output)
    assert (found["code"], found["entries"], len(found["checkpoints"])) == (0, ENTRIES, len(SIZES))
    assert json.loads(checks[1].output) == found
    floor, ours = (min(one.seconds for one in some) for some in (bare, checks))
    memory = max(one.memory for one in checks)
    sys.stderr.write(
        f"\nverify.py, {ENTRIES:,} entries: {ours:.1f} s of processor, {ours / floor:.2f} × the bare loop "
        f"({floor:.1f} s), {memory / 1024**2:.0f} MB\n"
    )
    assert ours <= RATIO * floor
    assert memory < MOST_MEMORY


def flipped(path: Path, at: int, bit: int) -> Iterator[bytes]:
    """The file's bytes, one of them changed."""
    start = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            if start <= at < start + len(chunk):
                changed = bytearray(chunk)
                changed[at - start] ^= 1 << bit
                chunk = bytes(changed)
            start += len(chunk)
            yield chunk


def number_of(path: Path, at: int) -> int:
    """Which line a byte is in."""
    found, left = 1, at
    with path.open("rb") as file:
        while chunk := file.read(min(1 << 20, left)):
            found, left = found + chunk.count(b"\n"), left - len(chunk)
    return found


def broken_at(path: Path, at: int, bit: int) -> int | None:
    log = verify.Log()
    log.read(verify.lines(flipped(path, at, bit)))
    return log.broken_at


def places(path: Path, number: int, seed: int) -> list[tuple[int, int]]:
    chance, size = random.Random(seed), path.stat().st_size
    return [(chance.randrange(size), chance.randrange(8)) for _ in range(number)]


def test_each_of_a_hundred_flipped_bytes_is_found_where_it_is(tmp_path: Path) -> None:
    """On 20,000 entries; the test below does the same on the large log, which takes longer for each."""
    log = tmp_path / "entries.jsonl"
    written(log, 20_000)

    wrong = {(at, bit): broken_at(log, at, bit) for at, bit in places(log, 100, 1)}

    assert {place: seq for place, seq in wrong.items() if seq != number_of(log, place[0])} == {}


@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_byte_among_a_million_entries_is_found_where_it_is(large: Large, seed: int) -> None:
    [(at, bit)] = places(large.log, 1, seed)

    assert broken_at(large.log, at, bit) == number_of(large.log, at)
