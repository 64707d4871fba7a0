#!/usr/bin/env python3
"""Check an evidence bundle of Lastgood, without the portal that made it and without a network.

    python3 verify.py                               the unpacked folder that this file lies in
    python3 verify.py BUNDLE.zip                    the zip as it came, or another folder
    python3 verify.py --checkpoint MAIL.eml         compare with a checkpoint that you kept: the note, or the mail
    python3 verify.py --vkey 'name+hash+key'        trust this key, not the one that came in the bundle

It needs Python 3.9 or later and nothing else. It ends with

    0   everything holds
    1   broken: an entry, a file, the manifest, an update's words or a personal value is not what was recorded
    2   truncated or forked: the log is not what a checkpoint or the manifest says it was
    3   a signature is missing, wrong, or by nobody who is trusted
    64  used wrongly

Where several hold, the smaller of 1, 2 and 3 counts. README.txt beside this file says what a bundle holds.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import os
import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

OK, BROKEN, TRUNCATED, BAD_SIGNATURE, USAGE = 0, 1, 2, 3, 64
VERDICTS = {OK: "holds", BROKEN: "broken", TRUNCATED: "truncated or forked", BAD_SIGNATURE: "bad signature"}
ZERO = "0" * 64
CHUNK = 1 << 20
LONGEST_LINE = 1 << 26
LARGEST_SMALL_FILE = 1 << 28
MOST_SHOWN = 20


class Fault(Exception):
    """Something does not hold; the message is a sentence."""


# Ed25519 (RFC 8032), strict: only s < L, only canonical points, no key of small order -------------------------------

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
_NEUTRAL = (0, 1, 1, 0)
Point = tuple[int, int, int, int]


def _sum(a: Point, b: Point) -> Point:
    """Of two points in extended coordinates (RFC 8032, 5.1.4); it doubles as well."""
    low, high = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    t, z = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = high - low, z - t, z + t, high + low
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _point(encoded: bytes) -> Point | None:
    y, sign = int.from_bytes(encoded, "little") & ((1 << 255) - 1), encoded[31] >> 7
    if y >= _P:
        return None
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if (v * x * x - u) % _P:
        x = x * _ROOT % _P
    if (v * x * x - u) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _encoded(point: Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little")) or _NEUTRAL


def _is_small(point: Point) -> bool:
    for _ in range(3):
        point = _sum(point, point)
    return bool(point[0] == 0 and point[1] == point[2])


def ed25519_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether this key signed this message: R = [s]B - [k]A, compared as bytes."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, s = _point(public), int.from_bytes(signature[32:], "little")
    if key is None or _is_small(key) or s >= _L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    minus = (_P - key[0], key[1], 1, _P - key[3])
    steps = (_NEUTRAL, _BASE, minus, _sum(_BASE, minus))
    found = _NEUTRAL
    for bit in range(252, -1, -1):
        found = _sum(found, found)
        if step := (s >> bit & 1) | (k >> bit & 1) << 1:
            found = _sum(found, steps[step])
    return _encoded(found) == signature[:32]


# Merkle tree (RFC 6962), known by the roots of its complete subtrees ------------------------------------------------


class Tree:
    """A tree that grows by leaves; its size and root can be asked at any time."""

    def __init__(self) -> None:
        self.size = 0
        self._frontier: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        current, complete = hashlib.sha256(b"\x00" + leaf).digest(), self.size
        while complete & 1:
            current = hashlib.sha256(b"\x01" + self._frontier.pop() + current).digest()
            complete >>= 1
        self._frontier.append(current)
        self.size += 1

    def root(self) -> bytes:
        if not self._frontier:
            return hashlib.sha256(b"").digest()
        found = self._frontier[-1]
        for left in reversed(self._frontier[:-1]):
            found = hashlib.sha256(b"\x01" + left + found).digest()
        return found


# Keys, signed notes and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint) --------------------------------

_SIGNED_BY = "\u2014 "
_NAME = re.compile(r"[!-*,-~]{1,200}")


class Key(NamedTuple):
    """A public key under a name."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n\x01" + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}"


class Checkpoint(NamedTuple):
    """What a checkpoint says of a log."""

    chain: str
    size: int
    root: bytes
    head: str


