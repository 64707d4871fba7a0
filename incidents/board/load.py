"""Reading incidents with everything that pages, mails and reports show of them: one statement for any number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F, Model, Q

from incidents.board import rows
from incidents.board.bind import Index, bind
from incidents.evidence import log
from incidents.models import (
    AcceptedRisk,
    Action,
    Approval,
    Attachment,
    Attempt,
    BaselineBlocker,
    CleanupItem,
    Confirmation,
    Connector,
    CycleOwner,
    Environment,
    EvidenceChain,
    EvidenceEntry,
    Exhibit,
    FollowUp,
    Freeze,
    FreezeException,
    FreezeMeasure,
    Gate,
    GateRun,
    Incident,
    IncidentUserObjectPermission,
    Membership,
    Product,
    Proposal,
    Rehearsal,
    Review,
    RosterEntry,
    Safeguard,
    Target,
)

# How the rows of each table lead to their incident. The first step of the path is the row's parent here.
_PATHS: dict[type[Model], str] = {
    Membership: "incident",
    Freeze: "incident",
    FreezeMeasure: "freeze__incident",
    FreezeException: "freeze__incident",
    Target: "incident",
    Confirmation: "target__incident",
    Action: "incident",
    Attempt: "action__incident",
    Rehearsal: "action__incident",
    Approval: "action__incident",
    CleanupItem: "incident",
    Attachment: "incident",
    Exhibit: "incident",
    Gate: "incident",
    GateRun: "gate__incident",
    BaselineBlocker: "run__gate__incident",
    AcceptedRisk: "gate__incident",
    CycleOwner: "incident",
    Proposal: "incident",
    Review: "incident",
    FollowUp: "incident",
    Safeguard: "incident",
    EvidenceChain: "incident",
}
# What a person's row is shown with; a password's hash is nobody's business here.
_UNREAD = ("password", "last_login", "is_superuser", "canonical")
_OUTPUT = ("output",)
_ALONG = "read along"


@dataclass(frozen=True)
class Along:
    """What is read with an incident and is no relation of it: who stands ready, everybody named, its last entries."""

    roster: list[RosterEntry]
    names: dict[str, str]
    recent: list[EvidenceEntry]


def load(incident: Incident) -> Incident:
    """Read everything that pages and exports show of an incident."""
    load_all([incident])
    return incident


def along(incident: Incident) -> Along | None:
    """What was read with the incident; None where it was not read whole, or has been changed since."""
    kept: Along | None = incident.__dict__.get("_prefetched_objects_cache", {}).get(_ALONG)
    return kept


def load_all(incidents: Sequence[Incident], *, output: bool = True, recent: int = 0) -> None:
    """Read everything of several incidents in one statement and put it where `incident.actions.all()` finds it.

    Args:
        incidents: with product and runbook already there.
        output: whether the output of attempts and gate runs is read too; left out, it is read when asked for.
        recent: how many of each log's last entries to read along.
    """
    if not incidents:
        return
    querysets = [model._default_manager.filter(**{f"{path}__in": incidents}) for model, path in _PATHS.items()]
    querysets += [*_of_products(incidents), Connector.objects.all(), _people(incidents), _entries(incidents, recent)]
    found = rows.read(querysets, leave_out=_UNREAD if output else (*_UNREAD, *_OUTPUT))
    index: Index = {
        queryset.model: {row.pk: row for row in read} for queryset, read in zip(querysets, found, strict=True)
    }
    index[Incident] = {incident.pk: incident for incident in incidents}
    index[Product] = {incident.product_id: incident.product for incident in incidents}
    bind(index, _PATHS)
    for incident in incidents:
        _keep(incident, index, recent)


def _of_products(incidents: Sequence[Incident]) -> list[Any]:
    products = {incident.product_id for incident in incidents}
    return [
        Environment.objects.filter(product__in=products),
        RosterEntry.objects.filter(product__in=products, user__is_active=True),
    ]


def _people(incidents: Sequence[Incident]) -> Any:
    """Everyone who is, was or may become part of the incidents, and who declared them."""
    rights = IncidentUserObjectPermission.objects.filter(content_object__in=incidents)
    declared = {incident.declared_by_id for incident in incidents}
    return get_user_model().objects.filter(Q(pk__in=rights.values("user")) | Q(pk__in=declared))


def _entries(incidents: Sequence[Incident], recent: int) -> Any:
    wanted = Q(kind__in=log.NOTICES)
    if recent:
        wanted |= Q(seq__gt=F("chain__seq") - recent)
    return EvidenceEntry.objects.filter(wanted, chain__incident__in=incidents)


def _keep(incident: Incident, index: Index, recent: int) -> None:
    entries = [entry for entry in index[EvidenceEntry].values() if entry.chain_id == incident.chain.pk]
    log.keep_notices(incident, entries)
    kept = Along(
        roster=[entry for entry in index[RosterEntry].values() if entry.product_id == incident.product_id],
        names={str(user.public_id): user.name for user in index[get_user_model()].values()},
        recent=[entry for entry in entries if entry.seq > incident.chain.seq - recent],
    )
    incident.__dict__["_prefetched_objects_cache"][_ALONG] = kept
