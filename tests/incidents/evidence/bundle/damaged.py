"""What can be done to a bundle, and what a verifier has to say to it: its code, and the entry that it names."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator

from incidents.evidence import chain as arithmetic
from incidents.evidence.bundle.form import compact, indented
from tests.incidents.evidence.bundle.making import (
    CHAIN,
    CUSTODY,
    FILES,
    FORGER,
    OURS,
    SALT,
    Bundle,
    Case,
    at_of,
    bodies,
    checkpoint,
    entry,
    good,
    hashes,
    linked,
    mail_with,
    rewritten,
    sha,
    shortened,
    statement,
)

KEY = str(OURS.verifier)
WHOLE = good()
LINES = WHOLE.log.splitlines(keepends=True)
CONTENTS = [entry(seq, *said) for seq, said in enumerate(bodies(), start=1)]


def catalogue() -> dict[str, Case]:
    """Every case by its name."""
    return dict(
        case for group in (_whole, _lines, _forged, _signed, _zips, _checkpoints, _named, _beside) for case in group()
    )


def _log(content: bytes) -> Bundle:
    return WHOLE.put({"entries.jsonl": content})


def _without(*paths: str) -> Bundle:
    return WHOLE.put(dict.fromkeys(paths))


def _whole() -> Iterator[tuple[str, Case]]:
    """Nothing is wrong."""
    note = WHOLE.files["checkpoints/000000000007.txt"]
    erased = [{"sha256": sha(content), "state": state} for content, state in zip(FILES, STATES, strict=True)]
    gone = {f"attachments/{sha(content)}": None for content in FILES}
    choice = _without("private.jsonl", "people.json", "custody.jsonl", *(f"notices/001-A/{k}.eml" for k in (1, 2)))
    yield "whole", Case(WHOLE, 0)
    yield "deflated", Case(WHOLE.zipped(zipfile.ZIP_DEFLATED), 0)
    yield "without what is there by choice", Case(choice.sealed(), 0)
    yield "some copies only", Case(_without("notices/001-A/1.eml").sealed(), 0)
    yield "files erased and withheld", Case(WHOLE.put({"attachments.json": indented(erased), **gone}).sealed(), 0)
    yield "beside the first note", Case(WHOLE, 0, kept={"note.txt": checkpoint(WHOLE.log, 1)})
    yield "beside a kept note", Case(WHOLE, 0, kept={"note.txt": note})
    yield "beside a kept mail", Case(WHOLE, 0, kept={"mail.eml": mail_with(note)})
    yield "beside a note with other line ends", Case(WHOLE, 0, kept={"note.txt": note.replace(b"\n", b"\r\n")})
    yield "with the key given", Case(WHOLE, 0, keys=(KEY,))
    yield "with an old key beside the new one", Case(WHOLE, 0, keys=(str(FORGER.verifier), KEY))
    yield "an empty log", Case(Bundle({"vkey.txt": f"{KEY}\n".encode(), "entries.jsonl": b""}).sealed(chain=CHAIN), 0)


STATES = ("erased", "withheld")


def _lines() -> Iterator[tuple[str, Case]]:
    """The log's bytes are changed, and nothing else."""
    for seq, line in enumerate(LINES, start=1):
        changed = line.replace(b'"kind":"', b'"kind":"x', 1)
        yield f"entry {seq} changed", Case(_log(WHOLE.log.replace(line, changed)), 1, seq)
        if seq < len(LINES):
            yield f"entry {seq} gone", Case(_log(WHOLE.log.replace(line, b"")), 1, seq)
    for name, at, old, new in [
        ("time", 4, b'"at":"2026', b'"at":"2025'),
        ("hash", 5, b'"hash":"', b'"hash":"0'),
        ("number", 6, b'"seq":6', b'"seq":7'),
        ("frame", 7, b'{"at"', b'{"aT"'),
        ("line end", 8, b"\n", b" "),
        ("carriage return", 9, b"\n", b"\r\n"),
        ("blank line", 10, b"\n", b"\n\n"),
        ("space", 3, b'"prev":', b'"prev": '),
        ("bad UTF-8", 11, "🧭".encode(), b"\xf0\x9f\xa7"),
        ("last line end", 12, b"\n", b""),
    ]:
        line = LINES[at - 1]
        seq = at + 1 if name == "blank line" else at
        yield f"{name} of entry {at}", Case(_log(WHOLE.log.replace(line, line.replace(old, new, 1))), 1, seq)
    yield "entry 4 twice", Case(_log(b"".join([*LINES[:4], *LINES[3:]])), 1, 5)
    yield "entries 6 and 7 swapped", Case(_log(b"".join([*LINES[:5], LINES[6], LINES[5], *LINES[7:]])), 1, 6)
    yield "hash in capitals", Case(_log(WHOLE.log.replace(hashes(WHOLE.log)[8].encode(), b"A" * 64, 1)), 1, 9)
    upper = LINES[2].replace(hashes(WHOLE.log)[2].encode(), hashes(WHOLE.log)[2].upper().encode())
    yield "hash in upper case", Case(_log(WHOLE.log.replace(LINES[2], upper)), 1, 3)
    yield "something after the end", Case(_log(WHOLE.log + b"x"), 1, 13)
    yield "no log", Case(_without("entries.jsonl"), 1)