def strict_base64(text: str) -> bytes | None:
    """The bytes, where the text is the one way to write them."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


def read_key(text: str) -> Key:
    """A verifier key: `name+hash+key`, for Ed25519."""
    name, _, rest = text.partition("+")
    hashed, _, encoded = rest.partition("+")
    raw = strict_base64(encoded)
    if raw is None or len(raw) != 33 or raw[0] != 1 or not _NAME.fullmatch(name):
        raise Fault("This is no verifier key for Ed25519: it has the form name+hash+key.")
    found = Key(name, raw[1:])
    if hashed != found.id.hex():
        raise Fault("This verifier key is damaged: its hash is not its own.")
    return found


def opened(note: str, keys: Sequence[Key]) -> tuple[str, Key]:
    """A note's text and who signed it, once a trusted key's signature is found to hold."""
    text, signatures = _parts(note)
    trusted = {(key.name, key.id): key for key in keys}
    known = [(trusted[name, raw[:4]], raw[4:]) for name, raw in signatures if (name, raw[:4]) in trusted]
    if not known:
        names = ", ".join(sorted({name for name, _ in signatures}))
        raise Fault(f"The note is signed by {names}, by no key that is trusted here.")
    for key, signature in known:
        if not ed25519_holds(key.public, text.encode(), signature):
            raise Fault(f"The signature of {key.name} does not fit the note: it was changed, or forged.")
    return text, known[0][0]


def _parts(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    text, blank, rest = note.rpartition("\n\n")
    if len(note) > 1_000_000 or re.search("[\x00-\x09\x0b-\x1f]", note) or not blank or not rest.endswith("\n"):
        raise Fault("This is no signed note: text, a blank line and signatures are expected.")
    return text + "\n", [_signature(line) for line in rest[:-1].split("\n")]


def _signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line[len(_SIGNED_BY) :].partition(" ")
    raw = strict_base64(encoded)
    if not line.startswith(_SIGNED_BY) or not _NAME.fullmatch(name) or raw is None or len(raw) < 5:
        raise Fault("A signature line of the note is malformed.")
    return name, raw


def read_checkpoint(text: str) -> Checkpoint:
    """What a note's text says, if it is a checkpoint."""
    origin, size, root, *others = [*text.split("\n"), "", ""]
    raw = strict_base64(root)
    if not origin or not re.fullmatch("0|[1-9][0-9]{0,14}", size) or raw is None or len(raw) != 32:
        raise Fault("This note is no checkpoint: origin, size and root are expected.")
    heads = [line[5:] for line in others if line.startswith("head ")]
    return Checkpoint(origin.rpartition("/")[2], int(size), raw, heads[0] if heads else "")


def note_in(content: bytes) -> str:
    """The text of a checkpoint in what people keep: the note, or a mail with `checkpoint.txt`."""
    found = content
    if b"\ncontent-type:" in b"\n" + content[:65536].lower():
        message = message_from_bytes(content)
        parts = [part for part in message.walk() if part.get_filename() == "checkpoint.txt"]
        payload = parts[0].get_payload(decode=True) if parts else None
        found = payload if isinstance(payload, bytes) else content
    return found.decode("utf-8", "replace").replace("\r\n", "\n")


def envelope_bytes(kind: str, payload: bytes) -> bytes:
    """What a DSSE envelope signs."""
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)


# JSON in the one form that the bundle writes ------------------------------------------------------------------------

_DEEPEST = 20


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _whole(text: str) -> int:
    found = int(text) if len(text) < 18 else _refuse(text)
    return found if abs(found) < 2**53 else _refuse(text)


_parse = json.JSONDecoder(parse_float=_refuse, parse_int=_whole, parse_constant=_refuse).raw_decode
_FORM: dict[str, Any] = {"sort_keys": True, "ensure_ascii": False, "allow_nan": False}
_indented = json.JSONEncoder(indent=2, **_FORM).encode


def _writer() -> Callable[[Any], str]:
    """What writes compact JSON. The usual encoder makes its inner one anew at each call, a third of all its time."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return json.JSONEncoder(separators=(",", ":"), **_FORM).encode
    inner = make(None, _refuse, json.encoder.encode_basestring, None, ":", ",", True, False, False)
    return lambda value: "".join(inner(value, 0))


compact = _writer()


def parsed(content: bytes, write: Callable[[Any], str] = compact) -> Any:
    """The value, where these bytes are the one way to write it: no key twice, no float, no space of one's own."""
    try:
        text = content.decode()
        value, _ = _parse(text)
        if write(value) != text:
            raise ValueError
    except (ValueError, RecursionError):
        raise Fault("This is not JSON as a bundle writes it.") from None
    if content.count(b"[") + content.count(b"{") > _DEEPEST and not _is_flat(value):
        raise Fault("This JSON nests too deep.")
    return value


def _is_flat(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST + 1):
        level = [item for value in level for item in _inside(value)]
    return not level


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def document(content: bytes) -> Any:
    """A JSON file of the bundle: indented for people, with a line feed at its end."""
    if not content.endswith(b"\n"):
        raise Fault("This is not JSON as a bundle writes it.")
    return parsed(content[:-1], _indented)


# The log ------------------------------------------------------------------------------------------------------------

_ENTRY = frozenset({"actor", "body", "chain", "commits", "kind", "v"})
_AT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_LINE = re.compile(
    rb'\{"at":"[^"]*","entry":.*,"hash":"[0-9a-f]{64}","prev":"([0-9a-f]{64})","seq":([1-9][0-9]{0,14})\}', re.DOTALL
)


def _is_entry(value: Any) -> bool:
    return (
        type(value) is dict
        and value.keys() == _ENTRY
        and type(value["v"]) is int
        and value["v"] == 1
        and type(value["chain"]) is str
        and type(value["kind"]) is str
        and type(value["body"]) is dict
        and type(value["commits"]) is list
    )


