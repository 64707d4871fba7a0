"""Bundles made by hand, without a database: a whole one, and what a forger could make of it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from incidents.evidence import chain as arithmetic
from incidents.evidence.bundle import statements
from incidents.evidence.bundle.form import compact, indented
from incidents.evidence.bundle.stage import Part, Stage
from incidents.evidence.merkle import Tree
from incidents.evidence.note import Signer, Statement

CHAIN = "0b7d3c52-5d0e-4f2f-9d69-9d0f5f0c6a11"
CUSTODY = "2f0e7d8a-1c36-4f7c-8a39-5d7a0f4b6c22"
OURS = Signer("portal.example", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
FORGER = Signer("portal.example", Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
SALT = b"\x07" * 32
ACTOR = {"kind": "user", "id": "6f1c7d5e-2f56-4c0c-9b0e-000000000001", "role": "commander"}
FILES = [b"Output of the check\n" * 40, bytes(range(256)) * 9]
WORDS = ["Rollback declared\n\nThe freeze is in force – merges stop.\n", "Update\n\n“All green” by 14:30.\n"]
MAILS = [b"From: a\r\n\r\none", b"From: a\r\n\r\ntwo"]
ODD = '“odd” \\ C:\\udev " \n\t / \u2028 \x7f ünï 🧭 \u0001'
PERSONAL = {2: {"text": "Call Ada: 555 01"}, 10: {"owner": "Ada Łukasik", "title": "Ring “Ada”"}}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def commits(seq: int) -> list[dict[str, str]]:
    found = PERSONAL.get(seq, {})
    return [{"path": path, "commit": arithmetic.commitment(CHAIN, path, SALT, found[path])} for path in sorted(found)]


def bodies() -> list[tuple[str, dict[str, Any]]]:
    copies = [{"message_id": f"<{place}@portal.example>", "sha256": sha(mail)} for place, mail in enumerate(MAILS)]
    return [
        ("incident.declared", {"sentence": "Rollback mode declared", "incident": "RB-2026-0007"}),
        ("note.added", {"sentence": "Note"}),
        ("exhibit.added", {"sentence": "Evidence attached", "sha256": sha(FILES[0]), "file": "check.log"}),
        ("notice.issued", {"notice": "A", "notice_id": "n1", "words_sha256": sha(WORDS[0].encode()), "copies": copies}),
        ("notice.sent", {"notice": "A", "notice_id": "n1", "sent": 2, "failed": 0, "copies": copies}),
        ("action.succeeded", {"sentence": "Done", "action": "3a-redeploy", "attempt": "a1", "epoch": 1}),
        ("gate.recorded", {"sentence": "Pass", "gate": "ci", "run": "g1", "outcome": "pass"}),
        ("exhibit.added", {"sentence": "Evidence attached", "sha256": sha(FILES[1]), "file": "dump.bin"}),
        ("notice.issued", {"notice": "B", "notice_id": "n2", "words_sha256": sha(WORDS[1].encode()), "recipients": 0}),
        ("follow_up.added", {"sentence": "Follow-up", "number": -3, "nested": [[], {}, [None, True, False, 0]]}),
        ("note.added", {"sentence": ODD, "Zeta": "", "a": {"10": 1, "9": 2, "_": 3}}),
        ("incident.closed", {"sentence": "Closed", "phase": {"old": "review", "new": "closed"}}),
    ]


def entry(seq: int, kind: str, body: dict[str, Any], chain: str = CHAIN) -> bytes:
    said = {"v": 1, "chain": chain, "kind": kind, "actor": ACTOR, "body": body, "commits": commits(seq)}
    return arithmetic.canonical(said | ({} if chain == CHAIN else {"commits": []}))


def at_of(seq: int) -> str:
    return f"2026-11-24T03:{seq // 60 % 60:02}:{seq % 60:02}.123456Z"


def linked(contents: Iterable[bytes], at: Callable[[int], str] = at_of) -> bytes:
    """A log of these entries' bytes: what anybody can compute, for the log holds no secret."""
    lines, prev = [], arithmetic.ZERO
    for seq, content in enumerate(contents, start=1):
        found = arithmetic.link(seq, at(seq), prev, arithmetic.digest(content))
        lines.append(
            b'{"at":"%b","entry":%b,"hash":"%b","prev":"%b","seq":%d}\n'
            % (at(seq).encode(), content, found.encode(), prev.encode(), seq)
        )
        prev = found
    return b"".join(lines)


def hashes(log: bytes) -> list[str]:
    return [json.loads(line)["hash"] for line in log.splitlines()]


def checkpoint(log: bytes, size: int, *, signer: Signer = OURS, chain: str = CHAIN) -> bytes:
    """What the portal would sign of a log at one of its sizes."""
    tree, found = Tree(), hashes(log)[:size]
    tree.extend(bytes.fromhex(one) for one in found)
    origin = f"{signer.name}/rollback/{chain}"
    return signer.signed(Statement(origin, size, tree.root(), found[-1]).text).encode()


def statement(seq: int, found: str, **predicate: Any) -> bytes:
    said = {"incident": "RB-2026-0007", "entry": {"chain": CHAIN, "seq": seq, "hash": found}, **predicate}
    subject = [{"name": "commit:dbe79f1", "digest": {"sha256": sha(b"dbe79f1")}}]
    body = {"_type": statements.STATEMENT, "subject": subject, "predicateType": statements.GATE_RUN, "predicate": said}
    return statements.envelope(body, OURS)