def _forged() -> Iterator[tuple[str, Case]]:
    """Logs whose hashes fit and whose lines no log writes; signed by the portal itself."""
    text = CONTENTS[10].decode()
    for name, content in {
        "a key twice": text.replace('"Zeta":"",', '"Zeta":"x","Zeta":"",'),
        "keys in another order": text.replace('"Zeta":"","_":3', '"_":3,"Zeta":""').replace(
            '"9":2,"_":3', '"_":3,"9":2'
        ),
        "a float": text.replace('"_":3', '"_":3.0'),
        "a large number": text.replace('"_":3', '"_":9007199254740993'),
        "a larger number": text.replace('"_":3', '"_":9007199254740992'),
        "a huge number": text.replace('"_":3', f'"_":{"1" * 400}'),
        "minus nought": text.replace('"_":3', '"_":-0'),
        "an exponent": text.replace('"_":3', '"_":3e2'),
        "not a number": text.replace('"_":3', '"_":NaN'),
        "half a pair": text.replace('"_":3', '"_":"\\ud800"'),
        "an escape too many": text.replace('"_":3', '"_":"\\u0041"'),
        "a slash escaped": text.replace('"_":3', '"_":"\\/"'),
        "a space": text.replace('"_":3', '"_": 3'),
        "too deep": text.replace('"_":3', '"_":' + "[" * 19 + "]" * 19),
        "far too deep": text.replace('"_":3', '"_":' + "[" * 60_000 + "]" * 60_000),
        "a later version": text.replace('"v":1}', '"v":2}'),
        "true for one": text.replace('"v":1}', '"v":true}'),
        "a list": "[]",
        "no body": text.replace('"body":{', '"bodies":{'),
        "a text as body": '{"actor":{},"body":"x","chain":"' + CHAIN + '","commits":[],"kind":"x","v":1}',
        "another log": text.replace(CHAIN, CUSTODY),
        "a zero": text.replace('"_":3', '"_":"\x00"'),
    }.items():
        assert content != text, name
        yield f"forged: {name}", Case(_signed_log([*CONTENTS[:10], content.encode(), CONTENTS[11]]), 1, 11)
    early = linked(CONTENTS, at=lambda seq: at_of(1) if seq == 9 else at_of(seq))
    yield "forged: going back in time", Case(_resigned(early), 1, 9)
    strange = linked(CONTENTS, at=lambda seq: at_of(seq).replace("T", " ") if seq == 9 else at_of(seq))
    yield "forged: a strange time", Case(_resigned(strange), 1, 9)
    deep = text.replace('"_":3', '"_":' + "[" * 18 + "]" * 18)
    yield "as deep as may be", Case(_resigned(linked([*CONTENTS[:10], deep.encode(), CONTENTS[11]])), 0)
    astral = text.replace('"_":3', '"_":3,"\ufb01":1,"😀":2')
    yield "keys beyond the plane", Case(_resigned(linked([*CONTENTS[:10], astral.encode(), CONTENTS[11]])), 0)


def _signed_log(contents: list[bytes]) -> Bundle:
    return _resigned(linked(contents))


