"""The board of one incident: everything the war room shows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from incidents.board.parts import AreaState, Blocker, ConfirmationState, GateState, Lane, MeasureState, TimelineRow
from incidents.models import (
    Action,
    CycleOwner,
    EvidenceChain,
    Freeze,
    FreezeException,
    Incident,
    Proposal,
    RosterEntry,
    Target,
)
from incidents.runbook.content import Clause
from incidents.steps import unfreeze
from incidents.terms import NoticeKind, Role


@dataclass
class Board:
    """Everything the war room shows. Built by `of`; rows are read once."""

    incident: Incident
    at: datetime
    freeze: Freeze
    measures: list[MeasureState]
    exceptions: list[FreezeException]
    target: Target | None
    confirmations: list[ConfirmationState]
    lanes: list[Lane]
    areas: list[AreaState]
    gates: list[GateState]
    preconditions: list[unfreeze.Precondition]
    stages: list[unfreeze.Stage]
    owners: list[CycleOwner]
    proposals: list[Proposal]
    next_update_at: datetime | None
    next_notice: NoticeKind | None
    timeline: list[TimelineRow]
    head: EvidenceChain
    deliverables: tuple[Clause, ...]
    undelivered: dict[str, str]
    roster: list[RosterEntry]
    blockers: list[Blocker] = field(default_factory=list)
    rail: list[dict[str, Any]] = field(default_factory=list)

    @property
    def commander(self) -> Any:
        held = next((lane.membership for lane in self.lanes if lane.role == Role.COMMANDER), None)
        return held.user if held else None

    @property
    def is_update_overdue(self) -> bool:
        return self.next_update_at is not None and self.at > self.next_update_at

    @property
    def actions(self) -> list[Action]:
        return [action for lane in self.lanes for action in lane.actions]

    @property
    def settled_actions(self) -> int:
        return sum(action.is_settled for action in self.actions)

    @property
    def complete_areas(self) -> int:
        return sum(area.is_complete for area in self.areas)

    @property
    def clear_gates(self) -> int:
        return sum(not state.blockers for state in self.gates)

    @property
    def fingerprint(self) -> str:
        """Changes with what the war room shows: with the log, and with what lapses by itself."""
        lapsing = [[b.kind, b.sentence] for b in self.blockers], [p.pk for p in self.proposals], len(self.exceptions)
        return hashlib.sha256(f"{self.head.hash} {lapsing} {self.is_update_overdue}".encode()).hexdigest()[:16]

    @property
    def stable_for(self) -> timedelta:
        """How long the delivered system has been unchanged, at most the product's stability window."""
        return min(self.at - self.incident.changed_at, self.stability)

    @property
    def stability(self) -> timedelta:
        return timedelta(seconds=self.incident.product.stability_seconds)
