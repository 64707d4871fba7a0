"""A runbook's TOML text, read into plain values and checked. No database here."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from incidents.policy import ADDED, CHAIN_VALIDATION
from incidents.runbook.fit import faults
from incidents.runbook.template import UnknownPlaceholder, check_template
from incidents.terms import Aspect, Level, Measure, Role, Track

SHIPPED = Path(__file__).with_name("failing-cycle.toml")

PLACEHOLDERS = frozenset(
    {
        "product",
        "now",
        "trigger_summary",
        "scope_level",
        "commander",
        "next_update",
        "target",
        "completed_at",
        "verification_status",
        "review_owner",
        "reference",
        "freeze_scope",
        "incident_url",
    }
)
LISTS = frozenset({"actions_completed", "actions_in_progress", "risks", "remaining_risks", "unfreeze_scope"})


class BadRunbook(ValueError):
    """The text is no usable runbook; the message says where and why."""


@dataclass(frozen=True)
class RoleText:
    role: Role
    name: str
    title: str
    responsibility: str


@dataclass(frozen=True)
class Trigger:
    key: str
    name: str
    text: str


@dataclass(frozen=True)
class MeasureText:
    measure: Measure
    name: str
    text: str
    rule: str
    allowed_labels: tuple[str, ...] = ()
    allowed_roles: tuple[Role, ...] = ()


@dataclass(frozen=True)
class LevelText:
    level: Level
    name: str
    scope: str
    typical_use: str


@dataclass(frozen=True)
class StepText:
    number: str
    key: str
    name: str
    points: tuple[str, ...]


@dataclass(frozen=True)
class ConfirmationText:
    aspect: Aspect
    name: str
    text: str
    ask: str
    owner: Role


@dataclass(frozen=True)
class ActionText:
    key: str
    name: str
    text: str
    owner: Role
    stage: int
    destructive: bool
    changes_state: bool
    track: Track


@dataclass(frozen=True)
class TrackText:
    track: Track
    name: str
    actions: tuple[ActionText, ...]


@dataclass(frozen=True)
class Named:
    key: str
    name: str


@dataclass(frozen=True)
class CleanupArea:
    key: str
    name: str
    owner: Role
    action_set: str
    evidence_to_capture: str
    items: tuple[Named, ...]
    evidence: tuple[Named, ...]


@dataclass(frozen=True)
class GateText:
    key: str
    name: str
    text: str
    owner: Role
    allows_baseline_blocker: bool


@dataclass(frozen=True)
class Clause:
    key: str
    name: str
    text: str


@dataclass(frozen=True)
class NoticeText:
    key: str
    name: str
    subject: str
    body: str


@dataclass(frozen=True)
class Runbook:
    """One version of the procedure. Keys are unique; order is the runbook's."""

    title: str
    purpose: str
    objectives: tuple[str, ...]
    trigger_rule: str
    measure_rule: str
    roles: dict[Role, RoleText]
    triggers: tuple[Trigger, ...]
    measures: dict[Measure, MeasureText]
    levels: dict[Level, LevelText]
    steps: tuple[StepText, ...]
    confirmations: dict[Aspect, ConfirmationText]
    tracks: tuple[TrackText, ...]
    cleanup: tuple[CleanupArea, ...]
    gates: tuple[GateText, ...]
    preconditions: tuple[Clause, ...]
    notices: dict[str, NoticeText]
    deliverables: tuple[Clause, ...]
    sha256: str = field(default="", compare=False)

    @property
    def actions(self) -> tuple[ActionText, ...]:
        return tuple(action for track in self.tracks for action in track.actions)

    def trigger(self, key: str) -> Trigger:
        return next(trigger for trigger in self.triggers if trigger.key == key)

    def area(self, key: str) -> CleanupArea:
        return next(area for area in self.cleanup if area.key == key)

    def gate(self, key: str) -> GateText:
        return next(gate for gate in self.gates if gate.key == key)

    def precondition(self, key: str) -> Clause:
        return next(clause for clause in self.preconditions if clause.key == key)


def digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