def _resigned(log: bytes) -> Bundle:
    """All that is signed, signed anew for this log."""
    lines = [line.rsplit(b'","prev"', 1)[0].rsplit(b'"', 1)[1].decode() for line in log.split(b"\n") if line]
    files: dict[str, bytes | None] = dict.fromkeys(path for path in WHOLE.files if path.startswith("checkpoints/"))
    said = statement(6, lines[5], outcome="succeeded") + statement(7, lines[6], outcome="pass")
    return WHOLE.put({**files, "entries.jsonl": log, "statements.jsonl": said}).sealed(found=lines)


def _signed() -> Iterator[tuple[str, Case]]:
    """The manifest, its signature, and the keys."""
    manifest, note = WHOLE.files["MANIFEST.json"], WHOLE.files["MANIFEST.note"]
    yield "manifest changed", Case(WHOLE.put({"MANIFEST.json": manifest.replace(b"portarium", b"Portarium")}), 1)
    yield "manifest of another version", Case(WHOLE.sealed(v=2), 1)
    yield "manifest with a space", Case(WHOLE.put({"MANIFEST.json": manifest.replace(b'"v": 1', b'"v":  1')}), 1)
    yield "manifest of another log", Case(WHOLE.sealed(chain=CUSTODY), 1)
    yield "manifest of more files than are there", Case(_without("README.txt"), 1)
    yield "no manifest", Case(_without("MANIFEST.json"), 1)
    yield "no manifest and no log", Case(_without("MANIFEST.json", "entries.jsonl"), 1)
    yield "nobody signed", Case(_without("MANIFEST.note"), 3)
    yield "note damaged", Case(WHOLE.put({"MANIFEST.note": note.replace(b"\n\n", b"\n")}), 3)
    yield (
        "note of another manifest",
        Case(WHOLE.put({"MANIFEST.note": WHOLE.sealed(head="0" * 64).files["MANIFEST.note"]}), 1),
    )
    yield "signed by another key", Case(WHOLE.sealed(FORGER), 3)
    yield "a signature changed", Case(WHOLE.put({"MANIFEST.note": _other_signature(note)}), 3)
    yield "another key given", Case(WHOLE, 3, keys=(str(FORGER.verifier),))
    yield "no keys", Case(_without("vkey.txt").sealed(), 3)
    yield "a damaged key", Case(WHOLE.put({"vkey.txt": f"{KEY[:-5]}AAAA=\n".encode()}).sealed(), 3)
    yield "no key at all", Case(WHOLE.put({"vkey.txt": b"\n"}).sealed(), 3)
    forged = {path: checkpoint(WHOLE.log, size, signer=FORGER) for path, size in SIZES.items()}
    own = {"vkey.txt": f"{FORGER.verifier}\n".encode(), "statements.jsonl": b""}
    everything = WHOLE.put({**forged, **own}).sealed(FORGER)
    yield "everything by a forger, nothing known", Case(everything, 0)
    yield "everything by a forger, the key known", Case(everything, 3, keys=(KEY,))
    mail = {"mail.eml": mail_with(WHOLE.files["checkpoints/000000000007.txt"])}
    yield "everything by a forger, a mail kept", Case(everything, 3, kept=mail)


SIZES = {f"checkpoints/{size:012}.txt": size for size in (4, 7, 12)}


def _other_signature(note: bytes) -> bytes:
    text, _, signature = note.rpartition(b" ")
    other = OURS.signed("something else\n").encode().rpartition(b" ")[2]
    assert other != signature
    return text + b" " + other


def _zips() -> Iterator[tuple[str, Case]]:
    """The zip as such."""
    content = WHOLE.zipped()
    yield "no zip", Case(b"Not a zip at all", 1)
    yield "nothing", Case(b"", 1)
    yield "a zip cut short", Case(content[:-30], 1)
    yield "a zip without its beginning", Case(content[30:], 1)
    yield "something after the zip", Case(content + b"x", 1)
    yield "a file too many", Case(WHOLE.put({"extra.txt": b"?"}), 1)
    yield "a strange name", Case(_with_member("../evil.txt", b"?"), 1)
    yield "a name twice", Case(_with_member("vkey.txt", f"{FORGER.verifier}\n".encode()), 1)
    yield "a folder's own entry", Case(_with_member("attachments/", b""), 0)
    yield "a zip of something else", Case(Bundle({"hello.txt": b"Hello"}), 1)
    deflated = WHOLE.zipped(zipfile.ZIP_DEFLATED)
    at = deflated.index(b"README.txt") + len("README.txt")
    yield "a damaged deflated file", Case(deflated[:at] + b"\xff" + deflated[at + 1 :], 1)


