"""The rule of the freeze as a pure function: one question, the facts of the active freeze, one decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from incidents.terms import Level, Measure, Role


class Operation(StrEnum):
    """What a pipeline or an agent is about to do."""

    MERGE = "merge"
    CLAIM = "claim"
    PROMOTE = "promote"
    DEPLOY = "deploy"

    @property
    def measure(self) -> Measure:
        return _MEASURES[self]


_MEASURES = {
    Operation.MERGE: Measure.MERGES,
    Operation.CLAIM: Measure.CLAIMS,
    Operation.PROMOTE: Measure.PROMOTIONS,
    Operation.DEPLOY: Measure.DEPLOYS,
}


@dataclass(frozen=True)
class Question:
    """One thing that is about to happen, and who or what it is.

    `environment` is where a promotion or deploy leads to; without one, every environment must be open.
    """

    operation: Operation
    subject: str = ""
    labels: frozenset[str] = frozenset()
    actor: str = ""
    environment: str = ""


@dataclass(frozen=True)
class Facts:
    """The committed state of an active freeze, as far as one question touches it.

    `held_since` is None where the measure is lifted; `actor_roles` are those the actor holds and has accepted.
    """

    incident: str
    level: Level
    level_name: str
    commander: str
    drill: bool
    held_since: datetime | None
    allowed_labels: frozenset[str] = frozenset()
    allowed_roles: frozenset[Role] = frozenset()
    actor_roles: frozenset[Role] = frozenset()
    exception: int | None = None
    exception_until: datetime | None = None


@dataclass(frozen=True)
class Decision:
    allowed: bool
    reason: str
    since: datetime | None = None
    exception: int | None = None


def decide(question: Question, facts: Facts | None, at: datetime) -> Decision:
    """Allow or deny. The reason names reference, level and commander, never a text that people wrote.

    Args:
        facts: None where no freeze is active.
    """
    if facts is None:
        return Decision(True, "No freeze is active.")
    if facts.held_since is None:
        return Decision(True, f"{question.operation.measure.label} are lifted in {facts.incident}.")
    if facts.exception_until and facts.exception_until > at:
        until = f"{facts.exception_until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        reason = f"Exception {facts.exception} of {facts.incident} lets this through until {until}."
        return Decision(True, reason, facts.held_since, facts.exception)
    if question.operation == Operation.CLAIM and question.labels & facts.allowed_labels:
        return Decision(True, f"{facts.incident} lets beads with this label be claimed.", facts.held_since)
    if question.operation == Operation.DEPLOY and facts.actor_roles & facts.allowed_roles:
        return Decision(True, f"The actor is a rollback owner of {facts.incident}.", facts.held_since)
    return Decision(False, f"{question.operation.measure.label} are frozen by {_named(facts)}.", facts.held_since)


def _named(facts: Facts) -> str:
    drill = "drill, " if facts.drill else ""
    return f"{facts.incident} ({drill}{facts.level.value} {facts.level_name}, {facts.commander or 'no commander'})"
