"""The review as Markdown for the repository (runbook, step 4: record verification evidence in `docs/review/`)."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.text import slugify

from incidents import board, clock
from incidents.board import AreaState, GateState
from incidents.evidence import log
from incidents.exports.markdown import bullets, code, document, line, sentence, table
from incidents.models import Action, Exhibit, FollowUp, Incident, Review
from incidents.runbook.content import ActionText
from incidents.steps import deliver, target
from incidents.terms import ActionState, BlockerKind, CleanupState, GateOutcome, Kind, Phase, Priority, Role

SLUG_LENGTH = 60
READ_WITH = ("product", "runbook", "chain", "declared_by")
_TURNS = (
    Kind.DECLARED,
    Kind.LEVEL_CHANGED,
    Kind.TARGET_CHOSEN,
    Kind.PLAN_MADE,
    Kind.ACTION_FAILED,
    Kind.ACTION_UNKNOWN,
    Kind.ACTION_RESOLVED,
    Kind.VERIFICATION_BEGUN,
    Kind.ROLLBACK_REOPENED,
    Kind.GATE_RECORDED,
    Kind.RISK_ACCEPTED,
    Kind.NOTICE_SENT,
    Kind.LIFTED,
    Kind.REFROZEN,
    Kind.STOOD_DOWN,
    Kind.CLOSED,
)
_WEIGHTS = {
    "High": (Priority.P0, Priority.P1),
    "Medium": (Priority.P2,),
    "Low": (Priority.P3,),
}


def review_name(incident: Incident) -> str:
    """`rb-2026-0007-hash-chain-gap.md`"""
    slug = slugify(incident.summary)[:SLUG_LENGTH].strip("-")
    return "-".join(part for part in (incident.reference.lower(), slug) if part) + ".md"


def review(incident: Incident) -> str:
    """The review of one incident, in the form of the repository's other reviews."""
    incident = board.load(Incident.objects.select_related(*READ_WITH).get(pk=incident.pk))
    written = deliver.review_of(incident)
    gates = [board.gate_state(gate) for gate in incident.gates.all()]
    areas = [board.area_state(incident, area) for area in incident.book.cleanup]
    reviewed_at = written.written_at if written else clock.now()
    return document(
        f"# Review: {incident.reference} ({line(incident.summary)})",
        f"Reviewed on: {reviewed_at:%Y-%m-%d}",
        "This was a drill: practice, no real incident." if incident.drill else "",
        "## Findings",
        *_findings(incident, written),
        "## Scope",
        bullets(_scope(incident)),
        "## Implementation Summary",
        table(("Requirement", "Owner", "Status"), list(_requirements(incident, areas))),
        "## Verification",
        bullets(_verification(incident, gates)),
        "## Timeline",
        bullets(_timeline(incident)),
        "## Evidence reviewed",
        bullets(_evidence(incident)),
        "## Residual Risk / Gaps",
        bullets(_gaps(incident, gates, areas, written)),
        "## Result",
        _result(incident, gates),
    )


def _findings(incident: Incident, written: Review | None) -> Iterator[str | list[str]]:
    if written:
        for label, text in (
            ("What happened", written.what_happened),
            ("Root cause", written.root_cause),
            ("Impact", written.impact),
        ):
            if text:
                yield f"{label}: {line(text)}"
    else:
        yield "The incident summary has not been written yet."
    follow_ups = list(incident.follow_ups.all())
    for weight, priorities in _WEIGHTS.items():
        yield f"### {weight}"
        yield bullets(_finding(row) for row in follow_ups if row.priority in priorities)


def _finding(row: FollowUp) -> str:
    bead = f" Bead {code(row.bead_id)}." if row.bead_id else ""
    return (
        f"{sentence(row.title)} Owner: {line(row.owner)}, {row.priority}, due {row.due_on.isoformat()}.{bead} "
        f"AC: {sentence(row.acceptance)}"
    )


def _scope(incident: Incident) -> Iterator[str]:
    chosen = target.current(incident)
    yield f"Product: {line(incident.product)}"
    yield f"Trigger: {line(incident.book.trigger(incident.trigger).text)}"
    yield f"Scope level: {incident.level.value} {line(incident.level_text.scope)}"
    yield (
        f"Rollback target: {chosen.get_kind_display().lower()} {code(chosen.identifier)}"
        if chosen
        else ("Rollback target: not chosen")
    )
    frozen = incident.freeze
    until = f"until {clock.utc_text(frozen.ended_at)}" if frozen.ended_at else "still in force"
    yield f"Delivery freeze: {clock.utc_text(frozen.since)} {until}"
    yield f"Runbook: version {incident.runbook.number}, SHA-256 {code(incident.runbook_sha256)}"


