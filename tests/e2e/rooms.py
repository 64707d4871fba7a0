"""Incidents in which much has happened, so that every page has something to show; names and texts are long on purpose.

`at_work` while the rollback runs, `at_the_gates` while it is verified; `tests.comms.world` has the closed one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from comms import notices
from comms.reports import queue
from incidents import clock
from incidents.evidence import attachments
from incidents.models import Connector, Incident, Wiring
from incidents.steps import attempts, cleanup, declare, deliver, four_eyes, freeze, roles, rollback, unfreeze, verify
from incidents.steps import target as targets
from incidents.terms import (
    Act,
    AttemptState,
    BlockerKind,
    ConnectorKind,
    GateOutcome,
    Level,
    Measure,
    NoticeKind,
    Phase,
    Priority,
    Role,
    TargetKind,
    Track,
)
from tests.comms.world import arrive, issue
from tests.factories import Crew, confirm_target, make_incident, pass_gate

LONG = "projection_rebuild_0412_" * 5


def everything_held_by(commander: Any, incident: Incident) -> None:
    """One person takes every role but the last, so that all forms of a page show; the last waits for a deputy."""
    for role in (Role.API_LEAD, Role.INFRASTRUCTURE_LEAD, Role.DATA_EVIDENCE_LEAD, Role.SECURITY_LEAD):
        roles.assign(incident, role, user=commander, by=commander)
        roles.accept(incident, role, by=commander)


def at_work(crew: Crew) -> Incident:
    """Rolling back: actions in every state, a replaced target, exceptions, proposals, ticks, files, notes, drafts."""
    incident = make_incident(crew, level=Level.L3, trigger="evidence_uncertain", summary=f"Gap after {LONG}")
    arrive(issue(incident, crew, NoticeKind.A))
    _except(incident, crew)
    targets.choose(incident, kind=TargetKind.BUILD, identifier="1182", reason="The one before", by=crew.commander)
    confirm_target(incident, crew, LONG)
    _wire(crew, "3e-revoke", ConnectorKind.WEBHOOK, {"url": f"https://hooks.example.test/{LONG}"})
    rollback.make_plan(incident, by=crew.commander)
    _act(incident, crew)
    _clean_up(incident, crew)
    _write_down(incident, crew)
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


def _except(incident: Incident, crew: Crew) -> None:
    ends = clock.now() + timedelta(hours=2)
    freeze.allow_exception(
        incident,
        measure=Measure.MERGES,
        subject=LONG,
        reason="The revert itself",
        expires_at=ends,
        by=crew.commander,
        second=crew[Role.API_LEAD],
    )
    asked = {"measure": Measure.CLAIMS, "subject": "bead-7", "environment": None, "expires_at": ends.isoformat()}
    four_eyes.propose(incident, Act.ALLOW_EXCEPTION, by=crew[Role.API_LEAD], reason=f"Needed for {LONG}", **asked)


def _act(incident: Incident, crew: Crew) -> None:
    """The first stage: one action unknown, one done, and three added ones failed, waived and begun by hand."""
    lead, security = crew[Role.DATA_EVIDENCE_LEAD], crew[Role.SECURITY_LEAD]
    added = [
        rollback.add_action(
            incident,
            track=Track.DATA,
            name=f"{word} {LONG}",
            owner=Role.DATA_EVIDENCE_LEAD,
            stage=1,
            destructive=True,
            by=lead,
            reason="Found while looking",
        )
        for word in ("Drop", "Rename", "Refill")
    ]
    done = incident.actions.get(key="3d-preserve")
    for action in (done, *added, incident.actions.get(key="3e-revoke")):
        rollback.approve(action, by=crew.commander)
    rollback.complete(done, succeeded=True, result=f"Log is append-only: {LONG}", by=lead)
    rollback.complete(added[0], succeeded=False, result="Timed out", by=lead)
    rollback.waive(added[1], by=lead, second=crew.commander, reason="Nothing to rename")
    rollback.dispatch(added[2], by=lead)
    _lose(rollback.dispatch(incident.actions.get(key="3e-revoke"), by=security).pk)
    four_eyes.propose(incident, Act.WAIVE_ACTION, by=security, reason="Not touched", action="3e-rotate")


def _lose(attempt: Any) -> None:
    claim = attempts.claim(attempt, "worker 1")
    assert claim
    started = attempts.start(claim)
    assert started
    attempts.settle(started, AttemptState.UNKNOWN, "The answer never came", output=f"POST /revoke {LONG}")


def _clean_up(incident: Incident, crew: Crew) -> None:
    area, lead = incident.book.cleanup[0], crew[Role.DATA_EVIDENCE_LEAD]
    items = list(incident.cleanup_items.filter(area=area.key))
    cleanup.tick(incident, items[:1], by=lead, note=f"Looked at {LONG}")
    four_eyes.propose(incident, Act.WAIVE_CLEANUP, by=lead, reason="No projection changed", item=items[1].key)
    file = attachments.store(incident, SimpleUploadedFile(f"{LONG}.log", b"exit 0\n"), lead)
    for subject in (cleanup.subject(area.evidence[0].key), "action:3d-preserve"):
        cleanup.attach(
            incident,
            subject,
            owner=area.owner,
            by=lead,
            attachment=file,
            text=f"exit 0 {LONG}",
            link=f"https://ci.example.test/{LONG}",
        )


def _write_down(incident: Incident, crew: Crew) -> None:
    declare.add_note(incident, by=crew[Role.SECURITY_LEAD], text=f"Seen in `{LONG}`\nand two tenants")
    deliver.write_summary(incident, what_happened=LONG, root_cause=LONG, impact=LONG, by=crew.commander)
    due = (clock.now() + timedelta(days=14)).date()
    for title in (f"Guard {LONG}", "Alert earlier"):
        deliver.add_follow_up(
            incident,
            title=title,
            owner=LONG,
            priority=Priority.P1,
            due_on=due,
            acceptance=f"CI refuses {LONG}",
            bead_id=LONG,
            by=crew.commander,
        )
    deliver.add_safeguard(
        incident, gap=LONG, change=f"Linter for {LONG}", link=f"https://git.example.test/{LONG}", by=crew.commander
    )