class Log:
    """A log as it passes by, line after line, in constant memory. It stops at the first line that does not hold."""

    def __init__(self, sizes: Iterable[int] = ()) -> None:
        self.count, self.chain, self.fault = 0, "", ""
        self._head, self._at = ZERO.encode(), b""
        self.tree = Tree()
        self.heads: dict[int, str] = {0: ZERO}
        self.roots: dict[int, bytes] = {0: self.tree.root()}
        self._sizes = frozenset(sizes)

    @property
    def head(self) -> str:
        """The hash of the last entry that holds."""
        return self._head.decode()

    @property
    def broken_at(self) -> int | None:
        return self.count + 1 if self.fault else None

    def read(self, lines: Iterable[bytes], seen: Callable[[int, Any], None] | None = None) -> None:
        """Walk all lines. `seen` is told the number and the content of each entry that holds."""
        try:
            for line in lines:
                entry = self._take(line)
                if seen:
                    seen(self.count, entry)
        except Fault as fault:
            self.fault = str(fault)

    def _take(self, line: bytes) -> Any:
        seq, before = self.count + 1, self._head
        tail = b'","prev":"%b","seq":%d}' % (before, seq)
        end = len(line) - len(tail)
        at, content, head = line[7:34], line[44 : end - 73], line[end - 64 : end]
        frame = line[:7], line[34:44], line[end - 73 : end - 64]
        if not line.endswith(tail) or end < 118 or frame != (b'{"at":"', b'","entry":', b',"hash":"'):
            raise Fault(self._misplaced(line, seq))
        digest = hashlib.sha256(b"lastgood-entry-v1\n" + content).hexdigest().encode()
        link = hashlib.sha256(b"lastgood-link-v1\n%d\n%b\n%b\n%b" % (seq, at, before, digest))
        if link.hexdigest().encode() != head:
            raise Fault(f"Entry {seq} was changed after it was written.")
        entry = self._content(seq, at, content)
        self.count, self._head, self._at = seq, head, at
        self.tree.append(link.digest())
        if seq in self._sizes:
            self.heads[seq], self.roots[seq] = self.head, self.tree.root()
        return entry

    def _misplaced(self, line: bytes, seq: int) -> str:
        found = _LINE.fullmatch(line)
        if found is None:
            return f"Entry {seq} is not written as the log writes it."
        if int(found[2]) != seq:
            return f"Entry {seq} is missing: the next one found is {int(found[2])}."
        if found[1] != self._head:
            return f"Entry {seq} does not follow the one before it."
        return f"Entry {seq} is not written as the log writes it."

    def _content(self, seq: int, at: bytes, content: bytes) -> Any:
        """What only a log that was forged from its beginning can get wrong."""
        try:
            entry = parsed(content)
        except Fault:
            raise Fault(f"Entry {seq} is not written as the log writes it.") from None
        if not _is_entry(entry) or not _AT.fullmatch(at):
            raise Fault(f"Entry {seq} is not written as the log writes it.")
        if at < self._at:
            raise Fault(f"Entry {seq} is earlier than the one before it.")
        if entry["chain"] != self.chain:
            if self.chain:
                raise Fault(f"Entry {seq} belongs to another log.")
            self.chain = entry["chain"]
        return entry


def _were(count: int, last: int) -> str:
    """The entries after `count`, up to `last`, as a sentence begins."""
    return f"Entry {last} was" if last == count + 1 else f"Entries {count + 1} to {last} were"


def compared(log: Log, said: Checkpoint) -> tuple[str, str]:
    """How a log stands to a checkpoint: a word and a sentence."""
    if said.chain != log.chain and log.count:
        return "elsewhere", f"This checkpoint speaks of another log, {_shown(said.chain)}."
    if said.size > log.count:
        if log.fault:
            return "cut", f"Entry {said.size} was signed, and the log holds only up to {log.count}."
        gone = f"{_were(log.count, said.size)} cut off"
        return "cut", f"{gone}: {said.size} entries were signed, {log.count} are there."
    if log.roots[said.size] != said.root or (said.head and log.heads[said.size] != said.head):
        return "rewritten", f"Entries 1 to {said.size} are not those that were signed."
    added = log.count - said.size
    since = f"{added} {'was' if added == 1 else 'were'} added since" if added else "nothing was added since"
    return "holds", f"{_begun(said.size)}; {since}."


def _rewritten(held: int, size: int) -> str:
    return f"{_begun(held)}; {_were(held, size).lower()} rewritten."


def _begun(size: int) -> str:
    return "Entry 1 is as it was signed" if size == 1 else f"Entries 1 to {size} are as they were signed"


def _shown(text: str) -> str:
    """Text of others, as far as it can be shown."""
    return text if re.fullmatch("[ -~]{1,200}", text) else "of a strange name"


# Where a bundle lies ------------------------------------------------------------------------------------------------

_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,3}")
_FOLDERS = ("attachments", "checkpoints", "notices")


class Folder:
    """An unpacked bundle. Beside it may lie what is not of it."""

    is_sealed = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self.faults: list[str] = []
        found = [*path.iterdir(), *(file for name in _FOLDERS for file in path.glob(f"{name}/**/*"))]
        files = [file for file in found if file.is_file() and not file.is_symlink()]
        self.names = {file.relative_to(path).as_posix() for file in files}

    def chunks(self, name: str) -> Iterator[bytes]:
        try:
            with (self._path / name).open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except OSError:
            raise Fault(f"{name} cannot be read.") from None


class _Member(NamedTuple):
    start: int
    stored: int
    size: int
    deflated: bool


