"""One incident whole: the state of everything, from a constant number of queries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from incidents import board, clock
from incidents.api.detail.cleanup import AreaStatus, area_status
from incidents.api.detail.deliver import DeliverableState, deliverable_state
from incidents.api.detail.freeze import FreezeState, freeze_state
from incidents.api.detail.people import OwnerState, RoleState, owner_states, role_states
from incidents.api.detail.rollback import ActionStatus, action_status
from incidents.api.detail.target import TargetState, target_state
from incidents.api.detail.verify import GateStatus, gate_status
from incidents.api.shapes import Person, Proposed, Shown, api_url, level_name, page_url, person, proposed, shown
from incidents.models import Incident
from incidents.steps import target as targets
from incidents.steps import unfreeze
from incidents.terms import Level, Phase


class Named(BaseModel):
    key: str
    name: str


class RunbookUsed(BaseModel):
    version: int
    sha256: str


class LogState(BaseModel):
    entries: int
    head: str = Field(description="The hash of the last entry.")


class PreconditionState(BaseModel):
    key: str
    name: str
    text: str
    holds: bool
    missing: list[str]


class StageState(BaseModel):
    key: str
    name: str
    is_lifted: bool


class Detail(BaseModel):
    """Everything that is on record and everything that still blocks."""

    reference: str
    url: str
    api_url: str
    product: str
    phase: Phase
    scope_level: Level
    scope_level_name: str
    trigger: Named
    summary: str
    drill: bool
    declared_by: Person
    declared_at: datetime
    ended_at: datetime | None
    changed_at: datetime = Field(description="When the delivered system last changed; stability begins there.")
    runbook: RunbookUsed
    freeze: FreezeState
    roles: list[RoleState]
    target: TargetState | None
    earlier_targets: list[TargetState]
    actions: list[ActionStatus]
    cleanup: list[AreaStatus]
    gates: list[GateStatus]
    preconditions: list[PreconditionState]
    stages: list[StageState]
    next_owners: list[OwnerState]
    proposals: list[Proposed]
    exhibits: list[Shown]
    deliverables: DeliverableState
    next_update_due_at: datetime | None
    blockers: list[str] = Field(description="What still stands against unfreeze; empty when every precondition holds.")
    evidence: LogState


def detail_of(incident: Incident, viewer: Any) -> Detail:
    """The incident as `viewer` may see it; the blockers of actions are those that the viewer would meet.

    Args:
        incident: with product, runbook, chain and declared_by read.
    """
    board.load(incident)
    at = clock.now()
    chosen = targets.current(incident)
    preconditions = unfreeze.preconditions(incident, at)
    return Detail(
        **_heading(incident),
        freeze=freeze_state(incident, at),
        roles=role_states(incident),
        target=target_state(incident, chosen) if chosen else None,
        earlier_targets=[target_state(incident, t) for t in incident.targets.all() if t.replaced_at],
        actions=[action_status(action, chosen, viewer, at) for action in incident.actions.all()],
        cleanup=[area_status(board.area_state(incident, area)) for area in incident.book.cleanup],
        gates=[gate_status(board.gate_state(gate)) for gate in incident.gates.all()],
        preconditions=[PreconditionState.model_validate(row, from_attributes=True) for row in preconditions],
        stages=[StageState.model_validate(row, from_attributes=True) for row in unfreeze.stages(incident)],
        next_owners=owner_states(incident),
        proposals=[proposed(p) for p in incident.proposals.all() if p.decided_at is None and p.expires_at > at],
        exhibits=[shown(incident, exhibit) for exhibit in incident.exhibits.all()],
        deliverables=deliverable_state(incident),
        next_update_due_at=None if incident.ended_at else unfreeze.next_update_due(incident),
        blockers=[s for row in preconditions for s in row.missing] if incident.freeze.active else [],
        evidence=LogState(entries=incident.chain.seq, head=incident.chain.hash),
    )


def _heading(incident: Incident) -> dict[str, Any]:
    return {
        "reference": incident.reference,
        "url": page_url(incident),
        "api_url": api_url(incident),
        "product": incident.product.slug,
        "phase": Phase(incident.phase),
        "scope_level": Level(incident.scope_level),
        "scope_level_name": level_name(incident),
        "trigger": _trigger(incident),
        "summary": incident.summary,
        "drill": incident.drill,
        "declared_by": person(incident.declared_by),
        "declared_at": incident.declared_at,
        "ended_at": incident.ended_at,
        "changed_at": incident.changed_at,
        "runbook": RunbookUsed(version=incident.runbook.number, sha256=incident.runbook_sha256),
    }


def _trigger(incident: Incident) -> Named:
    known = {trigger.key: trigger.name for trigger in incident.book.triggers}
    return Named(key=incident.trigger, name=known.get(incident.trigger, incident.trigger))
