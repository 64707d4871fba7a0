"""A product with stakeholders, and an incident that has met everything a report can show, by the real steps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import time_machine

from comms import delivery, notices
from comms.models import Notice, Recipient
from comms.smtp import Outcome, Verdict
from incidents import clock
from incidents.models import Incident
from incidents.steps import cleanup, deliver, freeze, roles, rollback, target, unfreeze, verify
from incidents.terms import Aspect, BlockerKind, GateOutcome, Level, Measure, NoticeKind, Phase, Role, TargetKind
from tests.factories import (
    Crew,
    ProductFactory,
    confirm_target,
    finish_cleanup,
    make_crew,
    make_incident,
    own_next_cycle,
    pass_gate,
    walk,
)

Shift = Callable[[float], None]
BEGIN = datetime(2026, 2, 21, 13, 14, 5, tzinfo=UTC)
NAMES = {
    Role.COMMANDER: "Mara Lind",
    Role.API_LEAD: "Tom Okafor",
    Role.INFRASTRUCTURE_LEAD: "Sana Wirth",
    Role.DATA_EVIDENCE_LEAD: "Inês Duarte",
    Role.SECURITY_LEAD: "Jonas Berg",
    Role.COMMUNICATIONS_OWNER: "Ada Łukasik",
}


def told_crew(*addresses: str) -> Crew:
    """A crew whose product has these stakeholders."""
    crew = make_crew(ProductFactory(name="Portarium"))
    for role, name in NAMES.items():
        crew[role].name = name
        crew[role].save()
    for number, address in enumerate(addresses or ("ops@example.test", "board@example.test"), start=1):
        Recipient.objects.create(product=crew.product, name=f"Reader {number}", email=address)
    return crew


def issue(incident: Incident, crew: Crew, kind: NoticeKind, **changed: Any) -> Notice:
    """Send an update as it is drafted."""
    words = notices.draft(incident, kind)
    said = {"subject": words.subject, "body": words.body, "next_update_at": words.next_update_at}
    return notices.issue(incident, kind, **said | changed, by=crew[Role.COMMUNICATIONS_OWNER])


def arrive(notice: Notice) -> None:
    """Every copy of a notice was taken by the mail server."""
    while batch := delivery.claim(notice.pk, "test"):
        for copy in batch:
            delivery.mark(copy, Outcome(Verdict.SENT, ""))
    delivery.settle(notice.pk)


def ready_for_c(incident: Incident, crew: Crew) -> None:
    """Walk an incident to where nothing but update C stands against unfreeze."""
    walk(incident, crew, Phase.VERIFYING)
    for gate in incident.gates.all():
        pass_gate(gate, crew)
    own_next_cycle(incident, crew)


def eventful_incident(crew: Crew, *, drill: bool = False) -> Incident:
    """An L3 incident from declaration to closed, with a replaced target, a failed attempt, waivers, an exception, a
    baseline blocker with its accepted risk, a hand-over, updates A, B and C, follow-ups and a safeguard.
    """
    with time_machine.travel(BEGIN, tick=True) as clock_hand:

        def later(minutes: float) -> None:
            clock_hand.shift(timedelta(minutes=minutes))

        return _eventful(crew, drill, later)


def _eventful(crew: Crew, drill: bool, later: Any) -> Incident:
    incident = make_incident(
        crew,
        level=Level.L3,
        drill=drill,
        trigger="evidence_uncertain",
        summary="Hash-chain gap after projection migration 0412",
    )
    arrive(issue(incident, crew, NoticeKind.A))
    later(8)
    freeze.allow_exception(
        incident,
        measure=Measure.MERGES,
        subject="portarium/core#1190",
        reason="Carries the fix for the chain verifier itself",
        expires_at=clock.now() + timedelta(hours=2),
        by=crew.commander,
        second=crew[Role.API_LEAD],
    )
    _choose_twice(incident, crew, later)
    rollback.make_plan(incident, by=crew.commander)
    _roll_back(incident, crew, later)
    arrive(issue(incident, crew, NoticeKind.B))
    later(4)
    finish_cleanup(incident, crew)
    verify.begin(incident, by=crew.commander)
    later(6)
    _run_gates(incident, crew, later)
    own_next_cycle(incident, crew)
    arrive(issue(incident, crew, NoticeKind.C))
    for stage in unfreeze.stages(incident):
        later(5)
        unfreeze.lift(incident, stage.key, by=crew.commander)
    later(40)
    _deliver(incident, crew)
    incident.refresh_from_db()
    return incident


def _choose_twice(incident: Incident, crew: Crew, later: Any) -> None:
    target.choose(
        incident, kind=TargetKind.BUILD, identifier="1182", reason="The build before the deploy", by=crew.commander
    )
    later(3)
    target.confirm(
        incident,
        Aspect.EVIDENCE_CUTOVER,
        by=crew[Role.DATA_EVIDENCE_LEAD],
        note="Entry 48 211, event offset 9 114 020. Build 1182 already wrote past it.",
    )
    later(4)
    confirm_target(incident, crew)
    later(2)


def _roll_back(incident: Incident, crew: Crew, later: Any) -> None:
    for action in incident.actions.all():
        lead = crew[Role(action.owner)]
        if action.key == "3c-rebuild":
            rollback.waive(action, by=lead, second=crew.commander, reason="The projection tables were not touched")
            continue
        rollback.approve(action, by=crew.commander)
        if action.key == "3a-parity":
            later(2)
            result = "GET /v1/runs answers 500: the old worker still serves it"
            rollback.complete(action, succeeded=False, result=result, by=lead)
            action.refresh_from_db()
        later(3)
        rollback.dispatch(action, by=lead)
        later(4)
        rollback.complete(action, succeeded=True, result="Done, watched for two minutes, dashboards quiet", by=lead)
        cleanup.attach(
            incident, f"action:{action.key}", owner=Role(action.owner), by=lead, link="https://ci.example.test/run/1182"
        )


def _run_gates(incident: Incident, crew: Crew, later: Any) -> None:
    for gate in incident.gates.all():
        later(2)
        if gate.key != "ci":
            pass_gate(gate, crew)
            continue
        pass_gate(gate, crew, GateOutcome.FAIL)
        verify.accept_baseline(
            gate,
            failing_step="ci:gates",
            kind=BlockerKind.GATE_BASELINE,
            proof="package.json mismatches since dbe79f1, two days before the cycle began",
            not_executed="21 later steps, from ci:validate-k8s-policies to audit-high",
            by=crew.commander,
        )
        verify.accept_risk(
            gate,
            reason="The 21 steps ran green one by one on dbe79f1",
            by=crew.commander,
            second=crew[Role.API_LEAD],
        )


def _deliver(incident: Incident, crew: Crew) -> None:
    deliver.write_summary(
        incident,
        what_happened="Migration 0412 rewrote the projection table while the evidence writer was still appending.\n\n"
        "For 23 minutes two entries shared one predecessor, so the chain had a fork that the nightly check found.",
        root_cause="The migration took no lock on the chain's head row. The writer read a stale head and linked to it.",
        impact="No evidence was lost. 41 entries were written to a branch that no reader followed.",
        owner=crew[Role.DATA_EVIDENCE_LEAD],
        by=crew.commander,
    )
    for number, (title, owner, priority) in enumerate(
        [
            ("Lock the head row in every migration that touches projections", "Data and Evidence Lead", "P0"),
            ("Alert when an entry's predecessor already has a child", "Infrastructure Lead", "P1"),
            ("Document the cutover point in the deploy checklist", "API Lead", "P2"),
        ]
    ):
        deliver.add_follow_up(
            incident,
            title=title,
            owner=owner,
            priority=priority,
            due_on=date(2026, 3, 1 + number),
            acceptance="A test forks the chain on purpose and the guard refuses it.",
            bead_id=f"bead-12{84 + number}",
            by=crew.commander,
        )
    deliver.add_safeguard(
        incident,
        gap="Nothing kept a migration from running beside the evidence writer",
        change="Migrations now wait for the writer's advisory lock",
        link="https://git.example.test/portarium/core/pull/1190",
        by=crew[Role.DATA_EVIDENCE_LEAD],
    )
    roles.hand_over(
        incident, Role.COMMUNICATIONS_OWNER, to=crew.deputy, by=crew[Role.COMMUNICATIONS_OWNER], reason="End of shift"
    )
    deliver.close(incident, by=crew.commander)
