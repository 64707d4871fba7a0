"""Step 4, verification gates: into verification and back, runs, and what is accepted instead of a pass."""

from __future__ import annotations

from typing import Literal

from ninja import Router
from pydantic import Field

from incidents.api.found import ApiRequest, incident_of, row_of
from incidents.api.shapes import Acted, Proposed, acted, proposed
from incidents.api.strict import Given, Moment, Nothing, Text, Why, length
from incidents.models import BaselineBlocker, Gate, GateRun, Incident
from incidents.steps import four_eyes, verify
from incidents.terms import Act, BlockerKind, GateOutcome

router = Router(tags=["verify"])


class Recording(Given):
    outcome: Literal["pass", "fail", "error"]
    note: Text = Field(min_length=1, max_length=length(GateRun, "sentence"))
    happened_at: Moment | None = Field(None, description="When it was run, where that is not now.")


class Baseline(Given):
    failing_step: Text = Field(min_length=1, max_length=length(BaselineBlocker, "failing_step"))
    kind: BlockerKind
    proof: Text = Field(
        min_length=1, max_length=length(BaselineBlocker, "proof"), description="That it is older than the cycle."
    )
    not_executed: Text = Field(
        "", max_length=length(BaselineBlocker, "not_executed"), description="Later steps that did not run."
    )


def gate_of(incident: Incident, key: str) -> Gate:
    found: Gate = row_of(incident.gates.select_related("connector"), "gate", key=key)
    return found


@router.post("/{ref}/verify/begin", response=Acted)
def begin(request: ApiRequest, ref: str, body: Nothing | None = None) -> Acted:
    """Say that the technical rollback is complete and the gates are due."""
    incident = incident_of(request, ref)
    verify.begin(incident, by=request.auth.user)
    return acted(incident)


@router.post("/{ref}/verify/reopen", response=Acted)
def reopen(request: ApiRequest, ref: str, body: Why) -> Acted:
    """Go back to rolling back."""
    incident = incident_of(request, ref)
    verify.reopen_rollback(incident, by=request.auth.user, reason=body.reason)
    return acted(incident)


@router.post("/{ref}/verify/gates/{key}/run", response={202: Acted})
def run(request: ApiRequest, ref: str, key: str, body: Nothing | None = None) -> Acted:
    """Queue a run of a gate that a probe or a command checks. `id` is the run's."""
    incident = incident_of(request, ref)
    asked = verify.ask_for_run(gate_of(incident, key), by=request.auth.user)
    return acted(incident, str(asked.pk))


@router.post("/{ref}/verify/gates/{key}/record", response={201: Acted})
def record(request: ApiRequest, ref: str, key: str, body: Recording) -> Acted:
    """Record what a person saw, after its evidence was attached. `id` is the run's."""
    incident = incident_of(request, ref)
    seen = verify.record_by_hand(
        gate_of(incident, key),
        outcome=GateOutcome(body.outcome),
        note=body.note,
        by=request.auth.user,
        happened_at=body.happened_at,
    )
    return acted(incident, str(seen.pk))


@router.post("/{ref}/verify/gates/{key}/baseline", response={201: Acted})
def accept_baseline(request: ApiRequest, ref: str, key: str, body: Baseline) -> Acted:
    """Capture a failure as older than the cycle. It stays a failure: the risk is accepted apart."""
    incident = incident_of(request, ref)
    verify.accept_baseline(
        gate_of(incident, key),
        failing_step=body.failing_step,
        kind=body.kind,
        proof=body.proof,
        not_executed=body.not_executed,
        by=request.auth.user,
    )
    return acted(incident, key)


@router.post("/{ref}/verify/gates/{key}/risk", response={202: Proposed})
def accept_risk(request: ApiRequest, ref: str, key: str, body: Why) -> Proposed:
    """Sign off a gate that does not pass, once a second person confirms."""
    incident = incident_of(request, ref)
    gate = gate_of(incident, key)
    return proposed(
        four_eyes.propose(incident, Act.ACCEPT_RISK, by=request.auth.user, reason=body.reason, gate=gate.key)
    )
