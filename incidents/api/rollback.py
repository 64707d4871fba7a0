"""Step 3, execute technical rollback: the plan and its actions."""

from __future__ import annotations

from ninja import Router, Status
from pydantic import Field

from incidents import dispatch as dispatch_of
from incidents.api.found import ApiRequest, authorise, incident_of, row_of
from incidents.api.shapes import Acted, Proposed, acted, proposed
from incidents.api.strict import Flag, Given, Moment, Nothing, Text, Whole, Why, length
from incidents.models import Action, Incident
from incidents.steps import four_eyes, rollback
from incidents.steps.base import Refused
from incidents.terms import Act, AttemptState, Role, Track

router = Router(tags=["rollback"])


class NewAction(Why):
    track: Track
    name: Text = Field(min_length=1, max_length=length(Action, "name"))
    owner: Role
    stage: Whole = Field(ge=1, le=99)
    destructive: Flag


class Approving(Given):
    digest: Text | None = Field(
        None, max_length=64, description="The `spec_digest` that was read; refused when it has changed."
    )


class Outcome(Given):
    succeeded: Flag
    result: Text = Field(min_length=1, max_length=length(Action, "result"))
    happened_at: Moment | None = Field(None, description="When it was done, where that is not now.")


class Deciding(Why):
    succeeded: Flag


def action_of(incident: Incident, key: str) -> Action:
    found: Action = row_of(incident.actions.select_related("connector"), "action", key=key)
    return found


@router.post("/{ref}/rollback/plan", response={201: Acted})
def plan(request: ApiRequest, ref: str, body: Nothing | None = None) -> Acted:
    """Lay out the actions that level and runbook ask for."""
    incident = incident_of(request, ref)
    rollback.make_plan(incident, by=request.auth.user)
    return acted(incident)


@router.post("/{ref}/rollback/actions", response={201: Acted})
def add_action(request: ApiRequest, ref: str, body: NewAction) -> Acted:
    """Add an action that the runbook does not list."""
    incident = incident_of(request, ref)
    action = rollback.add_action(
        incident,
        track=body.track,
        name=body.name,
        owner=body.owner,
        stage=body.stage,
        destructive=body.destructive,
        by=request.auth.user,
        reason=body.reason,
    )
    return acted(incident, action.key)


@router.post("/{ref}/rollback/actions/{key}/approve", response={201: Acted})
def approve(request: ApiRequest, ref: str, key: str, body: Approving | None = None) -> Acted:
    """Agree, as the second person, to exactly what will run."""
    incident = incident_of(request, ref)
    approval = rollback.approve(action_of(incident, key), by=request.auth.user, digest=body.digest if body else None)
    return acted(incident, approval.pk)


@router.post("/{ref}/rollback/actions/{key}/dispatch", response={202: Acted})
def dispatch(request: ApiRequest, ref: str, key: str, body: Nothing | None = None) -> Acted:
    """Start the action: queue it for its connector, or note that its owner begins by hand. `id` is the attempt's."""
    incident = incident_of(request, ref)
    attempt = rollback.dispatch(action_of(incident, key), by=request.auth.user)
    return acted(incident, str(attempt.pk))


@router.post("/{ref}/rollback/actions/{key}/rehearse", response={202: Acted})
def rehearse(request: ApiRequest, ref: str, key: str, body: Nothing | None = None) -> Acted:
    """Ask for a dry run, which changes nothing. `id` is the dry run's; what it shows stands with the action."""
    incident = incident_of(request, ref)
    asked = dispatch_of.ask_for_rehearsal(action_of(incident, key), by=request.auth.user)
    return acted(incident, str(asked.pk))


@router.post("/{ref}/rollback/actions/{key}/complete", response=Acted)
def complete(request: ApiRequest, ref: str, key: str, body: Outcome) -> Acted:
    """Record what came of an action done by hand."""
    incident = incident_of(request, ref)
    action = action_of(incident, key)
    rollback.complete(action, **body.model_dump(), by=request.auth.user)
    return acted(incident, key)


@router.post("/{ref}/rollback/actions/{key}/abort", response=Acted)
def abort(request: ApiRequest, ref: str, key: str, body: Why) -> Acted:
    """Call an action back before anything left the portal."""
    incident = incident_of(request, ref)
    rollback.abort(action_of(incident, key), by=request.auth.user, reason=body.reason)
    return acted(incident, key)


@router.post("/{ref}/rollback/actions/{key}/waive", response={200: Acted, 202: Proposed})
def waive(request: ApiRequest, ref: str, key: str, body: Why) -> Status[Acted] | Status[Proposed]:
    """Say why an action is not needed; where the level makes it due, a second person confirms."""
    incident = incident_of(request, ref)
    action, by = action_of(incident, key), request.auth.user
    if rollback.waiver_needs_second(action):
        waiting = four_eyes.propose(incident, Act.WAIVE_ACTION, by=by, reason=body.reason, action=key)
        return Status(202, proposed(waiting))
    rollback.waive(action, by=by, reason=body.reason)
    return Status(200, acted(incident, key))


@router.post("/{ref}/rollback/actions/{key}/resolve", response={202: Proposed})
def resolve(request: ApiRequest, ref: str, key: str, body: Deciding) -> Proposed:
    """Decide, with a second person, what an attempt of unknown outcome did."""
    incident = incident_of(request, ref)
    action = action_of(incident, key)
    authorise(request, Act.RESOLVE_UNKNOWN, incident)
    attempt = action.attempts.filter(state=AttemptState.UNKNOWN).first()
    if attempt is None:
        raise Refused("No attempt of this action has an unknown outcome.")
    return proposed(
        four_eyes.propose(
            incident,
            Act.RESOLVE_UNKNOWN,
            by=request.auth.user,
            reason=body.reason,
            attempt=str(attempt.pk),
            succeeded=body.succeeded,
        )
    )
