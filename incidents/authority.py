"""Who may do what in an incident: one `can()`, one `visible_incidents()`.

Memberships are the truth. They are projected to guardian's direct-FK rows in the same transaction, and only those rows
count: a superuser or a global permission gives nothing inside an incident.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Aggregate, Exists, JSONField, OuterRef, Q, QuerySet, Subquery

from incidents import clock, policy
from incidents.models import (
    AuditGrant,
    CycleOwner,
    Incident,
    IncidentUserObjectPermission,
    Membership,
    RosterEntry,
    Suggestion,
)
from incidents.terms import Act, Role

_VIEW = "view_incident"
_HOLD = "hold_"


def held_roles(user: Any, incident: Incident) -> frozenset[Role]:
    """The roles the person holds and has accepted, in this incident."""
    if not (user.is_authenticated and user.is_active):
        return frozenset()
    names = IncidentUserObjectPermission.objects.filter(
        user=user, content_object=incident, permission__codename__startswith=_HOLD
    ).values_list("permission__codename", flat=True)
    return roles_named(names)


def can(user: Any, act: Act, incident: Incident, owner: Role | None = None) -> Role | None:
    """The role by which the person may do this, or None."""
    return policy.role_for(held_roles(user, incident), act, owner)


def visible_incidents(user: Any) -> QuerySet[Incident]:
    """The incidents a person may know of: those they are or were part of, stand ready for, or may audit.

    One that is need-to-know is for the people who hold or are asked to hold a role or work in it now, and for auditors.
    """
    if not (user.is_authenticated and user.is_active):
        return Incident.objects.none()
    audits = AuditGrant.objects.filter(user=user, expires_at__gt=clock.now())
    rights = _rights(user).filter(permission__codename=_VIEW)
    return Incident.objects.filter(Exists(audits) | Exists(rights))


def with_held_roles(incidents: QuerySet[Incident], user: Any) -> QuerySet[Incident]:
    """The same incidents, each with the names of what the person holds there; `roles_named` reads them."""
    return incidents.annotate(held_names=names_held(user))


def names_held(user: Any, incident: str = "pk") -> Subquery:
    """The names of what a person holds, as a column of a query; `roles_named` reads them.

    Args:
        user: the person, or an `OuterRef` to the query's.
        incident: where the query's rows name the incident.
    """
    held = _rights(user, incident).filter(permission__codename__startswith=_HOLD).order_by().values("content_object")
    return Subquery(held.annotate(names=_Listed("permission__codename")).values("names"))


def roles_named(names: Iterable[str] | None) -> frozenset[Role]:
    return frozenset(Role(name.removeprefix(_HOLD)) for name in names or ())


def _rights(user: Any, incident: str = "pk") -> QuerySet[IncidentUserObjectPermission]:
    return IncidentUserObjectPermission.objects.filter(user=user, content_object=OuterRef(incident))


class _Listed(Aggregate):
    """The values of a column as one JSON list, on both engines."""

    function = "JSON_GROUP_ARRAY"
    output_field = JSONField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="JSONB_AGG", **extra)


def may_step_in(user: Any) -> bool:
    """Who may take a role without standing ready for it: the one thing that a superuser can do inside an incident."""
    return bool(user.is_active and user.is_superuser)


def may_declare(user: Any, product: Any) -> bool:
    """Rollback mode is declared by those who stand ready as Incident Commander of the product."""
    return user.is_active and RosterEntry.objects.filter(product=product, user=user, role=Role.COMMANDER).exists()


def visible_suggestions(user: Any) -> QuerySet[Suggestion]:
    """The suggested declarations a person may know of: of products they may declare for, or all for an audit."""
    if not (user.is_authenticated and user.is_active):
        return Suggestion.objects.none()
    audits = AuditGrant.objects.filter(user=user, expires_at__gt=clock.now())
    return Suggestion.objects.annotate(may_decide=_ready(user)).filter(Q(may_decide=True) | Exists(audits))


def suggestions_to_decide(user: Any) -> QuerySet[Suggestion]:
    """Those that the person may declare for, or dismiss."""
    return Suggestion.objects.filter(_ready(user))


def _ready(user: Any) -> Exists:
    return Exists(RosterEntry.objects.filter(product=OuterRef("product"), user=user, role=Role.COMMANDER))


def project(incident: Incident) -> None:
    """Make guardian's rows say what memberships and roster say; called in the transaction that changed them."""
    wanted = {(codename, user) for codename, users in derived(incident).items() for user in users}
    rows = IncidentUserObjectPermission.objects.filter(content_object=incident)
    present = {(codename, user): pk for pk, codename, user in rows.values_list("pk", "permission__codename", "user_id")}
    if gone := present.keys() - wanted:
        rows.filter(pk__in=[present[key] for key in gone]).delete()
    if fresh := wanted - present.keys():
        permissions = _permissions({codename for codename, _ in fresh})
        IncidentUserObjectPermission.objects.bulk_create(
            IncidentUserObjectPermission(user_id=user, content_object=incident, permission_id=permissions[codename])
            for codename, user in sorted(fresh)
        )


def _permissions(codenames: Iterable[str]) -> dict[str, int]:
    from django.contrib.auth.models import Permission

    found = Permission.objects.filter(content_type__app_label="incidents", codename__in=codenames)
    return dict(found.values_list("codename", "pk"))


def derived(incident: Incident) -> dict[str, set[int]]:
    """Who should hold which permission row of the incident: codename → user ids."""
    members = list(
        Membership.objects.filter(incident=incident).values_list("role", "user_id", "accepted_at", "ended_at")
    )
    ready = RosterEntry.objects.filter(product=incident.product_id).order_by().values_list("user_id", flat=True)
    owners = CycleOwner.objects.filter(incident=incident).order_by().values_list("user_id", flat=True)
    if incident.need_to_know:
        knowing = {user for _, user, _, ended in members if not ended} | set(owners)
    else:
        knowing = {user for _, user, _, _ in members} | set(ready.union(owners))
    wanted = {_VIEW: knowing}
    for role in Role:
        wanted[_HOLD + role] = {
            user for held, user, accepted, ended in members if held == role and accepted and not ended
        }
    return wanted
