"""The shapes of what is known of an incident. Plain and frozen: nothing here can be called back into the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from incidents.board import TimelineRow
from incidents.runbook import Runbook


@dataclass(frozen=True)
class LevelFact:
    code: str
    name: str
    scope: str
    typical_use: str

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


@dataclass(frozen=True)
class RoleFact:
    """One of the runbook's roles; `holders` are all who held it, the last one now."""

    name: str
    title: str
    responsibility: str
    holders: tuple[str, ...]
    accepted_at: datetime | None

    @property
    def holder(self) -> str:
        return self.holders[-1] if self.holders else ""


@dataclass(frozen=True)
class ExceptionFact:
    subject: str
    measure: str
    environment: str
    reason: str
    asked_by: str
    second: str
    allowed_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True)
class MeasureFact:
    """One row of the freeze; promotions and deploys have one for each environment."""

    name: str
    environment: str
    text: str
    since: datetime
    lifted_at: datetime | None


@dataclass(frozen=True)
class ConfirmationFact:
    name: str
    text: str
    owner: str
    note: str = ""
    by: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class TargetFact:
    kind: str
    identifier: str
    reason: str
    chosen_by: str
    chosen_at: datetime
    replaced_at: datetime | None
    confirmations: tuple[ConfirmationFact, ...]

    def __str__(self) -> str:
        return f"{self.kind.lower()} {self.identifier}"


@dataclass(frozen=True)
class ExhibitFact:
    """A piece of evidence a person brought: a file with its SHA-256, a link or a text."""

    kind: str
    shown: str
    sha256: str
    size: int
    by: str
    at: datetime
    scan: str = ""
    source: str = ""
    collected_at: datetime | None = None


@dataclass(frozen=True)
class AttemptFact:
    number: int
    state: str
    word: str
    how: str
    by: str
    approved_by: str
    begun_at: datetime | None
    finished_at: datetime | None
    sentence: str
    output_sha256: str


@dataclass(frozen=True)
class ActionFact:
    key: str
    track: str
    name: str
    text: str
    owner: str
    stage: int
    state: str
    word: str
    result: str
    finished_at: datetime | None
    attempts: tuple[AttemptFact, ...]
    exhibits: tuple[ExhibitFact, ...]

    def __str__(self) -> str:
        return f"{self.track} {self.name}"


@dataclass(frozen=True)
class TrackFact:
    key: str
    name: str
    actions: tuple[ActionFact, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class CleanupItemFact:
    name: str
    state: str
    word: str
    note: str
    by: str
    second: str
    at: datetime | None


@dataclass(frozen=True)
class EvidenceFact:
    name: str
    exhibits: tuple[ExhibitFact, ...]


@dataclass(frozen=True)
class AreaFact:
    name: str
    owner: str
    action_set: str
    evidence_to_capture: str
    items: tuple[CleanupItemFact, ...]
    evidence: tuple[EvidenceFact, ...]
    is_complete: bool


@dataclass(frozen=True)
class BaselineFact:
    failing_step: str
    kind: str
    proof: str
    not_executed: str
    accepted_by: str
    accepted_at: datetime


@dataclass(frozen=True)
class RiskFact:
    reason: str
    by: str
    second: str
    accepted_at: datetime


@dataclass(frozen=True)
class GateFact:
    """One gate as it stands: `holds` when it passes now or its risk is accepted now."""

    key: str
    name: str
    text: str
    owner: str
    state: str
    word: str
    holds: bool
    passes: bool
    runs: int
    said: str
    by: str
    at: datetime | None
    baseline: BaselineFact | None
    risk: RiskFact | None
    exhibits: tuple[ExhibitFact, ...]


@dataclass(frozen=True)
class PreconditionFact:
    name: str
    text: str
    missing: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.missing


@dataclass(frozen=True)
class StageFact:
    name: str
    is_lifted: bool
    lifted_at: datetime | None


@dataclass(frozen=True)
class OwnerFact:
    area: str
    person: str
    accepted_at: datetime | None


@dataclass(frozen=True)
class NoticeFact:
    """An update as it was issued. `sha256` is of its words, `copies` how each recipient's mail ended.

    `overtaken` says what happened first, where nobody needed it any more.
    """

    kind: str
    name: str
    title: str
    subject: str
    body: str
    sequence: int
    issued_at: datetime
    issued_by: str
    sent_at: datetime | None
    next_update_at: datetime | None
    state: str
    sent: int
    failed: int
    copies: int
    sha256: str
    overtaken: str = ""


@dataclass(frozen=True)
class ReviewFact:
    what_happened: str
    root_cause: str
    impact: str
    owner: str
    no_follow_ups_reason: str
    no_gaps_reason: str
    written_at: datetime


@dataclass(frozen=True)
class FollowUpFact:
    number: int
    title: str
    owner: str
    priority: str
    priority_label: str
    due_on: date
    acceptance: str
    bead_id: str


@dataclass(frozen=True)
class SafeguardFact:
    gap: str
    change: str
    link: str
    by: str
    added_at: datetime


@dataclass(frozen=True)
class DeliverableFact:
    name: str
    text: str
    is_there: bool


@dataclass(frozen=True)
class StandDownFact:
    reason: str
    at: datetime


@dataclass(frozen=True)
class ChainFact:
    """The evidence chain when these facts were read: its size, its head, and when the last entry was written."""

    id: str
    seq: int
    head: str
    at: datetime | None


@dataclass(frozen=True)
class Facts:
    """Everything that is said about one incident, read at one moment."""

    reference: str
    url: str
    product: str
    drill: bool
    phase: str
    phase_word: str
    summary: str
    read_at: datetime
    declared_at: datetime
    declared_by: str
    ended_at: datetime | None
    stood_down: StandDownFact | None
    changed_at: datetime
    level: LevelFact
    trigger: str
    trigger_text: str
    commander: str
    roles: tuple[RoleFact, ...]
    frozen_since: datetime
    frozen_until: datetime | None
    measures: tuple[MeasureFact, ...]
    exceptions: tuple[ExceptionFact, ...]
    target: TargetFact | None
    replaced_targets: tuple[TargetFact, ...]
    tracks: tuple[TrackFact, ...]
    cleanup: tuple[AreaFact, ...]
    gates: tuple[GateFact, ...]
    preconditions: tuple[PreconditionFact, ...]
    stages: tuple[StageFact, ...]
    owners: tuple[OwnerFact, ...]
    next_update_at: datetime | None
    notices: tuple[NoticeFact, ...]
    review: ReviewFact | None
    review_owner: str
    follow_ups: tuple[FollowUpFact, ...]
    safeguards: tuple[SafeguardFact, ...]
    deliverables: tuple[DeliverableFact, ...]
    book: Runbook
    runbook_number: int
    runbook_sha256: str
    chain: ChainFact
    timeline: tuple[TimelineRow, ...] = ()

    @property
    def actions(self) -> tuple[ActionFact, ...]:
        return tuple(action for track in self.tracks for action in track.actions)
