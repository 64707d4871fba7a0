"""`manage.py demo --walkthrough`: one L3 incident over HTTP, and what it leaves behind read back by other means."""

from __future__ import annotations

import csv
import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from mailbox import Maildir
from pathlib import Path

import pytest

from incidents.evidence import chain
from incidents.runbook.content import SHIPPED, parse
from incidents.terms import NoticeKind, Role
from portal.bootstrap.places import ROOT
from portal.demo import ports, story
from portal.demo.people import PEOPLE, RECIPIENTS
from tests.comms.reports.reading import text_of
from tests.journeys.demo import command

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
BOOK = parse(SHIPPED.read_text(encoding="utf-8"))
ROOT_CAUSE = "The column drop shipped one release before its last reader was removed."


@dataclass(frozen=True)
class Walk:
    """How it went, and where it left what."""

    code: int
    said: str
    data: Path

    def file(self, name: str) -> bytes:
        [found] = (self.data / "walkthrough").glob(f"RB-*-{name}")
        return found.read_bytes()

    def mails(self) -> list[tuple[str, str, str]]:
        """Every copy that arrived: recipient, subject, Message-ID."""
        return [
            (mail["Delivered-To"], " ".join(mail["Subject"].split()), mail["Message-ID"])
            for mail in Maildir(self.data / "mail", create=False)
        ]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    data = tmp_path_factory.mktemp("walkthrough") / "data"
    options = ("--walkthrough", "--port", str(ports.any_free()))
    ended = subprocess.run(command(data, *options), cwd=ROOT, capture_output=True, text=True, timeout=270, check=False)
    return Walk(ended.returncode, ended.stdout + ended.stderr, data)


def test_every_step_holds_and_says_so(walk: Walk) -> None:
    lines = [line for line in walk.said.splitlines() if line.startswith("  ✓ ")]

    assert walk.code == 0, walk.said
    assert [line[4:].partition(":")[0] for line in lines] == [
        *(name.partition(":")[0] for name, _ in story.steps()),
        "Files",
        "Mailbox",
    ]


def test_the_pdf_tells_the_whole_story(walk: Walk) -> None:
    told = {
        "root cause": [ROOT_CAUSE],
        "target": [story.TARGET, *(row.name for row in BOOK.confirmations.values())],
        "roles": [role.name for role in BOOK.roles.values()],
        "people": [person.name for person in PEOPLE if person.role in Role.values],
        "actions": [f"{action.track.value} {action.name}" for action in BOOK.actions],
        "cleanup": [name for area in BOOK.cleanup for name in (area.name, *(item.name for item in area.items))],
        "evidence": [wanted.name for area in BOOK.cleanup for wanted in area.evidence],
        "gates": [gate.name for gate in BOOK.gates],
        "preconditions": [clause.text for clause in BOOK.preconditions],
        "notices": [kind.label for kind in (NoticeKind.A, NoticeKind.B, NoticeKind.C)],
        "deliverables": ["Refuse column drops while a reader is deployed", "asks for the reader check"],
    }

    text = text_of(walk.file("report.pdf"))

    assert len(told["actions"]) == 13
    assert {part: missing for part, words in told.items() if (missing := [w for w in words if w not in text])} == {}


def test_the_evidence_verifies_without_the_portal(walk: Walk) -> None:
    lines = walk.file("evidence.jsonl").splitlines()

    verdict = chain.verify(chain.read_jsonl(lines))

    assert (verdict.is_intact, verdict.count) == (True, len(lines))
    assert verdict.count > 100
    changed = [*lines[:9], lines[9].replace(b"2026", b"2025", 1), *lines[10:]]
    assert chain.verify(chain.read_jsonl(changed)).broken_at == 10


def test_other_tools_read_the_other_deliverables(walk: Walk) -> None:
    [row] = csv.DictReader(walk.file("followups.csv").decode().splitlines())
    [bead] = map(json.loads, walk.file("followups.beads.jsonl").splitlines())

    assert "Refuse column drops while a reader is deployed" in row.values()
    assert bead["title"] == "Refuse column drops while a reader is deployed"
    assert ROOT_CAUSE in walk.file("report.md").decode()


def test_each_update_reached_each_recipient_once(walk: Walk) -> None:
    copies = Counter(walk.mails())
    told = {
        word: sorted(to for to, subject, _ in copies if word in subject)
        for word in ("rollback declared", "rollback in progress", "rollback complete")
    }

    assert set(copies.values()) == {1}
    assert told == dict.fromkeys(told, sorted(email for _, email in RECIPIENTS))
    owner = next(person.email for person in PEOPLE if person.role == Role.COMMUNICATIONS_OWNER)
    assert owner in {to for to, subject, _ in copies if "overdue" in subject}