def _with_member(name: str, content: bytes) -> bytes:
    file = io.BytesIO(WHOLE.zipped())
    with zipfile.ZipFile(file, "a") as archive:
        # zipfile warns of a name that is there already: which is what is wanted.
        archive.NameToInfo.clear()
        archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def _checkpoints() -> Iterator[tuple[str, Case]]:
    """What the log is against what was signed of it."""
    none = dict.fromkeys(SIZES)
    seventh, twelfth = (WHOLE.files[f"checkpoints/{size:012}.txt"] for size in (7, 12))
    other = rewritten(WHOLE, 11, sentence="As if")
    longer = _log(linked([*CONTENTS, entry(13, "note.added", {"sentence": "One more"})]))
    short = shortened(WHOLE, 9).put({**none, "private.jsonl": None})
    yield "the end cut off", Case(shortened(WHOLE, 10), 2)
    yield "the end cut off, and signed", Case(shortened(WHOLE, 10).sealed(), 2)
    yield "the end cut off, unseen", Case(short.sealed(), 0)
    yield "the end cut off, a note kept", Case(short.sealed(), 2, kept={"12.txt": twelfth})
    yield "the end cut off, a mail kept", Case(short.sealed(), 2, kept={"12.eml": mail_with(twelfth)})
    yield "the end cut off, older notes kept", Case(short.sealed(), 0, kept={"7.txt": seventh})
    yield "rewritten", Case(other, 2)
    yield "rewritten and signed", Case(other.sealed(), 2)
    yield "rewritten and signed, unseen", Case(other.put(none).sealed(), 0)
    nearly = {"11.txt": checkpoint(WHOLE.log, 11), "12.txt": twelfth}
    last = rewritten(WHOLE, 12, sentence="As if").put(none)
    yield "the last one rewritten", Case(last.sealed(), 2, kept=nearly)
    yield "rewritten, notes kept", Case(other.put(none).sealed(), 2, kept={"7.txt": seventh, "12.txt": twelfth})
    yield "something added", Case(longer, 1, 13)
    yield "something added and signed", Case(longer.sealed(), 0, kept={"12.txt": twelfth})
    yield (
        "a checkpoint of more than there is",
        Case(WHOLE.put({"checkpoints/000000000013.txt": checkpoint(longer.log, 13)}).sealed(), 2),
    )
    yield "a checkpoint with another root", Case(WHOLE, 2, kept={"note.txt": checkpoint(other.log, 12)})
    yield "a checkpoint of another log", Case(WHOLE, 2, kept={"note.txt": checkpoint(WHOLE.log, 3, chain=CUSTODY)})
    yield "a checkpoint by another key", Case(WHOLE, 3, kept={"note.txt": checkpoint(WHOLE.log, 3, signer=FORGER)})
    yield "a changed checkpoint", Case(WHOLE, 3, kept={"note.txt": seventh.replace(b"\n7\n", b"\n8\n")})
    yield "no checkpoint", Case(WHOLE, 3, kept={"note.txt": OURS.signed("Something else\n").encode()})
    yield "no note", Case(WHOLE, 3, kept={"letter.txt": b"Dear all"})
    yield (
        "a mail without one",
        Case(WHOLE, 3, kept={"mail.eml": mail_with(b"").replace(b"checkpoint.txt", b"other.txt")}),
    )


