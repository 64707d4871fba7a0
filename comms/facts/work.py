"""What was done and checked: actions with their attempts, cleanup with its evidence, gates with what they said."""

from __future__ import annotations

from comms.facts.values import (
    ActionFact,
    AreaFact,
    AttemptFact,
    BaselineFact,
    CleanupItemFact,
    EvidenceFact,
    ExhibitFact,
    GateFact,
    RiskFact,
    TrackFact,
)
from incidents import board
from incidents.evidence import scanner
from incidents.models import Action, Attempt, CleanupItem, Exhibit, GateRun, Incident
from incidents.runbook.content import TrackText
from incidents.terms import BlockerKind, GateOutcome, Role, ScanState


def exhibits_of(incident: Incident, subject: str) -> tuple[ExhibitFact, ...]:
    return tuple(_exhibit(row) for row in incident.exhibits.all() if row.subject == subject)


def _exhibit(row: Exhibit) -> ExhibitFact:
    scan = ""
    if row.attachment:
        scan = scanner.WORDS[ScanState(row.attachment.scan)]
        kind, shown, sha256, size = "file", row.attachment.name, row.attachment.sha256, row.attachment.size
    else:
        kind, shown, sha256, size = ("link", row.link, "", 0) if row.link else ("text", row.text, "", 0)
    return ExhibitFact(kind, shown, sha256, size, str(row.by), row.added_at, scan, row.source, row.collected_at)


def tracks(incident: Incident) -> tuple[TrackFact, ...]:
    """The five tracks; `absent` are the runbook's sentences that the level leaves out of the plan."""
    return tuple(_track(incident, text) for text in incident.book.tracks)


def _track(incident: Incident, text: TrackText) -> TrackFact:
    sentences = {action.key: action.text for action in text.actions}
    planned = [row for row in incident.actions.all() if row.track == text.track]
    present = {row.key for row in planned}
    return TrackFact(
        key=text.track.value,
        name=text.name,
        actions=tuple(_action(incident, row, sentences.get(row.key, "")) for row in planned),
        absent=tuple(sentence for key, sentence in sentences.items() if key not in present),
    )


def _action(incident: Incident, row: Action, text: str) -> ActionFact:
    return ActionFact(
        key=row.key,
        track=row.track,
        name=row.name,
        text=text,
        owner=str(Role(row.owner).label),
        stage=row.stage,
        state=row.state,
        word=row.get_state_display(),
        result=row.result,
        finished_at=row.finished_at,
        attempts=tuple(_attempt(row, attempt) for attempt in row.attempts.all()),
        exhibits=exhibits_of(incident, f"action:{row.key}"),
    )


def _attempt(action: Action, row: Attempt) -> AttemptFact:
    return AttemptFact(
        number=row.number,
        state=row.state,
        word=row.get_state_display(),
        how="by hand" if row.by_hand else f"by {action.connector or 'a connector'}",
        by=str(row.requested_by),
        approved_by=str(row.approved_by or ""),
        begun_at=row.started_at,
        finished_at=row.finished_at,
        sentence=row.sentence,
        output_sha256=row.output_sha256,
    )


def cleanup(incident: Incident) -> tuple[AreaFact, ...]:
    return tuple(_area(incident, board.area_state(incident, area)) for area in incident.book.cleanup)


def _area(incident: Incident, state: board.AreaState) -> AreaFact:
    return AreaFact(
        name=state.text.name,
        owner=str(state.text.owner.label),
        action_set=state.text.action_set,
        evidence_to_capture=state.text.evidence_to_capture,
        items=tuple(_item(item) for item in state.items),
        evidence=tuple(
            EvidenceFact(name, tuple(_exhibit(row) for row in brought)) for _, name, brought in state.evidence
        ),
        is_complete=state.is_complete,
    )


def _item(row: CleanupItem) -> CleanupItemFact:
    return CleanupItemFact(
        name=row.name,
        state=row.state,
        word=row.get_state_display(),
        note=row.note,
        by=str(row.by or ""),
        second=str(row.second or ""),
        at=row.settled_at,
    )


def gates(incident: Incident) -> tuple[GateFact, ...]:
    return tuple(_gate(incident, board.gate_state(gate)) for gate in incident.gates.all())


def _gate(incident: Incident, state: board.GateState) -> GateFact:
    run = state.run
    return GateFact(
        key=state.gate.key,
        name=state.gate.name,
        text=incident.book.gate(state.gate.key).text,
        owner=str(Role(state.gate.owner).label),
        state=state.kind,
        word=state.word,
        holds=not state.blockers,
        passes=not state.blockers and run is not None and run.outcome == GateOutcome.PASS,
        runs=len([found for found in state.gate.runs.all() if found.recorded_at]),
        said=run.sentence if run else "",
        by=str(run.by) if run else "",
        at=run.recorded_at if run else None,
        baseline=_baseline(run),
        risk=RiskFact(state.risk.reason, str(state.risk.by), str(state.risk.second), state.risk.accepted_at)
        if state.risk
        else None,
        exhibits=exhibits_of(incident, f"gate:{state.gate.key}"),
    )


def _baseline(run: GateRun | None) -> BaselineFact | None:
    row = getattr(run, "baseline_blocker", None)
    if row is None:
        return None
    return BaselineFact(
        failing_step=row.failing_step,
        kind=str(BlockerKind(row.kind).label),
        proof=row.proof,
        not_executed=row.not_executed,
        accepted_by=str(row.accepted_by),
        accepted_at=row.accepted_at,
    )
