"""Incidents in which much has happened, so that every page has something to show; names and texts are long on purpose.

`at_work` while the rollback runs, `at_the_gates` while it is verified; `tests.comms.world` has the closed one.
"""

from __future__ import annotations

from typing import Any

from comms import notices
from comms.reports import queue
from incidents.models import Connector, Incident, Wiring
from incidents.policy import LEADS
from incidents.steps import four_eyes, roles, rollback, unfreeze, verify
from incidents.steps import target as targets
from incidents.terms import (
    Act,
    BlockerKind,
    ConnectorKind,
    GateOutcome,
    Level,
    NoticeKind,
    Phase,
    Role,
    TargetKind,
)
from tests.comms.world import arrive, issue
from tests.e2e import happenings
from tests.e2e.happenings import LONG
from tests.factories import Crew, confirm_target, make_incident, pass_gate


def everything_held_by(commander: Any, incident: Incident) -> None:
    """The commander takes every lead's role as well, so that a page shows all of its forms at once."""
    for role in sorted(LEADS):
        roles.assign(incident, role, user=commander, by=commander)
        roles.accept(incident, role, by=commander)


def at_work(crew: Crew) -> Incident:
    """Rolling back: actions in every state, a replaced target, exceptions, proposals, ticks, files, notes, drafts."""
    incident = make_incident(crew, level=Level.L3, trigger="evidence_uncertain", summary=f"Gap after {LONG}")
    arrive(issue(incident, crew, NoticeKind.A))
    happenings.be_told(crew)
    happenings.allow_exceptions(incident, crew)
    targets.choose(incident, kind=TargetKind.BUILD, identifier="1182", reason="The one before", by=crew.commander)
    confirm_target(incident, crew, LONG)
    _wire(crew, "3e-revoke", ConnectorKind.WEBHOOK, {"url": f"https://hooks.example.test/{LONG}"})
    rollback.make_plan(incident, by=crew.commander)
    happenings.run_the_first_stage(incident, crew)
    happenings.clean_up(incident, crew)
    happenings.look_at_a_foreign_log(incident, crew)
    happenings.write_down(incident, crew)
    issue(incident, crew, NoticeKind.B)
    notices.save(incident, NoticeKind.B, notices.draft(incident, NoticeKind.B), by=crew[Role.COMMUNICATIONS_OWNER])
    queue.claim(queue.ask(incident.pk).pk)
    roles.assign(incident, Role.COMMUNICATIONS_OWNER, user=crew.deputy, by=crew.commander, reason=f"Shift {LONG}")
    everything_held_by(crew.commander, incident)
    four_eyes.propose(incident, Act.LOWER_LEVEL, by=crew.commander, reason=f"Only data: {LONG}", level=Level.L2)
    incident.refresh_from_db()
    return incident


def at_the_gates(crew: Crew) -> Incident:
    """Verifying: one gate passed, one stale, one at work, one a baseline blocker whose risk waits for a second."""
    _wire(crew, "health", ConnectorKind.PROBE, {"url": f"https://health.example.test/{LONG}"})
    incident = make_incident(crew, at=Phase.VERIFYING, level=Level.L2, summary="Lag after deploy 1182")
    gates = {gate.key: gate for gate in incident.gates.all()}
    pass_gate(gates["smoke"], crew)
    pass_gate(gates["ci"], crew, GateOutcome.FAIL)
    verify.accept_baseline(
        gates["ci"],
        failing_step=LONG,
        kind=BlockerKind.GATE_BASELINE,
        proof="Red since 41aa0de",
        not_executed="none",
        by=crew.commander,
    )
    four_eyes.propose(incident, Act.ACCEPT_RISK, by=crew.commander, reason="Older than the cycle", gate="ci")
    verify.ask_for_run(gates["health"], by=crew[Role.INFRASTRUCTURE_LEAD])
    unfreeze.name_owner(incident, Role.API_LEAD, user=crew[Role.API_LEAD], by=crew.commander)
    unfreeze.accept_ownership(incident, Role.API_LEAD, by=crew[Role.API_LEAD])
    unfreeze.name_owner(incident, Role.SECURITY_LEAD, user=crew.commander, by=crew.commander)
    everything_held_by(crew.commander, incident)
    incident.refresh_from_db()
    return incident


def _wire(crew: Crew, key: str, kind: ConnectorKind, config: dict[str, Any]) -> None:
    connector = Connector.objects.create(name=f"{key} of {LONG}"[:80], kind=kind, config=config, deadline_seconds=30)
    Wiring.objects.create(product=crew.product, key=key, connector=connector)