class Zip:
    """A bundle as it came. Its own small reader: sums in the zip are no evidence, and a damaged part is still read."""

    is_sealed = True
    _DAMAGED = "This is no bundle: its zip is damaged, or it is no zip at all."

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        self.faults: list[str] = []
        self._members: dict[str, _Member] = {}
        try:
            self._list(*self._directory())
        except (Fault, struct.error, OverflowError, OSError):
            self._members, self.faults = {}, [self._DAMAGED]
        self.names: set[str] = set(self._members)

    def _at(self, start: int, length: int) -> bytes:
        if start < 0 or start + length > self._size:
            raise Fault(self._DAMAGED)
        self._file.seek(start)
        return self._file.read(length)

    def _directory(self) -> tuple[int, int, int]:
        """Where the list of members begins, its length, and how many they are."""
        length = min(self._size, 65557)
        tail = self._at(self._size - length, length)
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or length - at < 22:
            raise Fault(self._DAMAGED)
        count, size, start, comment = struct.unpack("<HIIH", tail[at + 10 : at + 22])
        if at + 22 + comment != length:
            raise Fault(self._DAMAGED)
        if count == 0xFFFF or 0xFFFFFFFF in (size, start):
            locator = self._at(self._size - length + at - 20, 20)
            if locator[:4] != b"PK\x06\x07":
                raise Fault(self._DAMAGED)
            found = self._at(struct.unpack("<Q", locator[8:16])[0], 56)
            if found[:4] != b"PK\x06\x06":
                raise Fault(self._DAMAGED)
            count, size, start = struct.unpack("<QQQ", found[32:56])
        return start, size, count

    def _list(self, start: int, size: int, count: int) -> None:
        listing, at = self._at(start, size), 0
        for _ in range(count):
            if listing[at : at + 4] != b"PK\x01\x02":
                raise Fault(self._DAMAGED)
            flags, method = struct.unpack("<HH", listing[at + 8 : at + 12])
            stored, real, named, extra, comment = struct.unpack("<IIHHH", listing[at + 20 : at + 34])
            place = struct.unpack("<I", listing[at + 42 : at + 46])[0]
            name = listing[at + 46 : at + 46 + named]
            more = listing[at + 46 + named : at + 46 + named + extra]
            real, stored, place = _widened(more, real, stored, place)
            at += 46 + named + extra + comment
            self._keep(name, _Member(self._body(place, name, stored), stored, real, method == 8), flags, method)
        if at != size:
            raise Fault(self._DAMAGED)

    def _body(self, place: int, name: bytes, stored: int) -> int:
        local = self._at(place, 30)
        named, extra = struct.unpack("<HH", local[26:30])
        start: int = place + 30 + named + extra
        if local[:4] != b"PK\x03\x04" or self._at(place + 30, named) != name or start + stored > self._size:
            raise Fault(self._DAMAGED)
        return start

    def _keep(self, raw: bytes, member: _Member, flags: int, method: int) -> None:
        name = raw.decode("latin-1")
        if name.endswith("/") and not member.size and _PATH.fullmatch(name[:-1]):
            return
        if not _PATH.fullmatch(name):
            self.faults.append("A file in the zip has a name that no bundle uses.")
        elif name in self._members:
            self.faults.append(f"{name} stands in the zip twice.")
        elif flags & 1 or method not in (0, 8) or (method == 0 and member.stored != member.size):
            raise Fault(self._DAMAGED)
        else:
            self._members[name] = member

    def chunks(self, name: str) -> Iterator[bytes]:
        member = self._members[name]
        pieces = self._pieces(member.start, member.stored)
        return _inflated(pieces, member.size, name) if member.deflated else pieces

    def _pieces(self, start: int, length: int) -> Iterator[bytes]:
        while length:
            piece = self._at(start, min(CHUNK, length))
            start, length = start + len(piece), length - len(piece)
            yield piece


def _widened(extra: bytes, real: int, stored: int, place: int) -> tuple[int, int, int]:
    """Sizes and place, from the ZIP64 field where they do not fit."""
    found, at = [real, stored, place], 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack("<HH", extra[at : at + 4])
        if kind == 1:
            wide = [index for index, value in enumerate(found) if value == 0xFFFFFFFF]
            for turn, index in enumerate(wide):
                found[index] = struct.unpack("<Q", extra[at + 4 + 8 * turn : at + 12 + 8 * turn])[0]
        at += 4 + length
    return found[0], found[1], found[2]