def _requirements(incident: Incident, areas: list[AreaState]) -> Iterator[tuple[str, str, str]]:
    done = {action.key: action for action in incident.actions.all()}
    for text in incident.book.actions:
        yield line(text.text.rstrip(".")), str(text.owner.label), _status(text, done.get(text.key))
    for area in areas:
        status = "complete" if area.is_complete else f"{len(area.missing)} missing"
        yield line(f"Cleanup: {area.text.action_set}"), str(area.text.owner.label), status


def _status(text: ActionText, action: Action | None) -> str:
    if action is None:
        return "not part of the plan"
    words = str(ActionState(action.state).label).lower()
    return f"{words}: {line(action.result)}" if action.state == ActionState.WAIVED else words


def _verification(incident: Incident, gates: list[GateState]) -> Iterator[str]:
    for state in gates:
        run = state.run
        said = f"; {line(run.sentence)}" if run and run.sentence else ""
        how = f" by {code(state.gate.connector.name)}" if state.gate.connector else ""
        yield f"{line(incident.book.gate(state.gate.key).text)}{how} ({state.word.lower()}{said})"
    verdict = log.verify(incident.chain)
    found = f"intact, {verdict.count} entries" if verdict.is_intact else line(verdict.reason)
    yield f"{code(f'manage.py verify_evidence {incident.reference}')} ({found})"


def _timeline(incident: Incident) -> Iterator[str]:
    """The turns of the incident; every entry between them is in the log."""
    for row in reversed(board.timeline(incident, limit=incident.chain.seq, kinds=_TURNS)):
        aside = ", ".join(filter(None, (row.recorded, row.correction)))
        yield f"{clock.utc_text(row.event_at)}: {line(row.sentence)}{f' ({aside})' if aside else ''}"


def _evidence(incident: Incident) -> Iterator[str]:
    yield f"Evidence log: {incident.chain.seq} entries, head {code(incident.chain.hash)}"
    for exhibit in incident.exhibits.all():
        yield f"{code(exhibit.subject)}: {_shown(exhibit)}"


def _shown(exhibit: Exhibit) -> str:
    if exhibit.attachment:
        return f"{line(exhibit.attachment.name)}, SHA-256 {code(exhibit.attachment.sha256)}"
    return f"<{exhibit.link}>" if exhibit.link else line(exhibit.text[:300])


def _gaps(incident: Incident, gates: list[GateState], areas: list[AreaState], written: Review | None) -> Iterator[str]:
    for state in gates:
        yield from _gate_gaps(state)
    for action in incident.actions.all():
        if action.state in (ActionState.FAILED, ActionState.UNKNOWN):
            yield f"{line(action)}: {str(ActionState(action.state).label).lower()}. {line(action.result)}".rstrip()
    for item in (item for area in areas for item in area.items if item.state == CleanupState.WAIVED):
        yield f"Cleanup waived: {line(item.name)}. {sentence(item.note)}"
    yield from _control_gaps(incident, written)


def _gate_gaps(state: GateState) -> Iterator[str]:
    blocker = getattr(state.run, "baseline_blocker", None)
    if blocker:
        kind = str(BlockerKind(blocker.kind).label).lower()
        yield (
            f"Known baseline blocker at {line(state.gate)}: {code(blocker.failing_step)}, {kind}. "
            f"Proof: {sentence(blocker.proof)} Later steps not executed: {sentence(blocker.not_executed)}"
        )
    if state.risk:
        yield (
            f"Accepted risk at {line(state.gate)}: {sentence(state.risk.reason)} "
            f"Signed off by {line(state.risk.by)} and {line(state.risk.second)}."
        )
    elif state.blockers:
        yield sentence(state.blockers[0])


def _control_gaps(incident: Incident, written: Review | None) -> Iterator[str]:
    for row in incident.safeguards.all():
        link = f" <{row.link}>" if row.link else ""
        yield f"Control gap: {sentence(row.gap)} Safeguard updated: {sentence(row.change)}{link}"
    if written and written.no_gaps_reason:
        yield f"No control gap: {sentence(written.no_gaps_reason)}"


def _result(incident: Incident, gates: list[GateState]) -> str:
    passing = sum(
        state.kind == "ok" and state.run is not None and state.run.outcome == GateOutcome.PASS for state in gates
    )
    held = f"{passing} of {len(gates)} gates pass"
    commander = next((m for m in incident.memberships.all() if m.role == Role.COMMANDER and m.ended_at is None), None)
    signed = f" Incident Commander: {line(commander.user)}." if commander else ""
    phase = Phase(incident.phase)
    if phase == Phase.CLOSED:
        with_risk = " with accepted risk" if any(state.risk for state in gates) else ""
        return f"**Result: PASS{with_risk}.** The rollback is closed; {held}, the freeze is lifted.{signed}"
    if phase == Phase.STOOD_DOWN:
        return f"**Result: STOOD DOWN.** A false alarm; nothing was rolled back.{signed}"
    return f"**Result: OPEN.** The incident is {str(phase.label).lower()}; {held}.{signed}"