@lru_cache(maxsize=64)
def parse(source: str) -> Runbook:
    """Read one runbook.

    Args:
        source: TOML text, the shape of `failing-cycle.toml`.

    Raises:
        BadRunbook: with the place and the reason.
    """
    try:
        table = tomllib.loads(source)
        runbook = _build(table, digest(source))
    except tomllib.TOMLDecodeError as error:
        raise BadRunbook(f"The text is not valid TOML: {error}.") from error
    except KeyError as error:
        raise BadRunbook(f"The entry {error} is missing.") from error
    except UnknownPlaceholder as error:
        raise BadRunbook(str(error)) from error
    except RecursionError as error:
        raise BadRunbook("The text is nested too deep.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BadRunbook(f"An entry has an unexpected form: {error}.") from error
    if fault := next(faults(runbook), ""):
        raise BadRunbook(fault)
    _check_complete(runbook)
    return runbook


def _build(table: dict[str, Any], sha256: str) -> Runbook:
    return Runbook(
        title=_text(table["title"]),
        purpose=_text(table["purpose"]),
        objectives=tuple(map(_text, table["objectives"])),
        trigger_rule=_text(table["freeze"]["trigger_rule"]),
        measure_rule=_text(table["freeze"]["measure_rule"]),
        roles={Role(key): RoleText(role=Role(key), **row) for key, row in table["roles"].items()},
        triggers=tuple(Trigger(**row) for row in table["triggers"]),
        measures={Measure(row["key"]): _measure(row) for row in table["measures"]},
        levels={Level(key): LevelText(level=Level(key), **row) for key, row in table["levels"].items()},
        steps=tuple(StepText(row["number"], row["key"], row["name"], tuple(row["points"])) for row in table["steps"]),
        confirmations={Aspect(row["key"]): _confirmation(row) for row in table["confirmations"]},
        tracks=tuple(_track(row) for row in table["tracks"]),
        cleanup=tuple(_area(row) for row in table["cleanup"]),
        gates=tuple(GateText(**row | {"owner": Role(row["owner"])}) for row in table["gates"]),
        preconditions=tuple(Clause(**row) for row in table["preconditions"]),
        notices={key: _notice(key, row) for key, row in table["notices"].items()},
        deliverables=tuple(Clause(**row) for row in table["deliverables"]),
        sha256=sha256,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected text, found {value!r}")
    return value


def _measure(row: dict[str, Any]) -> MeasureText:
    return MeasureText(
        measure=Measure(row["key"]),
        name=_text(row["name"]),
        text=_text(row["text"]),
        rule=_text(row["rule"]),
        allowed_labels=tuple(row.get("allowed_labels", ())),
        allowed_roles=tuple(Role(role) for role in row.get("allowed_roles", ())),
    )


def _confirmation(row: dict[str, Any]) -> ConfirmationText:
    return ConfirmationText(Aspect(row["key"]), row["name"], row["text"], row["ask"], Role(row["owner"]))


def _track(row: dict[str, Any]) -> TrackText:
    track = Track(row["key"])
    actions = tuple(ActionText(track=track, **action | {"owner": Role(action["owner"])}) for action in row["actions"])
    return TrackText(track, row["name"], actions)


def _area(row: dict[str, Any]) -> CleanupArea:
    named = {part: tuple(Named(**item) for item in row[part]) for part in ("items", "evidence")}
    return CleanupArea(**row | named | {"owner": Role(row["owner"])})


def _notice(key: str, row: dict[str, str]) -> NoticeText:
    for part in ("subject", "body"):
        check_template(row[part], names=PLACEHOLDERS, lists=LISTS)
    return NoticeText(key, row["name"], row["subject"], row["body"].strip("\n") + "\n")


def _check_complete(runbook: Runbook) -> None:
    """Every closed set is covered, no key stands twice: a runbook with holes would leave an incident stuck."""
    for what, found, wanted in (
        ("role", set(runbook.roles), set(Role)),
        ("freeze measure", set(runbook.measures), set(Measure)),
        ("scope level", set(runbook.levels), set(Level)),
        ("confirmation", set(runbook.confirmations), set(Aspect)),
        ("notice", set(runbook.notices), {"A", "B", "C"}),
        ("precondition", {c.key for c in runbook.preconditions}, {"stable", "verified", "ownership", "informed"}),
        ("deliverable", {c.key for c in runbook.deliverables}, {"summary", "followups", "safeguards"}),
    ):
        if missing := sorted(str(key) for key in wanted - found):
            raise BadRunbook(f"A {what} is missing: {', '.join(missing)}.")
    keys = [row.key for rows in (runbook.triggers, runbook.actions, runbook.cleanup, runbook.gates) for row in rows]
    keys += [item.key for area in runbook.cleanup for item in (*area.items, *area.evidence)]
    if doubled := sorted({key for key in keys if keys.count(key) > 1 and key != "evidence"}):
        raise BadRunbook(f"A key stands twice: {', '.join(doubled)}.")
    if not (runbook.triggers and runbook.actions and runbook.cleanup and runbook.gates):
        raise BadRunbook("Triggers, actions, cleanup areas and gates may not be empty.")
    if (Track.EVIDENCE, CHAIN_VALIDATION) not in {(action.track, action.key) for action in runbook.actions}:
        raise BadRunbook(f"Track 3d has no action “{CHAIN_VALIDATION}”: every level asks for it.")
    if taken := sorted(action.key for action in runbook.actions if action.key.startswith(ADDED)):
        raise BadRunbook(f"Keys that begin with “{ADDED}” are for what people add: {', '.join(taken)}.")