def _inflated(pieces: Iterator[bytes], size: int, name: str) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-15)
    try:
        for piece in pieces:
            while piece:
                chunk = inflater.decompress(piece, CHUNK)
                piece, size = inflater.unconsumed_tail, size - len(chunk)
                if size < 0 or inflater.unused_data:
                    raise Fault(f"{name} cannot be read.")
                yield chunk
    except zlib.error:
        raise Fault(f"{name} cannot be read.") from None
    rest = inflater.flush()
    yield rest
    if size != len(rest) or not inflater.eof:
        raise Fault(f"{name} cannot be read.")


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their line feed; a last one that has none is given one, so that no reader takes it for a line."""
    rest = b""
    for chunk in chunks:
        pieces = (rest + chunk).split(b"\n")
        rest = pieces.pop()
        yield from pieces
        if len(rest) > LONGEST_LINE:
            break
    if rest:
        yield rest + b"\n"


# The bundle ---------------------------------------------------------------------------------------------------------


class Finding(NamedTuple):
    """What does not hold, how grave that is, and at which entry."""

    code: int
    sentence: str
    seq: int | None = None


class Held(NamedTuple):
    """A checkpoint, where it came from, and how the log stands to it."""

    source: str
    size: int
    match: str
    sentence: str


class Noted(NamedTuple):
    """An entry that something else in the bundle has to agree with."""

    seq: int
    kind: str
    body: Any


class Rest(NamedTuple):
    """The entry that a signed statement rests on."""

    number: int
    seq: int
    hash: str


class Private:
    """Personal values, read beside the log in its order, and compared with what its entries commit to."""

    def __init__(self, rows: Iterator[bytes]) -> None:
        self.findings: list[Finding] = []
        self._rows = enumerate(rows, start=1)
        self.seq = 0
        self._row: Any = None
        self._advance()

    def _advance(self) -> None:
        """To the next row; a damaged one is the last that is looked at."""
        number, raw = next(self._rows, (0, b""))
        self._row, before, self.seq = None, self.seq, 0
        if not number:
            return
        try:
            self._row = _private(parsed(raw), before)
            self.seq = self._row["seq"]
        except Fault:
            self.findings.append(Finding(BROKEN, f"private.jsonl is damaged in line {number}."))

    def check(self, seq: int, entry: Any) -> None:
        while self.seq == seq:
            row = self._row
            text = compact([entry["chain"], row["path"], row["salt"], row["value"]])
            commit = hashlib.sha256(b"lastgood-commit-v1\n" + text.encode()).hexdigest()
            if {"commit": commit, "path": row["path"]} not in entry["commits"]:
                sentence = f"The personal value “{row['path']}” is not the one that entry {seq} commits to."
                self.findings.append(Finding(BROKEN, sentence, seq))
            self._advance()

    def end(self, log: Log) -> None:
        if self.seq > log.count and not log.fault:
            sentence = f"private.jsonl speaks of entry {self.seq}, which the log does not hold."
            self.findings.append(Finding(BROKEN, sentence))


def _private(row: Any, before: int) -> Any:
    if (
        type(row) is not dict
        or row.keys() != {"path", "salt", "seq", "value"}
        or not _is_text(row["path"], "[A-Za-z0-9_.:-]{1,80}")
        or not _is_text(row["salt"], "[0-9a-f]{64}")
        or type(row["value"]) is not str
        or type(row["seq"]) is not int
        or row["seq"] < max(before, 1)
    ):
        raise Fault("")
    return row


def _is_text(value: Any, pattern: str) -> bool:
    return type(value) is str and re.fullmatch(pattern, value) is not None


_HASH = "[0-9a-f]{64}"
_MANIFEST = {"chain", "entries", "files", "head", "incident", "made_until", "product", "v"}


def _manifest(value: Any) -> Any:
    if type(value) is not dict or value.keys() != _MANIFEST or type(value["v"]) is not int or value["v"] != 1:
        raise Fault("")
    texts = all(_is_text(value[name], "[ -~]{0,200}") for name in ("chain", "incident", "made_until", "product"))
    if not texts or not _is_text(value["head"], _HASH) or not _is_count(value["entries"]):
        raise Fault("")
    rows = value["files"]
    if type(rows) is not list or not all(map(_is_file, rows)):
        raise Fault("")
    paths = [row["path"] for row in rows]
    if paths != sorted(set(paths)):
        raise Fault("")
    return value


def _rows(manifest: Any, path: str) -> list[Any]:
    return [row for row in manifest["files"] if row["path"] == path]


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_file(row: Any) -> bool:
    return (
        type(row) is dict
        and row.keys() == {"path", "sha256", "size"}
        and _is_text(row["path"], _PATH.pattern)
        and _is_text(row["sha256"], _HASH)
        and _is_count(row["size"])
    )


_STATEMENT = "https://in-toto.io/Statement/v1"
_STATES = ("present", "erased", "damaged", "withheld")


def _attachments(value: Any) -> dict[str, str]:
    """The state of each file, by its hash."""
    if type(value) is not list or not all(
        type(row) is dict and _is_text(row.get("sha256"), _HASH) and row.get("state") in _STATES for row in value
    ):
        raise Fault("")
    return {row["sha256"]: row["state"] for row in value}


class Check:
    """One check of a bundle from beginning to end; what it finds stands in its attributes.

    Args:
        kept: checkpoints that the reader kept: where each is from, and its bytes.
        keys: whose signatures count; where there are none, those of the keys that came in the bundle.
    """

    def __init__(self, place: Folder | Zip, kept: Sequence[tuple[str, bytes]] = (), keys: Sequence[Key] = ()) -> None:
        self._place, self._kept = place, kept
        self.keys, self.are_given = list(keys), bool(keys)
        self.signed_by: Key | None = None
        self.findings: list[Finding] = []
        self.remarks: list[str] = []
        self.checkpoints: list[Held] = []
        self.manifest: Any = {}
        self.log = Log()
        self._names = set(place.names)
        self._sums: dict[str, str] = {}
        self._rests: list[Rest] = []
        self._noted: list[Noted] = []

    def run(self) -> Check:
        for sentence in self._place.faults:
            self._broken(sentence)
        if not self._place.names:
            return self
        self._sum_up()
        self._read_keys()
        self._read_manifest()
        self._check_files()
        self._read_statements()
        said = self._read_checkpoints()
        self._walk({checkpoint.size for _, checkpoint in said})
        self._compare_manifest()
        self._compare(said)
        self._check_rests()
        self._check_attachments()
        self._check_notices()
        self._check_custody()
        self._check_people()
        return self

    @property
    def code(self) -> int:
        return min([finding.code for finding in self.findings], default=OK)

    @property
    def broken_at(self) -> int | None:
        """The first entry that does not hold, or that something else in the bundle contradicts."""
        return min((found.seq for found in self.findings if found.code == BROKEN and found.seq), default=None)

    def _broken(self, sentence: str, seq: int | None = None) -> None:
        self.findings.append(Finding(BROKEN, sentence, seq))

    def _truncated(self, sentence: str) -> None:
        self.findings.append(Finding(TRUNCATED, sentence))

    def _unsigned(self, sentence: str) -> None:
        self.findings.append(Finding(BAD_SIGNATURE, sentence))

    def _has(self, name: str) -> bool:
        return name in self._names

    def _below(self, folder: str) -> list[str]:
        return sorted(name for name in self._names if name.startswith(f"{folder}/"))

    def _sum_up(self) -> None:
        """Hash every file. One that cannot be read to its end is said to be so, and not looked at again."""
        for name in sorted(self._place.names):
            digest = hashlib.sha256()
            try:
                for chunk in self._place.chunks(name):
                    digest.update(chunk)
                self._sums[name] = digest.hexdigest()
            except Fault:
                self._broken(f"{_shown(name)} cannot be read.")
                self._names.remove(name)

    def _content(self, name: str) -> bytes:
        pieces, size = [], 0
        for chunk in self._place.chunks(name) if self._has(name) else ():
            pieces.append(chunk)
            size += len(chunk)
            if size > LARGEST_SMALL_FILE:
                raise Fault(f"{name} is too large.")
        return b"".join(pieces)

    def _lines(self, name: str) -> Iterator[bytes]:
        return lines(self._place.chunks(name)) if self._has(name) else iter(())

    # Who signed, and what

    def _read_keys(self) -> None:
        if self.are_given:
            return
        try:
            text = self._content("vkey.txt").decode("utf-8", "replace")
            self.keys = [read_key(line) for line in text.split("\n") if line]
            if not self.keys:
                raise Fault("No key came with this bundle.")
        except Fault as fault:
            self._unsigned(f"vkey.txt: {fault}")

    def _read_manifest(self) -> None:
        if "MANIFEST.json" not in self._place.names:
            return self._broken("MANIFEST.json is missing.")
        try:
            content = self._content("MANIFEST.json")
            self.manifest = _manifest(document(content))
        except Fault:
            return self._broken("MANIFEST.json is no manifest of a bundle.")
        if not self._has("MANIFEST.note"):
            return self._unsigned("MANIFEST.note is missing: nobody signed the manifest.")
        try:
            text, self.signed_by = opened(self._content("MANIFEST.note").decode("utf-8", "replace"), self.keys)
        except Fault as fault:
            return self._unsigned(f"MANIFEST.note: {fault}")
        if text != f"{self.signed_by.name}/bundle\n{hashlib.sha256(content).hexdigest()}\n":
            self._broken("MANIFEST.json is not the manifest that was signed.")
        return None

    def _check_files(self) -> None:
        named = {row["path"]: row["sha256"] for row in self.manifest.get("files", ())}
        for name, sha256 in named.items():
            if name not in self._place.names:
                self._broken(f"{name} is missing.")
            elif name != "entries.jsonl" and self._sums.get(name, sha256) != sha256:
                self._broken(f"{name} was changed: its SHA-256 is not the one that the manifest names.")
        for name in sorted(self._place.names - named.keys() - {"MANIFEST.json", "MANIFEST.note"}):
            self._beside(name)

    def _beside(self, name: str) -> None:
        if self.manifest and self._place.is_sealed:
            self._broken(f"{name} is not named by the manifest.")
        elif self.manifest and _PATH.fullmatch(name):
            self.remarks.append(f"{name} lies beside the bundle and is not part of it.")

    def _read_statements(self) -> None:
        for number, line in enumerate(self._lines("statements.jsonl"), start=1):
            try:
                self._read_statement(number, line)
            except (Fault, TypeError, KeyError, ValueError, AttributeError):
                self._broken(f"Statement {number} is damaged.")

    def _read_statement(self, number: int, line: bytes) -> None:
        envelope = parsed(line)
        [signature] = envelope["signatures"]
        payload, signed = strict_base64(envelope["payload"]), strict_base64(signature["sig"])
        texts = (envelope["payloadType"], signature["keyid"])
        if payload is None or signed is None or not all(type(text) is str for text in texts):
            raise Fault("")
        statement = parsed(payload)
        entry = statement["predicate"]["entry"]
        if statement["_type"] != _STATEMENT or not _is_count(entry["seq"]) or type(entry["hash"]) is not str:
            raise Fault("")
        key = {str(key): key for key in self.keys}.get(signature["keyid"])
        if key is None:
            self._unsigned(f"Statement {number} is signed by no key that is trusted here.")
        elif not ed25519_holds(key.public, envelope_bytes(envelope["payloadType"], payload), signed):
            self._unsigned(f"The signature of statement {number} does not fit: it was changed, or forged.")
        self._rests.append(Rest(number, entry["seq"], entry["hash"]))

    # The log, and what was signed of it

    def _read_checkpoints(self) -> list[tuple[str, Checkpoint]]:
        found = list[tuple[str, Checkpoint]]()
        for name in self._below("checkpoints"):
            self._read_checkpoint(name, self._content(name), found)
        for source, content in self._kept:
            self._read_checkpoint(source, content, found)
        return found

    def _read_checkpoint(self, source: str, content: bytes, found: list[tuple[str, Checkpoint]]) -> None:
        try:
            found.append((source, read_checkpoint(opened(note_in(content), self.keys)[0])))
        except Fault as fault:
            self._unsigned(f"{source}: {fault}")

    def _walk(self, sizes: set[int]) -> None:
        self.log = Log(sizes | {rest.seq for rest in self._rests} | {self.manifest.get("entries", 0)})
        private = Private(self._lines("private.jsonl"))
        self.log.read(self._lines("entries.jsonl"), self._seen(private))
        if self.log.fault:
            self._broken(self.log.fault, self.log.broken_at)
        private.end(self.log)
        self.findings += private.findings

    def _seen(self, private: Private) -> Callable[[int, Any], None]:
        noted, kinds = self._noted, ("notice.issued", "notice.sent", "exhibit.added")

        def see(seq: int, entry: Any) -> None:
            if entry["kind"] in kinds:
                noted.append(Noted(seq, entry["kind"], entry["body"]))
            if private.seq == seq:
                private.check(seq, entry)

        return see

    def _compare_manifest(self) -> None:
        if not self.manifest or self.log.fault or not self._has("entries.jsonl"):
            return
        named, count = self.manifest["entries"], self.log.count
        if count and self.manifest["chain"] != self.log.chain:
            self._broken("The manifest speaks of another log.")
        elif count < named:
            self._truncated(f"{_were(count, named)} cut off: the manifest names {named} entries, {count} are there.")
        elif self.log.heads[named] != self.manifest["head"]:
            self._truncated(f"Entries 1 to {named} are not those that the manifest names.")
        elif count > named:
            self._broken(f"{_were(named, count)} added after the bundle was made.", named + 1)
        elif {self._sums["entries.jsonl"]} != {row["sha256"] for row in _rows(self.manifest, "entries.jsonl")}:
            self._broken("entries.jsonl was changed: its SHA-256 is not the one that the manifest names.")

    def _compare(self, said: Sequence[tuple[str, Checkpoint]]) -> None:
        found = [Held(source, checkpoint.size, *compared(self.log, checkpoint)) for source, checkpoint in said]
        holding = [held.size for held in found if held.match == "holds"]
        for held in found:
            before = max((size for size in holding if 0 < size < held.size), default=0)
            narrowed = held.match == "rewritten" and before
            told = held._replace(sentence=_rewritten(before, held.size)) if narrowed else held
            self.checkpoints.append(told)
            if told.match != "holds":
                self._truncated(f"{told.source}: {told.sentence}")

    def _check_rests(self) -> None:
        for rest in self._rests:
            known = rest.seq > self.log.count and self.log.fault
            if not known and (not rest.seq or self.log.heads.get(rest.seq) != rest.hash):
                self._broken(f"Statement {rest.number} does not rest on entry {rest.seq} of this log.")

    # What the log names

    def _check_attachments(self) -> None:
        for name in self._below("attachments"):
            if self._sums[name] != name[12:]:
                self._broken(f"{name} does not hold the bytes that it is named after.")
        states = self._attachments()
        for sha256, state in sorted(states.items()):
            if state != "present":
                self.remarks.append(f"attachments/{sha256} is not here: {state}.")
            elif f"attachments/{sha256}" not in self._place.names:
                self._broken(f"attachments/{sha256} is missing.")
        for noted in self._noted:
            named = noted.body.get("sha256") if noted.kind == "exhibit.added" else None
            if type(named) is str and named and named not in states:
                self._broken(f"attachments.json does not name the file of entry {noted.seq}.", noted.seq)

    def _attachments(self) -> dict[str, str]:
        if not self._has("attachments.json"):
            return {}
        try:
            return _attachments(document(self._content("attachments.json")))
        except Fault:
            self._broken("attachments.json is damaged.")
            return {}

    def _check_notices(self) -> None:
        issued = [noted for noted in self._noted if noted.kind == "notice.issued" and "words_sha256" in noted.body]
        expected = dict[str, tuple[int, Any]]()
        for number, noted in enumerate(issued, start=1):
            kind = noted.body.get("notice")
            stem = f"notices/{number:03}-{kind if type(kind) is str else ''}"
            self._check_words(f"{stem}.txt", noted)
            expected[f"{stem}.txt"] = noted.seq, noted.body["words_sha256"]
            for place, sha256 in enumerate(self._copies(noted.body), start=1):
                expected[f"{stem}/{place}.eml"] = noted.seq, sha256
        for name in self._below("notices"):
            if name not in expected:
                if not self.log.fault:
                    self._broken(f"{name} is nothing that the log says was issued.")
            elif name.endswith(".eml") and self._sums[name] != expected[name][1]:
                seq = expected[name][0]
                self._broken(f"{name} is not the mail that entry {seq} issued.", seq)

    def _check_words(self, name: str, noted: Noted) -> None:
        if not self._has(name):
            self._broken(f"The words of the update that entry {noted.seq} issued are missing.", noted.seq)
        elif self._sums[name] != noted.body["words_sha256"]:
            self._broken(f"{name} does not hold the words that entry {noted.seq} issued.", noted.seq)

    def _copies(self, issued: Any) -> list[Any]:
        """The hashes of an update's mails, as the entry says that issued or sent it."""
        rows, key = issued.get("copies"), issued.get("notice_id")
        for noted in self._noted if type(rows) is not list and type(key) is str else ():
            if noted.kind == "notice.sent" and noted.body.get("notice_id") == key:
                rows = noted.body.get("copies")
        return [row.get("sha256") for row in rows if type(row) is dict] if type(rows) is list else []

    def _check_custody(self) -> None:
        custody = Log()
        custody.read(self._lines("custody.jsonl"))
        if custody.fault:
            self._broken(f"The custody log: {custody.fault}")

    def _check_people(self) -> None:
        if not self._has("people.json"):
            return
        try:
            people = document(self._content("people.json"))
        except Fault:
            people = None
        if type(people) is not dict or not all(type(name) is str for name in people.values()):
            self._broken("people.json is damaged.")


