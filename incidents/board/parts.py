"""The parts of a board: small values that a page shows as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from incidents.models import (
    AcceptedRisk,
    Action,
    CleanupItem,
    Confirmation,
    Exhibit,
    FreezeMeasure,
    Gate,
    GateRun,
    Membership,
)
from incidents.runbook.content import CleanupArea, ConfirmationText, MeasureText, RoleText
from incidents.terms import CleanupState, GateOutcome, Measure, Role


@dataclass(frozen=True)
class Blocker:
    """One sentence that stands against unfreeze, who clears it, and where.

    `role` clears it; where any of several may, `roles` has them all. Nobody clears what they asked for themselves.
    """

    sentence: str
    url: str
    who: str
    kind: str = "due"
    verb: str = "Open"
    role: Role | None = None
    roles: frozenset[Role] = frozenset()
    asked_by: int | None = None

    def is_for(self, held: frozenset[Role], user_id: int) -> bool:
        return self.asked_by != user_id and bool(held & (self.roles or {self.role}))


_SIGNS = {
    Measure.MERGES: "merge",
    Measure.CLAIMS: "claim",
    Measure.PROMOTIONS: "promote",
    Measure.DEPLOYS: "deploy",
}


@dataclass(frozen=True)
class MeasureState:
    """One of the four freezes with its rows; promotions and deploys have one per environment."""

    measure: Measure
    text: MeasureText
    rows: list[FreezeMeasure]

    @property
    def in_force(self) -> bool:
        return any(row.in_force for row in self.rows)

    @property
    def state(self) -> str:
        held = [row for row in self.rows if row.in_force]
        return "frozen" if len(held) == len(self.rows) else "due" if held else "ok"

    @property
    def word(self) -> str:
        return {"frozen": "Frozen", "due": "Partly lifted", "ok": "Lifted"}[self.state]

    @property
    def held_environments(self) -> list[str]:
        return [row.environment.name for row in self.rows if row.in_force and row.environment]

    @property
    def since(self) -> datetime:
        return max(row.since for row in self.rows)

    @property
    def sign(self) -> str:
        """The drawing that stands for the measure."""
        return _SIGNS[self.measure]

    @property
    def note(self) -> str:
        """What still passes, or where it still holds, in a few words."""
        if self.state == "due":
            return f"still into {', '.join(self.held_environments)}"
        if self.state == "ok":
            return "open again"
        if self.text.allowed_labels:
            return f"only {', '.join(self.text.allowed_labels)}"
        if self.text.allowed_roles:
            return "only rollback owners"
        return ", ".join(self.held_environments)


@dataclass(frozen=True)
class ConfirmationState:
    text: ConfirmationText
    done: Confirmation | None


@dataclass(frozen=True)
class GateState:
    """A gate with its last run and what it says now: pass, fail, error, stale, accepted, running or not run."""

    gate: Gate
    run: GateRun | None
    running: GateRun | None
    risk: AcceptedRisk | None
    is_stale: bool
    blockers: list[str]

    @property
    def kind(self) -> str:
        if self.running:
            return "run"
        if self.risk:
            return "due"
        if self.run is None or self.is_stale:
            return "wait"
        return "ok" if self.run.outcome == GateOutcome.PASS else "bad"

    @property
    def word(self) -> str:
        if self.running:
            return "Running"
        if self.risk:
            return "Risk accepted"
        if self.run is None:
            return "Not run"
        label = str(GateOutcome(self.run.outcome).label)
        return f"{label}, stale" if self.is_stale else label


@dataclass(frozen=True)
class AreaState:
    """One cleanup area: its items, what was brought as evidence, and what is missing."""

    text: CleanupArea
    items: list[CleanupItem]
    evidence: list[tuple[str, str, list[Exhibit]]]
    missing: list[str]

    @property
    def is_complete(self) -> bool:
        return not self.missing

    @property
    def settled(self) -> int:
        return sum(item.state != CleanupState.OPEN for item in self.items)


@dataclass(frozen=True)
class Duty:
    """One line of a lane: what is owed, how it stands, and since when or how long it took."""

    label: str
    url: str
    kind: str
    word: str = ""
    at: datetime | None = None
    took: timedelta | None = None
    since: datetime | None = None
    due_at: datetime | None = None


@dataclass(frozen=True)
class Lane:
    """A role, who holds it, and the actions it owns."""

    role: Role
    text: RoleText
    membership: Membership | None
    actions: list[Action]
    duties: list[Duty] = field(default_factory=list)

    @property
    def is_accepted(self) -> bool:
        return self.membership is not None and self.membership.is_accepted


@dataclass(frozen=True)
class TimelineRow:
    """One entry as a line, as it reads after its corrections; `body`, `hash` and `prev` are as they were written.

    Attributes:
        at: when it was recorded.
        happened_at: when it happened, where that is not the moment of recording.
        corrected_by: the entries that corrected it, oldest first.
        corrects: the entry that this one corrects.
        first_said: the words as they were recorded, where other words stand now.
        first_happened_at: the event time as it was recorded, where another stands now.
    """

    seq: int
    at: datetime
    kind: str
    tone: str
    sentence: str
    actor: str
    role: str
    second: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    hash: str = ""
    prev: str = ""
    happened_at: datetime | None = None
    corrected_by: tuple[int, ...] = ()
    corrects: int | None = None
    first_said: str = ""
    first_happened_at: datetime | None = None

    @property
    def event_at(self) -> datetime:
        return self.happened_at or self.at

    @property
    def recorded(self) -> str:
        """When it was recorded, where a line that shows the minute of the event would not say so."""
        if self.happened_at is None:
            return ""
        event, at = self.happened_at.astimezone(UTC), self.at.astimezone(UTC)
        if event.replace(second=0, microsecond=0) == at.replace(second=0, microsecond=0):
            return ""
        day = "" if event.date() == at.date() else f"{at.day} {at:%b} "
        return f"recorded {day}{at:%H:%M}"

    @property
    def who(self) -> str:
        who = f"{self.actor}, {self.role}" if self.role else self.actor
        return f"{who} with {self.second}" if self.second else who

    @property
    def correction(self) -> str:
        """Which entry corrected this one last, or which one it corrects."""
        if self.corrected_by:
            return f"corrected, entry {self.corrected_by[-1]}"
        return f"corrects entry {self.corrects}" if self.corrects else ""

    @property
    def note(self) -> str:
        return " · ".join(filter(None, (self.recorded, f"entry {self.seq}", self.who, self.correction)))


@dataclass(frozen=True)
class ProposalState:
    """An act that waits for a second person, worded for the one who looks at it."""

    what: str
    why: str
    by: Any
    at: datetime
    expires_at: datetime
    pk: int
    act: str
    why_not: str
    can_withdraw: bool

    @property
    def can_confirm(self) -> bool:
        return not self.why_not