@dataclass(frozen=True)
class Bundle:
    """The files of a bundle, by their paths."""

    files: dict[str, bytes]

    @property
    def log(self) -> bytes:
        return self.files["entries.jsonl"]

    def put(self, changed: dict[str, bytes | None]) -> Bundle:
        """With other files in the place of these, and without those that are None."""
        files = {**self.files, **changed}
        return Bundle({path: content for path, content in files.items() if content is not None})

    def sealed(self, signer: Signer = OURS, found: list[str] | None = None, **said: Any) -> Bundle:
        """Listed and signed as if all of it were the portal's own.

        Args:
            found: the hashes of the log, where its lines are no JSON that can be read here.
            said: what the manifest says otherwise.
        """
        stage, found = Stage(), hashes(self.log) if found is None else found
        listed = {path: content for path, content in self.files.items() if not path.startswith("MANIFEST.")}
        for path, content in listed.items():
            stage.add(Part(path, [content]))
        manifest = {
            "v": 1,
            "incident": "RB-2026-0007",
            "product": "portarium",
            "chain": CHAIN,
            "entries": len(found),
            "head": found[-1] if found else arithmetic.ZERO,
            "made_until": at_of(len(found)),
            "files": stage.listed(),
        }
        content = indented(manifest | said)
        note = signer.signed(f"{signer.name}/bundle\n{sha(content)}\n").encode()
        return self.put({"MANIFEST.json": content, "MANIFEST.note": note})

    def zipped(self, compression: int = zipfile.ZIP_STORED) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", compression) as archive:
            for path, content in sorted(self.files.items()):
                archive.writestr(zipfile.ZipInfo(path), content, compression)
        return file.getvalue()


@dataclass(frozen=True)
class Case:
    """A bundle, what the reader brings along, and what a verifier has to say."""

    bundle: Bundle | bytes
    code: int
    broken_at: int | None = None
    kept: dict[str, bytes] = field(default_factory=dict)
    keys: tuple[str, ...] = ()

    @property
    def content(self) -> bytes:
        return self.bundle if isinstance(self.bundle, bytes) else self.bundle.zipped()


def good() -> Bundle:
    """A whole bundle with one of everything."""
    log = linked(entry(seq, kind, body) for seq, (kind, body) in enumerate(bodies(), start=1))
    found = hashes(log)
    handed_out = [("custody.handed_out", {"sentence": f"Bundle {turn}", "what": "bundle"}) for turn in range(2)]
    files = {
        "README.txt": b"Read me.\n",
        "verify.py": b"# the verifier\n",
        "vkey.txt": f"{OURS.verifier}\n".encode(),
        "entries.jsonl": log,
        "custody.jsonl": linked(entry(seq, *said, CUSTODY) for seq, said in enumerate(handed_out, start=1)),
        "statements.jsonl": statement(6, found[5], outcome="succeeded") + statement(7, found[6], outcome="pass"),
        "attachments.json": indented([_attachment(content) for content in sorted(FILES, key=sha)]),
        "people.json": indented({ACTOR["id"]: "Mara Lind"}),
        "private.jsonl": b"".join(
            compact({"seq": seq, "path": path, "salt": SALT.hex(), "value": value}) + b"\n"
            for seq, values in PERSONAL.items()
            for path, value in sorted(values.items())
        ),
        "notices/001-A.txt": WORDS[0].encode(),
        "notices/002-B.txt": WORDS[1].encode(),
    }
    files |= {f"checkpoints/{size:012}.txt": checkpoint(log, size) for size in (4, 7, 12)}
    files |= {f"attachments/{sha(content)}": content for content in FILES}
    files |= {f"notices/001-A/{place}.eml": mail for place, mail in enumerate(MAILS, start=1)}
    return Bundle(files).sealed()


def _attachment(content: bytes) -> dict[str, Any]:
    return {"sha256": sha(content), "size": len(content), "state": "present", "names": ["file"], "scans": ["clean"]}


def rewritten(bundle: Bundle, seq: int, **said: Any) -> Bundle:
    """The log as if entry `seq` had always said something else: every hash from there on is made anew."""
    found = bodies()
    found[seq - 1] = (found[seq - 1][0], {**found[seq - 1][1], **said})
    return bundle.put({"entries.jsonl": linked(entry(at, *one) for at, one in enumerate(found, start=1))})


def shortened(bundle: Bundle, size: int) -> Bundle:
    return bundle.put({"entries.jsonl": b"".join(bundle.log.splitlines(keepends=True)[:size])})


def mail_with(note: bytes) -> bytes:
    """A mail that carries the checkpoint as the portal's do, with a text before it."""
    from email.message import EmailMessage
    from email.policy import SMTP

    message = EmailMessage(policy=SMTP)
    message["Subject"], message["From"], message["To"] = "Update B – all green", "a@example.test", "b@example.test"
    message.set_content("Freeze in force – merges stop.\n", cte="quoted-printable")
    message.add_alternative("<p>Freeze</p>", subtype="html", cte="quoted-printable")
    message.add_attachment(note, maintype="text", subtype="plain", filename="checkpoint.txt")
    return message.as_bytes()
