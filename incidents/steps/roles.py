"""Who holds which role: assigned by the commander, accepted, handed over, taken over by a deputy or by a superuser."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from incidents import authority
from incidents.models import Incident, Membership, RosterEntry
from incidents.steps.base import Denied, Taken, step
from incidents.terms import Act, Kind, Role


def holder(incident: Incident, role: Role) -> Membership | None:
    found: Membership | None = current(incident).filter(role=role).first()
    return found


def current(incident: Incident) -> Any:
    return Membership.objects.filter(incident=incident, ended_at=None).select_related("user")


def candidates(incident: Incident, role: Role) -> Any:
    """People who can be given a role: those on the product's roster and those already part of the incident."""
    from django.contrib.auth import get_user_model

    ready = Q(roster__product=incident.product) | Q(memberships__incident=incident)
    return get_user_model().objects.filter(ready, is_active=True).distinct()


def assign(incident: Incident, role: Role, *, user: Any, by: Any, reason: str = "") -> Membership:
    """Give a role to a person, who then accepts it. Whoever held it before no longer does."""
    with step(incident, Act.ASSIGN_ROLE, by=by) as taken:
        held = holder(taken.incident, role)
        taken.refuse_if(_assign_blockers(taken.incident, role, user, held))
        reason = taken.said(reason) if reason.strip() else ""
        membership = _put(taken, role, user, reason)
        taken.record(
            Kind.ROLE_ASSIGNED,
            f"{role.label} assigned",
            role=role,
            person=str(user.public_id),
            reason=reason,
            **_succession(held, membership),
        )
    return membership


def _assign_blockers(incident: Incident, role: Role, user: Any, held: Membership | None) -> list[str]:
    if role == Role.COMMANDER:
        return ["The Incident Commander's role is handed over, not assigned."]
    if not candidates(incident, role).filter(pk=user.pk).exists():
        return [f"{user} is neither on the roster of {incident.product} nor part of this incident."]
    return [f"{user} already holds this role."] if held and held.user_id == user.pk else []


def accept(incident: Incident, role: Role, *, by: Any) -> None:
    """The assigned person takes the role on."""
    with step(incident, Act.ACCEPT_ROLE, by=by, owner=role) as taken:
        membership = holder(taken.incident, role)
        if membership is None or membership.user_id != by.pk:
            raise Denied(f"The role {role.label} is not assigned to you.")
        taken.refuse_if(["You have already accepted this role."] if membership.is_accepted else [])
        membership.accepted_at = taken.at
        membership.save(update_fields=["accepted_at"])
        authority.project(taken.incident)
        taken.record(
            Kind.ROLE_ACCEPTED,
            f"{role.label} accepted",
            role=role,
            person=str(by.public_id),
            membership=membership.pk,
        )


def hand_over(incident: Incident, role: Role, *, to: Any, by: Any, reason: str) -> Membership:
    """The holder, or the commander, passes a role on. The next person accepts it; a commander's role passes at once."""
    with step(incident, Act.HAND_OVER, by=by) as taken:
        held = holder(taken.incident, role)
        if taken.role != Role.COMMANDER and (held is None or held.user_id != by.pk):
            raise Denied(f"Only the {role.label} and the Incident Commander may hand this role over.")
        taken.refuse_if(_hand_over_blockers(taken.incident, held, to))
        reason = taken.said(reason)
        membership = _put(taken, role, to, reason, accepted=role == Role.COMMANDER)
        taken.record(
            Kind.ROLE_HANDED_OVER,
            f"{role.label} handed over",
            role=role,
            reason=reason,
            **_succession(held, membership),
        )
    return membership


def _hand_over_blockers(incident: Incident, held: Membership | None, to: Any) -> list[str]:
    if held is None:
        return ["Nobody holds this role yet: assign it instead."]
    if held.user_id == to.pk:
        return [f"{to} already holds this role."]
    if not candidates(incident, Role(held.role)).filter(pk=to.pk).exists():
        return [f"{to} is neither on the roster of {incident.product} nor part of this incident."]
    return []


def may_take_over(incident: Incident, role: Role, user: Any) -> bool:
    """Whether the person stands ready for the role, and may know of the incident at all."""
    ready = RosterEntry.objects.filter(product=incident.product, role=role, user=user)
    return ready.exists() and authority.visible_incidents(user).filter(pk=incident.pk).exists()


def take_over(incident: Incident, role: Role, *, by: Any, reason: str) -> Membership:
    """A deputy from the roster steps in where the holder does not answer; the reason is on record."""
    with step(incident, Act.TAKE_OVER, by=by, owner=role) as taken:
        if not may_take_over(taken.incident, role, by):
            raise Denied(f"You do not stand ready as {role.label} of {incident.product}.")
        held = holder(taken.incident, role)
        taken.refuse_if(["You already hold this role."] if held and held.user_id == by.pk else [])
        reason = taken.said(reason)
        membership = _put(taken, role, by, reason, accepted=True)
        taken.record(
            Kind.ROLE_TAKEN_OVER,
            f"{role.label} taken over",
            role=role,
            reason=reason,
            **_succession(held, membership),
        )
    return membership


def step_in(incident: Incident, role: Role, *, by: Any, reason: str) -> Membership:
    """A superuser takes a role, for want of anybody who stands ready: without it they have nothing in an incident.

    Everybody who holds a role is told by mail.
    """
    with step(incident, Act.STEP_IN, by=by, owner=role) as taken:
        if not authority.may_step_in(by):
            raise Denied("Only a superuser takes a role that they do not stand ready for.")
        held = holder(taken.incident, role)
        taken.refuse_if(["You already hold this role."] if held and held.user_id == by.pk else [])
        reason = taken.said(reason)
        membership = _put(taken, role, by, reason, accepted=True)
        taken.record(
            Kind.STEPPED_IN,
            f"{role.label} taken by an administrator",
            role=role,
            reason=reason,
            **_succession(held, membership),
        )
    return membership


def _succession(held: Membership | None, membership: Membership) -> dict[str, Any]:
    """Who held the role and who holds it now, as the log says it."""
    return {
        "old": str(held.user.public_id) if held else None,
        "new": str(membership.user.public_id),
        "ended": held.pk if held else None,
        "membership": membership.pk,
        "accepted": membership.is_accepted,
    }


def _put(taken: Taken, role: Role, user: Any, reason: str, *, accepted: bool = False) -> Membership:
    current(taken.incident).filter(role=role).update(ended_at=taken.at, end_reason=reason)
    membership = Membership.objects.create(
        incident=taken.incident,
        user=user,
        role=role,
        assigned_by=taken.by,
        assigned_at=taken.at,
        accepted_at=taken.at if accepted else None,
    )
    authority.project(taken.incident)
    return membership