def _named() -> Iterator[tuple[str, Case]]:
    """Files, updates and personal values that entries name; signed as they are."""
    path = f"attachments/{sha(FILES[0])}"
    rows = WHOLE.files["private.jsonl"]
    yield "a file changed", Case(WHOLE.put({path: b"Other bytes"}), 1)
    yield "a file changed and signed", Case(WHOLE.put({path: b"Other bytes"}).sealed(), 1)
    yield "a file gone", Case(_without(path).sealed(), 1)
    only = [{"sha256": sha(FILES[1]), "state": "present"}]
    yield "a file not listed", Case(_without(path).put({"attachments.json": indented(only)}).sealed(), 1, 3)
    yield "no list of files", Case(_without("attachments.json").sealed(), 1, 3)
    yield "a damaged list of files", Case(WHOLE.put({"attachments.json": b"[1]\n"}).sealed(), 1, 3)
    yield "other words", Case(WHOLE.put({"notices/001-A.txt": b"Other words"}), 1, 4)
    yield "other words, signed", Case(WHOLE.put({"notices/001-A.txt": b"Other words"}).sealed(), 1, 4)
    yield "words gone", Case(_without("notices/002-B.txt").sealed(), 1, 9)
    yield "words that were never issued", Case(WHOLE.put({"notices/003-C.txt": b"All is well"}).sealed(), 1)
    yield "another mail", Case(WHOLE.put({"notices/001-A/2.eml": b"Other"}).sealed(), 1, 4)
    yield "a mail to nobody", Case(WHOLE.put({"notices/002-B/1.eml": b"Other"}).sealed(), 1)
    for name, content, seq in [
        ("another value", rows.replace(b"Call Ada", b"Call Eve"), 2),
        ("another salt", rows.replace(SALT.hex().encode(), b"ab" * 32, 2), 2),
        ("another fact", rows.replace(b'"path":"title"', b'"path":"tit1e"'), 10),
        ("a value of an entry that is not there", rows + _row(99), None),
        ("values out of order", _row(11) + rows, 11),
        ("a damaged value", rows.replace(b'"seq":2', b'"seq": 2'), None),
        ("no value", b"\n" + rows, None),
    ]:
        assert content != rows
        yield name, Case(WHOLE.put({"private.jsonl": content}).sealed(), 1, seq)


def _row(seq: int) -> bytes:
    return compact({"seq": seq, "path": "text", "salt": SALT.hex(), "value": "?"}) + b"\n"


def _beside() -> Iterator[tuple[str, Case]]:
    """Statements, custody and names."""
    found, said = hashes(WHOLE.log), WHOLE.files["statements.jsonl"]
    custody, people = WHOLE.files["custody.jsonl"], WHOLE.files["people.json"]
    first, second = said.splitlines(keepends=True)
    for name, content, code in [
        ("a statement on another entry", first + statement(8, found[6]), 1),
        ("a statement on no entry", said + statement(0, arithmetic.ZERO), 1),
        ("a statement on a later entry", said + statement(40, found[6]), 1),
        ("a statement by a stranger", said.replace(OURS.verifier.id.hex().encode(), b"00000000"), 3),
        ("a signature of another statement", first.replace(_signature(first), _signature(second)) + second, 3),
        ("a damaged statement", said.replace(b'"payload":"', b'"payload":"!'), 1),
        ("no statement", said + b"{}\n", 1),
        ("not even JSON", said + b"x\n", 1),
        ("a list for a statement", said + b'{"payload":1,"payloadType":2,"signatures":[[]]}\n', 1),
    ]:
        yield name, Case(WHOLE.put({"statements.jsonl": content}).sealed(), code)
    yield "custody changed", Case(WHOLE.put({"custody.jsonl": custody.replace(b"Bundle 1", b"Bundle 7")}).sealed(), 1)
    yield "custody cut", Case(WHOLE.put({"custody.jsonl": custody.splitlines(keepends=True)[0]}), 1)
    yield "names changed", Case(WHOLE.put({"people.json": people.replace(b"Mara", b"Vera")}), 1)
    yield "names damaged", Case(WHOLE.put({"people.json": b"{}"}).sealed(), 1)
    yield "names that are none", Case(WHOLE.put({"people.json": b"[]\n"}).sealed(), 1)


def _signature(line: bytes) -> bytes:
    return line.rsplit(b'"sig":"', 1)[1]


def flips(number: int, seed: int = 7) -> Iterator[tuple[str, Case]]:
    """One byte changed anywhere in the zip. Of these only that both verifiers agree is asked: code -1."""
    chance = random.Random(seed)
    for turn in range(number):
        content = bytearray(WHOLE.zipped() if turn % 4 else WHOLE.zipped(zipfile.ZIP_DEFLATED))
        at = chance.randrange(len(content))
        content[at] ^= 1 << chance.randrange(8)
        yield f"flip {turn} at {at}", Case(bytes(content), -1)