# What is told -------------------------------------------------------------------------------------------------------


def report(check: Check) -> dict[str, Any]:
    """All that was found, for machines."""
    return {
        "code": check.code,
        "verdict": VERDICTS[check.code],
        "broken_at": check.broken_at,
        "incident": check.manifest.get("incident"),
        "product": check.manifest.get("product"),
        "made_until": check.manifest.get("made_until"),
        "chain": check.log.chain or None,
        "entries": check.log.count,
        "head": check.log.head,
        "signed_by": str(check.signed_by) if check.signed_by else None,
        "key_from": "reader" if check.are_given else "bundle",
        "findings": [{"code": code, "sentence": said, "entry": seq} for code, said, seq in check.findings],
        "checkpoints": [held._asdict() for held in check.checkpoints],
        "remarks": check.remarks,
    }


def told(check: Check, kept: Sequence[str]) -> Iterator[str]:
    """The same for people."""
    manifest, log = check.manifest, check.log
    if manifest:
        yield f"{manifest['incident']}, {manifest['product']}, up to {manifest['made_until']}"
    yield f"{log.count} entries hold, the last with the hash {log.head}"
    if check.signed_by and check.are_given:
        yield f"Signed by the key you gave, {check.signed_by}"
    elif check.signed_by:
        yield f"Signed by {check.signed_by}, a key that came in this bundle: compare it with the one you know"
    yield ""
    yield VERDICTS[check.code].upper()
    yield from _some([f"  {found.sentence}" for found in sorted(check.findings, key=lambda found: found.code)])
    own = [held for held in check.checkpoints if held.source not in kept and held.match == "holds"]
    if own:
        number = "1 checkpoint of the bundle holds" if len(own) == 1 else f"{len(own)} checkpoints of the bundle hold"
        yield f"  {number}. {own[-1].sentence}"
    for held in check.checkpoints:
        if held.source in kept and held.match == "holds":
            yield f"  {held.source}: {held.sentence}"
    yield from _some([f"  {remark}" for remark in check.remarks])


