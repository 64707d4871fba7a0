"""Declare, continued: level, note, stand-down and corrections of an incident."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Literal

from ninja import Router
from pydantic import Field

from incidents.api.found import ApiRequest, Misnamed, incident_of, row_of
from incidents.api.shapes import Acted, Proposed, acted, proposed
from incidents.api.strict import Given, Moment, Text, Why, link_of
from incidents.models import Incident
from incidents.steps import correct, declare, four_eyes
from incidents.terms import Act, Level, Priority

router = Router(tags=["declare"])


class LevelChange(Why):
    level: Level


class Knowledge(Why):
    need_to_know: bool = Field(description="Only its own people and auditors may know of it.")


class Note(Given):
    text: Text = Field(min_length=1, max_length=4000)
    personal: bool = Field(False, description="It speaks of a person: kept apart from the log, and can be erased.")
    happened_at: Moment | None = Field(None, description="When it happened, where that is not now.")


class Correction(Why):
    row: Literal["incident", "target", "follow_up", "safeguard"]
    id: int | None = Field(None, ge=1, strict=True, description="Of the row; a follow-up's number. None for incident.")
    field: Text = Field(max_length=40)
    value: Text = Field(min_length=1, max_length=4000)


@router.post("/{ref}/declare/raise-level", response=Acted)
def raise_level(request: ApiRequest, ref: str, body: LevelChange) -> Acted:
    """Widen the rollback; new work appears."""
    incident = incident_of(request, ref)
    declare.raise_level(incident, body.level, by=request.auth.user, reason=body.reason)
    return acted(incident)


@router.post("/{ref}/declare/need-to-know", response=Acted)
def limit_knowledge(request: ApiRequest, ref: str, body: Knowledge) -> Acted:
    """Close the incident to all but its own people and auditors, or open it again."""
    incident = incident_of(request, ref)
    declare.limit_knowledge(incident, body.need_to_know, by=request.auth.user, reason=body.reason)
    return acted(incident)


@router.post("/{ref}/declare/lower-level", response={202: Proposed})
def lower_level(request: ApiRequest, ref: str, body: LevelChange) -> Proposed:
    """Narrow the rollback, once a second person confirms."""
    incident = incident_of(request, ref)
    return proposed(
        four_eyes.propose(incident, Act.LOWER_LEVEL, by=request.auth.user, reason=body.reason, level=body.level.value)
    )


@router.post("/{ref}/declare/stand-down", response={202: Proposed})
def stand_down(request: ApiRequest, ref: str, body: Why) -> Proposed:
    """End a false alarm, once a second person confirms."""
    incident = incident_of(request, ref)
    return proposed(four_eyes.propose(incident, Act.STAND_DOWN, by=request.auth.user, reason=body.reason))


@router.post("/{ref}/declare/note", response={201: Acted})
def note(request: ApiRequest, ref: str, body: Note) -> Acted:
    """Write something down in the incident notes."""
    incident = incident_of(request, ref)
    declare.add_note(incident, by=request.auth.user, **body.model_dump())
    return acted(incident)


@router.post("/{ref}/declare/correct", response=Acted)
def correct_record(request: ApiRequest, ref: str, body: Correction) -> Acted:
    """Put a wrong text right; the log keeps the old and the new value."""
    incident = incident_of(request, ref)
    row = _row(incident, body)
    correct.record(incident, row, body.field, _value(row, body), by=request.auth.user, reason=body.reason)
    return acted(incident)


def _row(incident: Incident, body: Correction) -> Any:
    if body.row == "incident":
        return incident
    if body.id is None:
        raise Misnamed("id", "Say which row is meant.")
    if body.row == "follow_up":
        return row_of(incident.follow_ups, "follow-up", number=body.id)
    return row_of(incident.targets if body.row == "target" else incident.safeguards, body.row, pk=body.id)


_READ: dict[str, Callable[[str], Any]] = {"priority": Priority, "due_on": date.fromisoformat, "link": link_of}


def _value(row: Any, body: Correction) -> Any:
    """The new value, if the column can hold it."""
    known = {field.name: field for field in row._meta.fields}
    if body.field not in known:
        return body.value  # the step refuses it in its own words
    longest = known[body.field].max_length
    if longest and len(body.value) > longest:
        raise Misnamed("value", f"At most {longest} characters.")
    try:
        return _READ.get(body.field, str)(body.value)
    except ValueError as error:
        raise Misnamed("value", "This is not a value of that field.") from error
