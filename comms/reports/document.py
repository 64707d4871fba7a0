"""The report's text: the facts of one moment, laid into the templates of templates/report/."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from django.db import transaction
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from comms.facts import Facts, facts_of
from comms.templatetags.paper import NBSP, SIGNS, day
from incidents import clock
from incidents.board import TimelineRow
from incidents.evidence import checkpoints, keys, log
from incidents.models import Incident
from incidents.steps.base import locked
from incidents.terms import ActionState

MOST_ROWS = 2000
MOST_ATTACHED = 8 * 2**20
SETTLED = (ActionState.SUCCEEDED, ActionState.WAIVED)


@dataclass(frozen=True)
class Written:
    """A report ready to be rendered, and the entry of the log it was written at."""

    html: str
    seq: int
    identifier: str
    evidence: bytes
    at: datetime | None


@dataclass(frozen=True)
class Signed:
    """The checkpoint of the log at this moment and the key to verify it with, or why there is none."""

    note: str = ""
    key: str = ""
    fault: str = ""


def written(incident: Incident) -> Written:
    """Write the report of an incident as it is now. No step runs meanwhile, so every page tells of one moment."""
    with transaction.atomic():
        current = locked(incident.pk)
        facts = facts_of(current, timeline_rows=MOST_ROWS)
        verdict = log.verify(current.chain)
        evidence = _small(log.jsonl(current.chain))
        signed = _signed(current)
    name = f"{facts.reference}/{facts.chain.seq}/{facts.chain.head}"
    return Written(
        html=html_of(
            facts,
            fault="" if verdict.is_intact else verdict.reason,
            is_attached=bool(evidence),
            checkpoint=signed,
        ),
        seq=facts.chain.seq,
        identifier=hashlib.sha256(name.encode()).hexdigest()[:32],
        evidence=evidence,
        at=facts.chain.at,
    )


def _signed(incident: Incident) -> Signed:
    """A report is written also where nothing can be signed, and then says so."""
    try:
        found = checkpoints.sign(incident.chain, "report")
    except (checkpoints.Uncertain, keys.NoKey) as error:
        return Signed(fault=str(error))
    return Signed(found.note, str(keys.signer().verifier)) if found else Signed(fault="The log is empty.")


def _small(lines: Iterable[bytes]) -> bytes:
    """The exported log if it is small enough to be attached, nothing otherwise."""
    found = bytearray()
    for line in lines:
        found += line
        if len(found) > MOST_ATTACHED:
            return b""
    return bytes(found)


def html_of(facts: Facts, *, fault: str = "", is_attached: bool = False, checkpoint: Signed | None = None) -> str:
    """The whole report as HTML.

    Args:
        fault: what a verification of the evidence chain found; empty when it is intact.
        is_attached: whether the exported log travels with the PDF.
        checkpoint: what was signed of the log at this moment.
    """
    points = {step.key: step.points for step in facts.book.steps}
    context = {
        "facts": facts,
        "levels": facts.book.levels.values(),
        **{f"{word}_points": points[word] for word in ("declare", "target", "verify", "unfreeze")},
        "settled_actions": sum(action.state in SETTLED for action in facts.actions),
        "passing_gates": sum(gate.passes for gate in facts.gates),
        "fault": fault,
        "timeline": timeline(facts.timeline),
        "left_out": facts.chain.seq - len(facts.timeline),
        "most_rows": MOST_ROWS,
        "is_attached": is_attached,
        "checkpoint": checkpoint,
    }
    return render_to_string("report/report.html", context)


def timeline(rows: Iterable[TimelineRow]) -> SafeString:
    """The log as paragraphs under their days, joined once: two thousand includes would cost a second."""
    parts = []
    for date, of_day in groupby(rows, key=lambda row: row.at.astimezone(UTC).date()):
        parts.append(f"<h2>{day(date)}</h2>")
        parts += _lines(of_day)
    return mark_safe("".join(parts))  # noqa: S308 - every value is escaped below


def _lines(rows: Iterable[TimelineRow]) -> Iterator[str]:
    for row in rows:
        place = f"{row.seq:>5}  {row.event_at.astimezone(UTC):%H:%M:%S}".replace(" ", NBSP)
        who = f"{row.actor}, {row.role}" if row.role else row.actor
        second = f", second person {row.second}" if row.second else ""
        yield (
            f'<p class="entry {row.tone}"><code>{place}</code><b>{SIGNS.get(row.tone, "●")}</b>{escape(row.sentence)} '
            f"<small>{escape(who + second)}{''.join(_aside(row))}</small></p>"
        )


def _aside(row: TimelineRow) -> Iterator[str]:
    """When it was recorded, where that is another time, and what a correction changed."""
    if row.event_at.astimezone(UTC).date() != row.at.astimezone(UTC).date():
        yield f" · on {day(row.event_at.astimezone(UTC))}"
    yield from (f" · {words.replace('entry ', f'entry{NBSP}')}" for words in (row.recorded, row.correction) if words)
    if row.first_said:
        yield f"; first: <del>{escape(row.first_said)}</del>"
    if row.first_happened_at:
        yield f"; first dated <del>{clock.utc_text(row.first_happened_at)}</del>"
