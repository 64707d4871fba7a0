"""What leaves for other tools: the review in the repository's form, follow-ups for spreadsheets and for beads."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from incidents import exports
from incidents.exports.follow_ups import COLUMNS, cell
from incidents.exports.markdown import code, line, table
from incidents.models import Incident
from incidents.steps import correct, deliver
from incidents.terms import Phase
from tests.comms.world import eventful_incident, told_crew
from tests.factories import Crew, make_crew, make_incident

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 21, 16, 20, 6, 123456, tzinfo=UTC)


def add_follow_up(incident: Incident, crew: Crew, **changed: Any) -> None:
    said = {
        "title": "Guard column drops",
        "owner": "API Lead",
        "priority": "P1",
        "due_on": date(2026, 3, 2),
        "acceptance": "CI refuses a drop of a column that is read.",
        "by": crew.commander,
    }
    deliver.add_follow_up(incident, **said | changed)


# The review ---------------------------------------------------------------------------------------------------------


def test_the_review_has_the_form_of_the_repositorys_reviews() -> None:
    text = exports.review(eventful_incident(told_crew()))

    lines = text.splitlines()
    assert lines[0] == "# Review: RB-2026-0001 (Hash-chain gap after projection migration 0412)"
    assert lines[2] == "Reviewed on: 2026-02-21"
    assert [row for row in lines if row.startswith("## ")] == [
        "## Findings",
        "## Scope",
        "## Implementation Summary",
        "## Verification",
        "## Timeline",
        "## Evidence reviewed",
        "## Residual Risk / Gaps",
        "## Result",
    ]
    assert text.endswith(".\n")
    assert "\n\n\n" not in text
    assert "\r" not in text


def test_the_review_says_what_was_found_run_and_left() -> None:
    incident = eventful_incident(told_crew())

    text = exports.review(incident)

    assert "Root cause: The migration took no lock on the chain's head row." in text
    for row in (
        (
            "- Lock the head row in every migration that touches projections. Owner: Data and Evidence Lead, P0, "
            "due 2026-03-01. Bead `bead-1284`. AC: A test forks the chain on purpose and the guard refuses it."
        ),
        "### Low\n\n- none.",
        (
            "- 2026-02-21 13:14 UTC: Rollback mode declared for Portarium at L3 Code, data, evidence and credentials\n"
            "- 2026-02-21 13:14 UTC: Update A sent to 2 of 2\n"
        ),
        "- Rollback target: commit `dbe79f1`",
        "- `npm run ci:pr` (or capture known baseline blocker explicitly) (risk accepted; Looked at the output)",
        f"- `manage.py verify_evidence RB-2026-0001` (intact, {incident.chain.seq} entries)",
        "- `cleanup:repair-notes`: Migration/projection repair notes: fine",
        (
            "- Known baseline blocker at CI: npm run ci:pr: `ci:gates`, gate baseline mismatch. Proof: package.json "
            "mismatches since dbe79f1, two days before the cycle began. Later steps not executed: 21 later steps, from "
            "ci:validate-k8s-policies to audit-high."
        ),
        (
            "- Accepted risk at CI: npm run ci:pr: The 21 steps ran green one by one on dbe79f1. "
            "Signed off by Mara Lind and Tom Okafor."
        ),
        (
            "**Result: PASS with accepted risk.** The rollback is closed; 3 of 4 gates pass, the freeze is lifted. "
            "Incident Commander: Mara Lind."
        ),
    ):
        assert row in text


def test_every_action_of_the_runbook_has_a_row_with_its_status() -> None:
    incident = eventful_incident(told_crew())

    rows = [row for row in exports.review(incident).splitlines() if row.startswith("| ")]

    assert len(rows) == 2 + len(incident.book.actions) + len(incident.book.cleanup)
    assert len({len(row) for row in rows}) == 1
    assert any("waived: The projection tables were not touched" in row for row in rows)


@pytest.mark.parametrize("phase", list(Phase))
def test_a_review_can_be_written_in_every_phase(phase: Phase) -> None:
    incident = make_incident(make_crew(), at=phase)

    result = {Phase.CLOSED: "PASS", Phase.STOOD_DOWN: "STOOD DOWN"}.get(phase, "OPEN")
    assert f"**Result: {result}.**" in exports.review(incident)


@pytest.mark.parametrize(
    "payload",
    ["# Heading", "- [x] done", "<script>x</script>", "a | b", "**bold** _it_", "[link](javascript:x)", "`one tick"],
)
def test_what_people_typed_is_text_in_the_review(payload: str) -> None:
    crew = make_crew()
    incident = make_incident(crew, summary=f"Lag\n{payload}")
    deliver.write_summary(incident, what_happened=payload, root_cause=payload, impact="", by=crew.commander)

    text = exports.review(incident)

    assert text.count("\n# ") == 0
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == 8
    assert "<script>" not in text
    assert not re.search(r"(?<!\\)\[link\]", text)


def test_markdown_keeps_code_and_escapes_the_rest() -> None:
    assert line("Run `npm run *`,\nthen *stop* <now>") == r"Run `npm run *`, then \*stop\* \<now\>"
    assert code("a`b\nc") == "`a'b c`"
    assert table(("A", "Long"), [("bcd", "e")]) == ["| A   | Long |", "| --- | ---- |", "| bcd | e    |"]


def test_the_command_writes_the_review_under_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    incident = make_incident(make_crew(), summary="Projection lag after deploy 1182 – größer")

    call_command("export_review", incident.reference, "--to", str(tmp_path / "docs" / "review"))

    path = tmp_path / "docs" / "review" / "rb-2026-0001-projection-lag-after-deploy-1182-groer.md"
    path = path.with_name(exports.review_name(incident))
    assert capsys.readouterr().out.strip() == str(path)
    assert path.read_text(encoding="utf-8") == exports.review(incident)
    assert re.fullmatch(r"rb-\d{4}-\d{4}-projection-lag-after-deploy-1182-[a-z]+\.md", path.name)


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no incident RB-2026-9999"):
        call_command("export_review", "RB-2026-9999", "--to", str(tmp_path))
    incident = make_incident(make_crew())
    (tmp_path / "file").write_text("x")
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export_review", incident.reference, "--to", str(tmp_path / "file"))


def test_a_name_without_a_single_letter_is_the_reference() -> None:
    incident = make_incident(make_crew(), summary="漢字 🙂")

    assert exports.review_name(incident) == f"{incident.reference.lower()}.md"


# Follow-ups as CSV --------------------------------------------------------------------------------------------------


def test_the_csv_has_a_row_for_each_follow_up_every_cell_quoted() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    add_follow_up(incident, crew, title='Say "no", then stop', acceptance="Line 1\nLine 2", bead_id="bead-1284")

    text = exports.follow_ups_csv(incident)

    assert text == (
        '"incident","number","title","owner","priority","due_on","acceptance","bead_id"\r\n'
        f'"{incident.reference}","1","Say ""no"", then stop","API Lead",'
        '"P1","2026-03-02","Line 1\nLine 2","bead-1284"\r\n'
    )


@pytest.mark.parametrize(
    "payload",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "  =cmd|' /C calc'!A0",
        "＝1+1",
        "＋1",
        "－1",
        "＠x",
        '=HYPERLINK("http://evil.example","x")',
    ],
)
def test_no_cell_begins_a_formula(payload: str) -> None:
    crew = make_crew()
    incident = make_incident(crew)
    add_follow_up(incident, crew, title=payload, owner=payload, acceptance=payload, bead_id=payload)

    head, row = csv.reader(io.StringIO(exports.follow_ups_csv(incident), newline=""))

    assert tuple(head) == COLUMNS
    for name in ("title", "owner", "acceptance", "bead_id"):
        shown = row[COLUMNS.index(name)]
        assert shown[:1] == "'"
        assert shown[1:] == payload.strip()


def test_a_plain_cell_stays_as_it_is() -> None:
    assert [cell(value) for value in ("Guard - drops", "a=b", "", 7)] == ["Guard - drops", "a=b", "", "7"]


# Follow-ups as beads ------------------------------------------------------------------------------------------------


def test_a_bead_line_has_the_fields_of_both_dialects(settings: object) -> None:
    settings.PUBLIC_URL = "https://lastgood.example"
    crew = make_crew()
    with time_machine.travel(AT, tick=False):
        incident = make_incident(crew, summary="Projection lag")
        add_follow_up(incident, crew)

    [row] = exports.follow_ups_beads(incident).splitlines()

    body = (
        f"Follow-up 1 of the rollback RB-2026-0001 ({crew.product}): Projection lag\n\n"
        "AC:\nCI refuses a drop of a column that is read.\n"
    )
    assert json.loads(row) == {
        "id": "rb-2026-0001-1",
        "title": "Guard column drops",
        "description": body,
        "body": body,
        "acceptance_criteria": "CI refuses a drop of a column that is read.",
        "status": "open",
        "priority": 1,
        "issue_type": "task",
        "phase": "governance",
        "owner": "API Lead",
        "labels": ["incident", "rollback"],
        "created_at": "2026-02-21T16:20:06Z",
        "createdAt": "2026-02-21T16:20:06.123Z",
        "updated_at": "2026-02-21T16:20:06Z",
        "updatedAt": "2026-02-21T16:20:06.123Z",
        "due_at": "2026-03-02T00:00:00Z",
        "dependencies": [],
        "blockedBy": [],
        "external_ref": "lastgood:RB-2026-0001/follow-up-1",
        "source_system": "lastgood",
        "metadata": {
            "incidentId": "RB-2026-0001",
            "correlationId": "RB-2026-0001",
            "url": "https://lastgood.example/incidents/RB-2026-0001/",
        },
    }


def test_every_bead_meets_what_both_importers_ask_for() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    for priority in ("P0", "P1", "P2", "P3"):
        add_follow_up(
            incident, crew, title=f"Guard {priority}", priority=priority, acceptance="Two\r\nlines \u2028 and 漢字"
        )

    text = exports.follow_ups_beads(incident)

    assert text.endswith("\n")
    assert "\r\n" not in text
    rows = [json.loads(row) for row in text.split("\n")[:-1]]
    assert [row["priority"] for row in rows] == [0, 1, 2, 3]
    assert len({row["id"] for row in rows}) == 4
    for row in rows:
        assert 0 < len(row["title"]) <= 500
        assert "AC:" in row["body"]
        assert "rollback" in row["body"]
        assert "\r" not in row["body"]
        assert row["owner"]
        assert "closed_at" not in row
        assert not [key for key in row["metadata"] if key.startswith(("bd:", "_"))]


def test_a_known_bead_keeps_its_id_and_a_correction_moves_its_time() -> None:
    crew = make_crew()
    with time_machine.travel(AT, tick=False) as hand:
        incident = make_incident(crew)
        add_follow_up(incident, crew, bead_id="bead-1284")
        first = exports.follow_ups_beads(incident)
        assert exports.follow_ups_beads(incident) == first
        hand.shift(3600)
        row = incident.follow_ups.get()
        correct.record(incident, row, "title", "Guard every column drop", by=crew.commander, reason="Too narrow")

    bead = json.loads(exports.follow_ups_beads(incident))

    assert (json.loads(first)["id"], bead["id"], bead["title"]) == ("bead-1284", "bead-1284", "Guard every column drop")
    assert (bead["created_at"], bead["updated_at"]) == ("2026-02-21T16:20:06Z", "2026-02-21T17:20:06Z")


def test_an_incident_without_follow_ups_exports_no_line() -> None:
    assert exports.follow_ups_beads(make_incident(make_crew())) == ""
