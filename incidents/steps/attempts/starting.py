"""The point of no return: `started` is committed before the first byte leaves, or the attempt is called off."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Count, F, OuterRef

from incidents import authority, policy, prepared
from incidents.models import Action, Attempt, Confirmation, DispatchStop
from incidents.steps import kill_switch, lease, rollback
from incidents.steps.attempts.claiming import Claim, Fenced, bound, claim, facts_of
from incidents.steps.base import Taken, step_of_portal
from incidents.terms import Act, ActionState, Aspect, AttemptState, Kind, Phase, Role

_NOBODY = UUID(int=0)
_CONFIRMED = Confirmation.objects.filter(target=OuterRef("target")).order_by().values("target")
# Everything that decides whether it may start, in one statement made once: it stands between a click and the act.
_TO_START = prepared.Query(
    lambda attempt_id: (
        Attempt.objects.filter(pk=attempt_id)
        .order_by()
        .select_related("action__connector", "target")
        .annotate(
            requester_acts_=F("requested_by__is_active"),
            approver_acts_=F("approved_by__is_active"),
            confirmed_=_CONFIRMED.annotate(number=Count("*")).values("number"),
            requester_holds_=authority.names_held(OuterRef("requested_by"), "action__incident"),
            approver_holds_=authority.names_held(OuterRef("approved_by"), "action__incident"),
            stopped_=DispatchStop.objects.filter(lifted_at=None).order_by().values("reason")[:1],
        )
    ),
    _NOBODY,
)
_BEGIN = """
UPDATE incidents_attempt
SET state = 'started', started_at = {now}, lease_until = {until}, fence = %s, output = '', output_dropped = 0
WHERE id = %s AND state = 'leased' AND epoch = %s RETURNING id"""


def warm_up() -> None:
    """Claim and start nothing, so that the connection is open and the statements are made."""
    claim(_NOBODY, "")
    with suppress(ObjectDoesNotExist), step_of_portal(0, Act.RUN_ACTION):
        pass
    with suppress(ObjectDoesNotExist):
        _TO_START.get(_NOBODY)


def start(claimed: Claim) -> Claim | None:
    """Say on record that it begins, before any byte is sent. None: it is no longer allowed, and called off.

    Raises:
        Fenced: the claim no longer holds.
    """
    with step_of_portal(claimed.incident, Act.RUN_ACTION, _TO_START.at(claimed.attempt_id)) as taken:
        attempt: Attempt = taken.beside[0]
        attempt.action.incident = taken.incident
        if objection := _objection(taken, attempt):
            _cancel(taken, attempt, claimed, objection)
            return None
        mine = [claimed.fence, bound(claimed.attempt_id), claimed.epoch]
        taken.ahead(prepared.Statement(lease.sql(_BEGIN), mine, Fenced))
        if attempt.action.changes_state:
            taken.note_change()
        taken.record(
            Kind.ACTION_STARTED,
            f"Started: {attempt.action}",
            **facts_of(attempt),
            epoch=claimed.epoch,
            fence=claimed.fence,
        )
    return replace(claimed, attempt=attempt)


def loaded(taken: Taken, claimed: Claim, *also: str) -> Attempt:
    """The attempt as it is now, of the locked incident."""
    attempt = Attempt.objects.select_related("action", *also).get(pk=claimed.attempt_id)
    attempt.action.incident = taken.incident
    return attempt


def _objection(taken: Taken, attempt: Any) -> str:
    """Why the attempt may not start any more, although it was queued."""
    incident, action = taken.incident, attempt.action
    if stopped := kill_switch.sentence(attempt.stopped_):
        return stopped
    if incident.phase != Phase.ROLLING_BACK:
        return f"The incident is {Phase(incident.phase).label.lower()} now."
    if attempt.target.replaced_at is not None or attempt.confirmed_ != len(Aspect):
        return "The target has changed since the action was queued."
    if rollback.spec_digest(action, attempt.target) != attempt.digest:
        return "The action has changed since it was queued."
    if action.connector is None or not action.connector.enabled:
        return "The connector has been switched off."
    return _authority_objection(attempt)


def _authority_objection(attempt: Any) -> str:
    action = attempt.action
    if not _may(attempt.requester_acts_, attempt.requester_holds_, Act.DISPATCH_ACTION, Role(action.owner)):
        return "Whoever dispatched the action no longer holds its role."
    if rollback.needs_second(action) and not _may(
        attempt.approver_acts_, attempt.approver_holds_, Act.APPROVE_ACTION, None
    ):
        return "Whoever approved the action no longer holds a role."
    return ""


def _may(acts: bool | None, names: Any, act: Act, owner: Role | None) -> bool:
    held = authority.roles_named(names) if acts else ()
    return policy.role_for(held, act, owner) is not None


def _cancel(taken: Taken, attempt: Attempt, claimed: Claim, objection: str) -> None:
    held = claimed.rows(AttemptState.LEASED)
    if not held.update(state=AttemptState.CANCELLED, finished_at=taken.at, sentence=objection):
        raise Fenced
    before = attempt.action.state
    Action.objects.filter(pk=attempt.action_id, state=ActionState.RUNNING).update(state=ActionState.PLANNED)
    taken.record(
        Kind.ACTION_CANCELLED,
        f"Not started: {attempt.action}. {objection}",
        **facts_of(attempt),
        reason=objection,
        **rollback.moved(before, ActionState.PLANNED if before == ActionState.RUNNING else before),
    )
