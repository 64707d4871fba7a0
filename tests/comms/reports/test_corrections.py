"""What was corrected reads the same on the page, in the report and in the review; each marks it and shows both."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine

from comms.reports import document
from incidents import board, exports
from incidents.evidence import log
from incidents.models import Incident
from incidents.steps import correct, declare
from incidents.terms import Role
from tests.factories import Crew, make_incident
from tests.incidents.board.given import as_read
from tests.incidents.views.pages import at

pytestmark = pytest.mark.django_db
DECLARED = datetime(2026, 2, 21, 13, 0, tzinfo=UTC)


@pytest.fixture
def incident(crew: Crew) -> Incident:
    """A late note corrected twice, a note of the day before, and a declaration whose time was put right."""
    with time_machine.travel(DECLARED, tick=False) as hand:
        incident = make_incident(crew)
        hand.move_to(DECLARED + timedelta(minutes=92))
        lead, said = crew[Role.API_LEAD], {"by": crew.commander, "reason": "Typing error"}
        declare.add_note(incident, by=lead, text="Lag is <bakc>", happened_at=DECLARED + timedelta(minutes=70))
        declare.add_note(incident, by=lead, text="Alarms began", happened_at=DECLARED - timedelta(hours=13, minutes=10))
        correct.entry(incident, 7, text="Lag is <back>", **said)
        correct.entry(incident, 7, happened_at=DECLARED + timedelta(minutes=65), **said)
        correct.entry(incident, 1, happened_at=DECLARED - timedelta(minutes=4), **said)
    return incident


def paragraphs(incident: Incident) -> list[str]:
    """The report's timeline as its reader sees it, an entry a line."""
    html = document.written(incident).html
    found = re.findall(r'<p class="entry [^"]*">(.*?)</p>', html, re.DOTALL)
    return [re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", one))).strip() for one in found]


def test_the_report_shows_both_times_and_both_wordings(incident: Incident) -> None:
    lines = paragraphs(incident)

    assert lines[6].startswith("7 14:05:00 ● Lag is <back>")
    assert lines[6].endswith(
        "API Lead · recorded 14:32 · corrected, entry 10; first: Lag is <bakc> ; first dated 2026-02-21 14:10 UTC"
    )
    assert lines[7].endswith("API Lead · on 20 February 2026 · recorded 21 Feb 14:32")
    assert lines[7].startswith("8 23:50:00")
    assert lines[0].startswith("1 12:56:00")
    assert lines[8].endswith("· corrects entry 7")


def test_page_report_and_review_agree(crew: Crew, incident: Incident) -> None:
    rows: dict[int, Any] = {row.seq: row for row in board.timeline(as_read(incident), limit=100)}
    page = at(incident, crew.commander).open("evidence").content.decode()
    lines = paragraphs(incident)

    for seq, row in rows.items():
        [line] = re.findall(rf'id="entry-{seq}">(.*?)</details>', page, re.DOTALL)
        shown = unescape(re.sub(r"<[^>]+>", "", line))
        for said in filter(None, (row.sentence, row.recorded, row.correction, f"{row.event_at:%H:%M}")):
            assert said in shown
            assert said in lines[seq - 1]
    turn = f"- 2026-02-21 12:56 UTC: {rows[1].sentence} (recorded 13:00, corrected, entry 11)\n"
    assert turn in exports.review(incident)


def test_nothing_of_the_log_changes_by_being_corrected(crew: Crew, incident: Incident) -> None:
    before = list(log.jsonl(incident.chain))

    correct.entry(incident, 7, text="Lag is gone", by=crew.commander, reason="Seen again")

    after = list(log.jsonl(incident.chain))
    assert after[:-1] == before
    assert log.verify(incident.chain).count == len(after) == len(before) + 1
