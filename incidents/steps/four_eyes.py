"""Acts that wait for a second person: proposed by one, run unchanged when another confirms.

The proposal keeps the act's arguments as plain values, so what is confirmed is what was read. Authority, phase and
blockers are checked at the proposal and again, for the first person, when the second one confirms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import transaction
from django.db.models import QuerySet

from incidents import authority, clock, policy
from incidents.models import Action, Attempt, CleanupItem, Environment, Gate, Incident, Proposal
from incidents.steps import attempts, cleanup, declare, freeze, privacy, rollback, verify
from incidents.steps.base import CONFIRMED, Denied, Refused, locked, step, store
from incidents.terms import Act, Kind, Level, Measure, Role

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Countersigned:
    """How one act is worded, checked and run."""

    sentence: Callable[[Incident, Arguments], str]
    blockers: Callable[[Incident, Arguments], list[str]]
    run: Callable[[Incident, Arguments, Any, Any], Any]
    owner: Callable[[Incident, Arguments], Role | None] = lambda _incident, _arguments: None
    # What the proposal is about beyond its arguments: where that has changed, it is another matter.
    about: Callable[[Incident, Arguments], Arguments] = lambda _incident, _arguments: {}


def _one(rows: QuerySet[Any], **key: Any) -> Any:
    try:
        return rows.get(**key)
    except (ObjectDoesNotExist, ValidationError) as error:
        raise Refused("What this is about is no longer part of the incident.") from error


def _action(incident: Incident, arguments: Arguments) -> Action:
    found: Action = _one(incident.actions.select_related("connector"), key=arguments["action"])
    return found


def _gate(incident: Incident, arguments: Arguments) -> Gate:
    found: Gate = _one(incident.gates.all(), key=arguments["gate"])
    return found


def _item(incident: Incident, arguments: Arguments) -> CleanupItem:
    found: CleanupItem = _one(incident.cleanup_items.all(), key=arguments["item"])
    return found


def _attempt(incident: Incident, arguments: Arguments) -> Attempt:
    rows = Attempt.objects.filter(action__incident=incident).select_related("action__connector")
    found: Attempt = _one(rows, pk=arguments["attempt"])
    return found


def _failure(incident: Incident, arguments: Arguments) -> Arguments:
    """The outcome that the risk was read from: it is not accepted for another run."""
    run = verify.last_run(_gate(incident, arguments))
    return {"run": str(run.pk)} if run else {}


def _exception(incident: Incident, arguments: Arguments) -> Arguments:
    name = arguments.get("environment")
    environment = _one(Environment.objects.filter(product=incident.product), name=name) if name else None
    return {
        "measure": Measure(arguments["measure"]),
        "subject": arguments["subject"],
        "environment": environment,
        "expires_at": datetime.fromisoformat(arguments["expires_at"]),
    }


ACTS: dict[Act, Countersigned] = {
    Act.ALLOW_EXCEPTION: Countersigned(
        sentence=lambda _, a: f"Let {a['subject']} through {Measure(a['measure']).label.lower()}: {a['reason']}",
        blockers=lambda i, a: freeze.exception_blockers(i, at=clock.now(), **_exception(i, a)),
        run=lambda i, a, by, second: freeze.allow_exception(
            i, **_exception(i, a), reason=a["reason"], by=by, second=second
        ),
    ),
    Act.LOWER_LEVEL: Countersigned(
        sentence=lambda _, a: f"Lower the scope level to {Level(a['level']).label}: {a['reason']}",
        blockers=lambda i, a: declare.level_blockers(i, Level(a["level"]), up=False),
        run=lambda i, a, by, second: declare.lower_level(
            i, Level(a["level"]), reason=a["reason"], by=by, second=second
        ),
    ),
    Act.STAND_DOWN: Countersigned(
        sentence=lambda _, a: f"Stand down: {a['reason']}",
        blockers=lambda i, _: declare.stand_down_blockers(i),
        run=lambda i, a, by, second: declare.stand_down(i, reason=a["reason"], by=by, second=second),
    ),
    Act.WAIVE_ACTION: Countersigned(
        sentence=lambda i, a: f"Waive “{_action(i, a)}”: {a['reason']}",
        blockers=lambda i, a: rollback.waive_blockers(_action(i, a)),
        run=lambda i, a, by, second: rollback.waive(_action(i, a), reason=a["reason"], by=by, second=second),
        owner=lambda i, a: Role(_action(i, a).owner),
        about=lambda i, a: {"attempts": _action(i, a).attempts.count()},
    ),
    Act.WAIVE_CLEANUP: Countersigned(
        sentence=lambda i, a: f"Waive “{_item(i, a)}”: {a['reason']}",
        blockers=lambda i, a: cleanup.waive_blockers(_item(i, a)),
        run=lambda i, a, by, second: cleanup.waive(_item(i, a), reason=a["reason"], by=by, second=second),
        owner=lambda i, a: Role(_item(i, a).owner),
    ),
    Act.ACCEPT_RISK: Countersigned(
        sentence=lambda i, a: f"Accept the risk at “{_gate(i, a)}”: {a['reason']}",
        blockers=lambda i, a: verify.risk_blockers(_gate(i, a)),
        run=lambda i, a, by, second: verify.accept_risk(_gate(i, a), reason=a["reason"], by=by, second=second),
        about=_failure,
    ),
    Act.ERASE: Countersigned(
        sentence=lambda _, a: f"Erase {a['path']} of entry {a['entry']} for good: {a['reason']}",
        blockers=lambda i, a: privacy.blockers(i, a["entry"], a["path"]),
        run=lambda i, a, by, second: privacy.erase(i, a["entry"], a["path"], reason=a["reason"], by=by, second=second),
    ),
    Act.RESOLVE_UNKNOWN: Countersigned(
        sentence=lambda i, a: (
            f"Decide “{_attempt(i, a).action}” as {'succeeded' if a['succeeded'] else 'failed'}: {a['reason']}"
        ),
        blockers=lambda i, a: attempts.resolve_blockers(_attempt(i, a), clock.now()),
        run=lambda i, a, by, second: attempts.resolve(
            _attempt(i, a), succeeded=a["succeeded"], note=a["reason"], by=by, second=second
        ),
    ),
}


def blockers(incident: Incident, act: Act, arguments: Arguments) -> list[str]:
    return ACTS[act].blockers(incident, arguments)


def propose(incident: Incident, act: Act, *, by: Any, reason: str, **arguments: Any) -> Proposal:
    """Ask for a second person.

    Args:
        reason: shown to the second person and kept with the act.
        arguments: plain JSON values, as the act's entry in `ACTS` reads them.
    """
    handler = ACTS[act]
    with step(incident, act, by=by, owner=handler.owner(incident, arguments)) as taken:
        arguments["reason"] = taken.said(reason, "Give the reason: the second person reads it.")
        taken.refuse_if(handler.blockers(taken.incident, arguments))
        arguments |= handler.about(taken.incident, arguments)
        taken.refuse_if(_asked_already(taken.incident, act, arguments, taken.at))
        proposal = store(
            Proposal(
                incident=taken.incident,
                act=act,
                sentence=handler.sentence(taken.incident, arguments)[:600],
                arguments=arguments,
                proposed_by=by,
                proposed_at=taken.at,
                expires_at=taken.at + policy.PROPOSAL_LASTS,
            )
        )
        taken.record(
            Kind.PROPOSED,
            f"Second person asked for: {proposal.sentence}",
            proposal=proposal.pk,
            act=act,
            arguments=arguments,
            expires_at=proposal.expires_at.isoformat(),
        )
    return proposal


def _asked_already(incident: Incident, act: Act, arguments: Arguments, at: datetime) -> list[str]:
    open_ones = waiting(incident, at).filter(act=act)
    return ["This already waits for a second person."] if any(p.arguments == arguments for p in open_ones) else []


def waiting(incident: Incident, at: datetime | None = None) -> Any:
    """Proposals that still wait."""
    return incident.proposals.filter(decided_at=None, expires_at__gt=at or clock.now()).select_related("proposed_by")


def confirm_blockers(proposal: Proposal, by: Any, at: datetime) -> list[str]:
    if proposal.decided_at:
        return ["This has been decided already."]
    if at >= proposal.expires_at:
        return ["This proposal has expired: propose it again."]
    return ["You proposed this yourself: another person confirms it."] if proposal.proposed_by_id == by.pk else []


def confirm(proposal: Proposal, *, by: Any) -> None:
    """The second person agrees, and the act runs as proposed."""
    with transaction.atomic():
        incident = locked(proposal.incident_id)
        current = Proposal.objects.select_related("proposed_by").get(pk=proposal.pk)
        if not authority.held_roles(by, incident) & policy.COUNTER_SIGNERS:
            raise Denied("A second person holds the role of the commander or a lead in this incident.")
        at = clock.now()
        if found := confirm_blockers(current, by, at):
            raise Refused(*found)
        handler = ACTS[Act(current.act)]
        if current.arguments | handler.about(incident, current.arguments) != current.arguments:
            raise Refused("What this is about has changed since it was proposed: propose it again.")
        current.decided_by, current.decided_at, current.confirmed = by, at, True
        current.save(update_fields=["decided_by", "decided_at", "confirmed"])
        named = CONFIRMED.set(current.pk)
        try:
            handler.run(incident, current.arguments, current.proposed_by, by)
        finally:
            CONFIRMED.reset(named)


def decline(proposal: Proposal, *, by: Any, reason: str) -> None:
    """The second person says no, or the first one withdraws."""
    with step(proposal.incident, Act.DECLINE, by=by) as taken:
        current = Proposal.objects.get(pk=proposal.pk)
        taken.refuse_if(["This has been decided already."] if current.decided_at else [])
        reason = taken.said(reason)
        current.decided_by, current.decided_at, current.confirmed = by, taken.at, False
        current.decision_reason = reason
        current.save(update_fields=["decided_by", "decided_at", "confirmed", "decision_reason"])
        taken.record(Kind.PROPOSAL_DECLINED, f"Declined: {current.sentence}", proposal=current.pk, reason=reason)
