"""The log as lines: as it reads now or as it was known at a moment, and corrections of a line."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from django.http import Http404
from ninja import Query, Router
from pydantic import BaseModel, Field

from incidents import board, clock
from incidents.api.found import ApiRequest, Misnamed, incident_of
from incidents.api.shapes import Acted, acted
from incidents.api.strict import Given, Moment, Text, Why
from incidents.board import TimelineRow
from incidents.steps import correct
from incidents.steps.text import NOTE
from incidents.terms import Kind

MOST_ROWS = 200
_LARGEST = 2**53
router = Router(tags=["evidence"])


class Line(BaseModel):
    """One entry as it reads after its corrections."""

    seq: int
    kind: Kind
    sentence: str
    happened_at: datetime = Field(description="When it happened; `recorded_at`, where nothing else was said.")
    recorded_at: datetime
    by: str = Field(description="The person's name, or `Lastgood`.")
    role: str
    second: str
    corrects: int | None = Field(description="The entry that this one corrects.")
    corrected_by: list[int] = Field(description="The entries that corrected this one, oldest first.")
    first_said: str | None = Field(description="The words as they were recorded, where other words stand now.")
    first_happened_at: datetime | None = Field(description="The time as it was recorded, where another stands now.")
    hash: str


class Timeline(BaseModel):
    """A page of the log, newest first."""

    known: datetime | None = Field(description="As of which moment the log is shown; null means now.")
    recorded_since: int = Field(description="How many entries were recorded after that moment.")
    lines: list[Line]
    next: int | None = Field(description="Give it as `before` for the next page; null on the last.")


class Asked(Given):
    known: Moment | None = Field(
        None, description="Show only what was recorded by then, uncorrected by anything later."
    )
    show: Literal[tuple(board.GROUPS)] | None = None  # type: ignore[valid-type]
    before: int | None = Field(None, ge=1, le=_LARGEST, description="Only entries with a smaller number.")
    limit: int = Field(100, ge=1, le=MOST_ROWS)


class EntryCorrection(Why):
    text: Text | None = Field(None, min_length=1, max_length=NOTE, description="What it should say; null leaves it.")
    happened_at: Moment | None = Field(None, description="When it happened; null leaves it.")


@router.get("/{ref}/evidence/timeline", response=Timeline, summary="Read the log as lines")
def read_timeline(request: ApiRequest, ref: str, asked: Query[Asked]) -> Timeline:
    """The log as people read it, with `known` as it stood at a moment: later entries are not there and correct
    nothing. `evidence.jsonl` is the log itself.
    """
    _check_names(request)
    incident = incident_of(request, ref)
    if asked.known and asked.known > clock.now():
        raise Misnamed("known", f"{clock.utc_text(asked.known)} is still to come.")
    page = board.log_page(
        incident,
        limit=asked.limit,
        before=asked.before,
        kinds=board.kinds_of(asked.show or ""),
        known=asked.known,
    )
    return Timeline(
        known=asked.known, recorded_since=page.since, lines=[_line(row) for row in page.rows], next=page.older_than
    )


@router.post("/{ref}/evidence/{int:seq}/correct", response=Acted, summary="Correct an entry of the log")
def correct_entry(request: ApiRequest, ref: str, seq: int, body: EntryCorrection) -> Acted:
    """Put the words or the time of an entry right. The entry stays as it was written; a new one names it, and `id` is
    that one's number. Of a correction, the entry that it corrects is meant.
    """
    incident = incident_of(request, ref)
    if correct.line_of(incident, seq) is None:
        raise Http404("The log of this incident has no such entry.")
    made = correct.entry(incident, seq, by=request.auth.user, **body.model_dump())
    return acted(incident, made.seq)


def _check_names(request: ApiRequest) -> None:
    """A misspelt `known` would show what nobody knew then."""
    for name, values in request.GET.lists():
        if name not in Asked.model_fields or len(values) > 1:
            raise Misnamed(name[:60], f"Each filter once: {', '.join(Asked.model_fields)}.")


def _line(row: TimelineRow) -> Line:
    return Line(
        seq=row.seq,
        kind=Kind(row.kind),
        sentence=row.sentence,
        happened_at=row.event_at,
        recorded_at=row.at,
        by=row.actor,
        role=row.role,
        second=row.second,
        corrects=row.corrects,
        corrected_by=list(row.corrected_by),
        first_said=row.first_said or None,
        first_happened_at=row.first_happened_at,
        hash=row.hash,
    )
