"""The cleanup areas with their items, and the evidence they ask for."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from incidents.api.shapes import Person, person_or_none
from incidents.board import AreaState
from incidents.terms import CleanupState, Role


class ItemStatus(BaseModel):
    key: str
    name: str
    state: CleanupState
    note: str
    by: Person | None
    second: Person | None
    settled_at: datetime | None


class WantedEvidence(BaseModel):
    key: str
    name: str
    exhibits: list[int]


class AreaStatus(BaseModel):
    key: str
    name: str
    owner: Role
    action_set: str
    evidence_to_capture: str
    items: list[ItemStatus]
    evidence: list[WantedEvidence]
    missing: list[str]


def area_status(state: AreaState) -> AreaStatus:
    text = state.text
    return AreaStatus(
        key=text.key,
        name=text.name,
        owner=text.owner,
        action_set=text.action_set,
        evidence_to_capture=text.evidence_to_capture,
        items=[
            ItemStatus(
                key=item.key,
                name=item.name,
                state=CleanupState(item.state),
                note=item.note,
                by=person_or_none(item.by),
                second=person_or_none(item.second),
                settled_at=item.settled_at,
            )
            for item in state.items
        ],
        evidence=[
            WantedEvidence(key=key, name=name, exhibits=[exhibit.pk for exhibit in brought])
            for key, name, brought in state.evidence
        ],
        missing=state.missing,
    )