def _some(said: list[str]) -> Iterator[str]:
    yield from said[:MOST_SHOWN]
    if len(said) > MOST_SHOWN:
        yield f"  … and {len(said) - MOST_SHOWN} more"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        print(f"{self.prog}: {message}", file=sys.stderr)
        raise SystemExit(USAGE)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        description="Check an evidence bundle, without the portal that made it and without a network.",
        epilog="Exit codes: 0 holds, 1 broken, 2 truncated or forked, 3 bad signature, 64 used wrongly.",
    )
    parser.add_argument("bundle", nargs="?", help="the zip, or the unpacked folder; else where this file lies")
    parser.add_argument("--checkpoint", action="append", default=[], metavar="FILE", help="a note or mail you kept")
    parser.add_argument("--vkey", action="append", default=[], metavar="VKEY", help="trust this key instead")
    parser.add_argument("--json", action="store_true", help="everything found, for machines")
    return parser.parse_args(arguments)


@contextmanager
def _opened(path: str | None) -> Iterator[Folder | Zip]:
    here = Path() if Path("MANIFEST.json").exists() else Path(__file__).resolve().parent
    place = here if path is None else Path(path)
    if not place.is_dir():
        with place.open("rb") as file:
            yield Zip(file)
        return
    folder = Folder(place)
    if not folder.names & {"MANIFEST.json", "entries.jsonl"}:
        raise OSError(f"There is no bundle in {place}.")
    yield folder


def _kept(path: str) -> tuple[str, bytes]:
    with Path(path).open("rb") as file:
        return Path(path).name, file.read(LARGEST_SMALL_FILE)


def main(arguments: Sequence[str] | None = None) -> int:
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    asked = _arguments(arguments)
    try:
        keys = [read_key(text.strip()) for text in asked.vkey]
        kept = [_kept(path) for path in asked.checkpoint]
        with _opened(asked.bundle) as place:
            check = Check(place, kept, keys).run()
    except (OSError, Fault) as error:
        print(error, file=sys.stderr)
        return USAGE
    if asked.json:
        print(json.dumps(report(check), indent=2, ensure_ascii=False))
    else:
        print(*told(check, [source for source, _ in kept]), sep="\n")
    return check.code


if __name__ == "__main__":
    sys.exit(main())
