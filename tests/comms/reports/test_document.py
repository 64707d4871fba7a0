"""The report says all that is known: the runbook's sentences, what was done, and nothing that a person smuggled in."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from comms.facts import facts_of
from comms.reports import document
from incidents.models import EvidenceEntry
from incidents.runbook.content import SHIPPED, parse
from incidents.steps import declare, deliver
from incidents.terms import Level, Phase
from tests.comms.world import eventful_incident
from tests.factories import Crew, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]
BOOK = parse(SHIPPED.read_text(encoding="utf-8"))


def words_of(html: str) -> str:
    """The text a reader sees, in one line."""
    apart = re.sub(r"<(br|small|/p|/t[dhr]|/h\d|/li|/div)\b[^>]*>", " ", html.partition("<body")[2])
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", apart)).replace("\u00a0", " "))


def sentences() -> list[str]:
    found = [BOOK.purpose, *BOOK.objectives, BOOK.trigger_rule, BOOK.measure_rule, BOOK.title]
    for role in BOOK.roles.values():
        found += [role.name, role.title, role.responsibility]
    found += [trigger.text for trigger in BOOK.triggers] + [measure.text for measure in BOOK.measures.values()]
    for level in BOOK.levels.values():
        found += [level.scope, level.typical_use]
    found += [point for step in BOOK.steps for point in step.points] + [step.name for step in BOOK.steps]
    found += [row.text for row in BOOK.confirmations.values()]
    for track in BOOK.tracks:
        found += [f"{track.track.value}) {track.name}", *(action.text for action in track.actions)]
    for area in BOOK.cleanup:
        found += [area.name, area.action_set, area.evidence_to_capture, *(row.name for row in area.items)]
    found += [gate.text for gate in BOOK.gates] + [clause.text for clause in (*BOOK.preconditions, *BOOK.deliverables)]
    return [sentence.replace("`", "") for sentence in found if sentence]


# Points whose content stands in the report as the act itself, not as the runbook's instruction.
SAID_BY_THE_ACT = {
    "Confirm associated migration state and environment configuration.",
}


def test_every_sentence_of_the_runbook_that_has_a_home_is_in_the_report(crew: Crew) -> None:
    text = words_of(document.html_of(facts_of(eventful_incident(crew))))

    assert [sentence for sentence in sentences() if sentence not in text and sentence not in SAID_BY_THE_ACT] == []


def test_the_report_tells_what_happened(crew: Crew) -> None:
    incident = eventful_incident(crew)

    text = words_of(document.written(incident).html)

    for said in (
        "Hash-chain gap after projection migration 0412",
        f"{incident.reference} · Portarium",
        "L3 Code, data, evidence and credentials",
        "Closed 21 Feb 2026",
        "✓ Evidence chain intact",
        "The migration took no lock on the chain's head row.",
        "2 h 26 min",
        "Commit dbe79f1",
        "replaced 21 Feb 2026",
        "Entry 48 211, event offset 9 114 020.",
        "portarium/core#1190",
        "Carries the fix for the chain verifier itself",
        "Attempt 1 failed. GET /v1/runs answers 500: the old worker still serves it",
        "The projection tables were not touched",
        "package.json mismatches since dbe79f1",
        "21 later steps, from ci:validate-k8s-policies to audit-high",
        "The 21 steps ran green one by one on dbe79f1 Mara Lind, second person Tom Okafor",
        "Portarium rollback complete - controlled unfreeze",
        "✓ Sent to 2 of 2",
        "Lock the head row in every migration that touches projections",
        "bead-1284",
        "Migrations now wait for the writer's advisory lock",
        "before: Ada Łukasik",
        "Incident closed",
    ):
        assert said in text


def test_a_drill_is_marked_on_every_page_and_on_the_cover(crew: Crew) -> None:
    html = document.written(make_incident(crew, drill=True)).html

    assert '<body class="drill">' in html
    assert "Practice: nothing in this report was a real incident." in html
    assert re.search(r'class="running-left">[^<]*DRILL', html)


@pytest.mark.one_engine
@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("level", [Level.L1, Level.L3])
def test_a_report_can_be_written_in_every_phase(crew: Crew, phase: Phase, level: Level) -> None:
    incident = make_incident(crew, at=phase, level=level)

    written = document.written(incident)

    assert incident.reference in written.html
    assert written.seq == EvidenceEntry.objects.filter(chain__incident=incident).count()


def test_gaps_are_named_where_something_is_missing(crew: Crew) -> None:
    text = words_of(document.written(make_incident(crew)).html)

    for gap in (
        "The incident summary has not been written yet.",
        "No target has been chosen yet.",
        "The rollback plan has not been made yet.",
        "No update has been issued.",
        "No follow-up is listed yet.",
        "No safeguard is recorded yet.",
    ):
        assert gap in text


class Tags(HTMLParser):
    """Collects what a parser makes of the markup."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.sources: set[str | None] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sources |= {value for name, value in attrs if name == "src"}


@pytest.mark.parametrize(
    "payload",
    [
        "<script>alert(1)</script>",
        '<img src="file:///etc/hostname">',
        "<link rel=attachment href='file:///etc/hostname'>",
        "<style>@import 'http://127.0.0.1/x'</style>",
        '"><iframe src=//evil.example>',
        "</p><object data='file:///etc/hostname'>",
        "{{ facts.chain }}{% include 'x' %}",
    ],
)
def test_what_people_typed_is_text_everywhere(crew: Crew, payload: str) -> None:
    incident = make_incident(crew, summary=payload)
    declare.add_note(incident, by=crew.commander, text=payload)
    deliver.write_summary(
        incident, what_happened=payload, root_cause=payload, impact=payload, by=crew.commander, no_gaps_reason=payload
    )

    html = document.written(incident).html

    tags = Tags()
    tags.feed(html)
    assert words_of(html).count(payload) >= 5
    assert not tags.found & {"script", "iframe", "object", "style"}
    assert tags.sources == {"asset:mark.svg"}
    assert not tags.attributes & {"srcset", "onload", "data", "style"}


def test_a_long_log_is_cut_with_a_note_that_says_where_the_rest_is(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MOST_ROWS", 4)
    incident = make_incident(crew)

    html = document.written(incident).html

    assert html.count('class="entry ') == 4
    assert "These are the first 4 entries. The other 2 are in evidence.jsonl" in words_of(html)
    assert words_of(html).index("Rollback mode declared for Portarium") < words_of(html).index("API Lead accepted")


def test_facts_are_read_with_as_many_statements_for_a_long_log(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            facts_of(incident, timeline_rows=2000)
        return len(queries)

    few = statements()
    for number in range(30):
        declare.add_note(incident, by=crew.commander, text=f"Note {number}")

    assert statements() == few <= 10
