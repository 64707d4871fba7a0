"""`manage.py demo --walkthrough`: plays one incident over HTTP and leaves its deliverables in DATA/walkthrough/."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen
from zipfile import ZipFile

from incidents.evidence import chain
from portal.demo.person import Person, Unexpected, until
from portal.demo.story import Cast, hold, steps


def play(url: str, mailbox_url: str, data: Path, users: Sequence[dict[str, Any]]) -> int:
    """Play the incident; 0 only if every step held."""
    cast = Cast({user["role"]: Person(url, user) for user in users if user.get("api_token")})
    folder = data / "walkthrough"
    folder.mkdir(exist_ok=True)
    began = time.monotonic()
    try:
        for name, act in steps():
            print(f"  ✓ {name}: {act(cast)}", flush=True)
        print(f"  ✓ Files: {collect(cast, folder)}", flush=True)
        print(f"  ✓ Mailbox: {look_into(mailbox_url)}", flush=True)
    except Unexpected as error:
        print(f"  ✕ {error}", flush=True)
        return 1
    print(f"\nOne incident in {time.monotonic() - began:.0f} s. Its deliverables: {folder}", flush=True)
    return 0


def collect(cast: Cast, folder: Path) -> str:
    """Download every deliverable and look into it."""
    pdf = until("the report", lambda: _report(cast), 120)
    files = {"report.pdf": pdf} | {
        name: cast.commander.fetch(f"{cast.path}/{name}")[1]
        for name in ("report.md", "followups.csv", "followups.beads.jsonl", "evidence.jsonl", "bundle.zip")
    }
    for name, content in files.items():
        (folder / f"{cast.reference}-{name}").write_bytes(content)
    hold(pdf.startswith(b"%PDF-") and len(pdf) > 20_000, "The report is no PDF with content.")
    hold(
        b"Root cause" in files["report.md"] or b"root cause" in files["report.md"], "The Markdown names no root cause."
    )
    rows = list(csv.reader(files["followups.csv"].decode().splitlines()))
    hold(len(rows) == 2, f"The CSV has {len(rows)} rows instead of a header and one follow-up.")
    beads = [json.loads(line) for line in files["followups.beads.jsonl"].splitlines()]
    hold(isinstance(beads[0]["priority"], int), "A bead has no whole number as priority.")
    verdict = chain.verify(chain.read_jsonl(files["evidence.jsonl"].splitlines()))
    hold(verdict.is_intact, f"The exported evidence does not verify: {verdict.reason}")
    _verified_alone(folder / f"{cast.reference}-bundle.zip")
    lines = f"{verdict.count} evidence lines that verify, a bundle that its own verify.py finds whole"
    return f"PDF of {len(pdf) // 1024} kB, Markdown, CSV, {len(beads)} bead, {lines}"


def _verified_alone(bundle: Path) -> None:
    """Unpack the bundle's verifier and let it look at the bundle, with nothing of the portal around it."""
    with ZipFile(bundle) as archive, TemporaryDirectory() as place:
        verifier = archive.extract("verify.py", place)
        run = [sys.executable, "-I", verifier, str(bundle.resolve())]
        done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    hold(done.returncode == 0, f"The bundle does not verify:\n{done.stdout}{done.stderr}")


def _report(cast: Cast) -> bytes:
    status, content = cast.commander.fetch(f"{cast.path}/report.pdf", (200, 202))
    return content if status == 200 else b""


def look_into(mailbox_url: str) -> str:
    """Every update arrived, once for each recipient."""
    with urlopen(f"{mailbox_url}messages.json", timeout=10) as answer:  # noqa: S310 - the demo's own address
        messages = json.loads(answer.read())
    copies = Counter((message["to"], message["message_id"]) for message in messages)
    hold(set(copies.values()) == {1}, "A recipient got a copy twice.")
    subjects = [message["subject"] for message in messages]
    found = []
    for word in ("rollback declared", "rollback in progress", "rollback complete", "overdue"):
        number = sum(word in subject for subject in subjects)
        hold(number > 0, f"No mail says “{word}”.")
        found.append(f"{number} × {word}")
    return ", ".join(found)
