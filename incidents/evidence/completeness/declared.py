"""The incident itself, its people, its freeze, and what waits for a second person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from incidents import clock
from incidents.evidence.completeness.account import Account, Entry, Rule
from incidents.models import CycleOwner, Freeze, FreezeException, FreezeMeasure, Incident, Membership, Proposal
from incidents.terms import Kind, Measure, Role


def person(user: Any) -> str | None:
    """How the log names a person."""
    return str(user.public_id) if user else None


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def corrected(model: Any, key: Any = int) -> Any:
    """The handler of a correction: the field has the new value, which stands apart where it speaks of a person."""

    def handler(said: Account, entry: Entry) -> None:
        body = entry.body
        if body["object"] == model._meta.model_name:
            said.says(key(body["id"]), **{body["field"]: entry.fact("new")})

    return handler


# The incident -------------------------------------------------------------------------------------------------------


_AS_DECLARED = ("product", "trigger", "summary", "scope_level", "drill", "need_to_know", "runbook_sha256")


def _declared(said: Account, entry: Entry) -> None:
    body = entry.body
    said.says(
        body["incident"],
        **{name: body[name] for name in _AS_DECLARED},
        runbook_version=body["runbook_version"],
        declared_by=entry.by,
        declared_at=clock.stamp(entry.at),
        change_number=0,
        changed_at=clock.stamp(entry.at),
        ended=False,
    )


def _moved(said: Account, entry: Entry) -> None:
    if phase := entry.body.get("phase"):
        said.says(entry.body["incident"], phase=phase["new"])
    if change := entry.body.get("changed"):
        said.says(entry.body["incident"], change_number=change["number"], changed_at=change["at"])


def _level(said: Account, entry: Entry) -> None:
    said.says(entry.body["incident"], scope_level=entry.body["new"])


def _knowledge(said: Account, entry: Entry) -> None:
    said.says(entry.body["incident"], need_to_know=entry.body["new"])


def _ended(said: Account, entry: Entry) -> None:
    said.says(entry.body["incident"], ended=True)


def _summary(said: Account, entry: Entry) -> None:
    if entry.body["object"] == Incident._meta.model_name:
        said.says(entry.body["incident"], **{entry.body["field"]: entry.body["new"]})


def _of_incident(row: Incident) -> dict[str, Any]:
    return {
        "product": row.product.slug,
        "trigger": row.trigger,
        "summary": row.summary,
        "scope_level": row.scope_level,
        "drill": row.drill,
        "need_to_know": row.need_to_know,
        "runbook_sha256": row.runbook_sha256,
        "runbook_version": row.runbook.number,
        "declared_by": person(row.declared_by),
        "declared_at": clock.stamp(row.declared_at),
        "phase": row.phase,
        "change_number": row.change_number,
        "changed_at": clock.stamp(row.changed_at),
        "ended": row.ended_at is not None,
    }


INCIDENT = Rule(
    Incident,
    "incident",
    rows=lambda incident: Incident.objects.filter(pk=incident.pk).select_related("product", "runbook", "declared_by"),
    key=lambda row: row.reference,
    facts=_of_incident,
    says={
        Kind.DECLARED: _declared,
        Kind.LEVEL_CHANGED: _level,
        Kind.KNOWLEDGE_CHANGED: _knowledge,
        Kind.CORRECTED: _summary,
        Kind.CLOSED: _ended,
        Kind.STOOD_DOWN: _ended,
    },
    always=_moved,
    named=str,
)


# Its people ---------------------------------------------------------------------------------------------------------


def _staffed(said: Account, entry: Entry) -> None:
    for row in entry.body["roles"]:
        leads = row["role"] == Role.COMMANDER
        said.says(
            row["membership"],
            role=row["role"],
            person=row["person"],
            assigned_by=entry.by,
            accepted=leads,
            ended=False,
        )


def _succeeded(said: Account, entry: Entry) -> None:
    body = entry.body
    said.says(
        body["membership"],
        role=body["role"],
        person=body["new"],
        assigned_by=entry.by,
        accepted=body["accepted"],
        ended=False,
    )
    if body["ended"] is not None:
        said.says(body["ended"], ended=True, end_reason=body["reason"])


def _accepted(said: Account, entry: Entry) -> None:
    said.says(entry.body["membership"], person=entry.body["person"], accepted=True)


MEMBERSHIP = Rule(
    Membership,
    "role assignment",
    rows=lambda incident: incident.memberships.select_related("user", "assigned_by"),
    key=lambda row: row.pk,
    facts=lambda row: {
        "role": row.role,
        "person": person(row.user),
        "assigned_by": person(row.assigned_by),
        "accepted": row.is_accepted,
        "ended": row.ended_at is not None,
        "end_reason": row.end_reason,
    },
    says={
        Kind.DECLARED: _staffed,
        Kind.ROLE_ASSIGNED: _succeeded,
        Kind.ROLE_HANDED_OVER: _succeeded,
        Kind.ROLE_TAKEN_OVER: _succeeded,
        Kind.STEPPED_IN: _succeeded,
        Kind.ROLE_ACCEPTED: _accepted,
    },
    named=lambda row: f"Role assignment “{row}”",
)


def _named(said: Account, entry: Entry) -> None:
    body = entry.body
    said.says(
        body["owner"], area=body["area"], person=body["person"], named_by=entry.by, accepted=False, replaced=False
    )
    if body["replaces"] is not None:
        said.says(body["replaces"], replaced=True)


def _taken_on(said: Account, entry: Entry) -> None:
    said.says(entry.body["owner"], person=entry.body["person"], accepted=True)


CYCLE_OWNER = Rule(
    CycleOwner,
    "next-cycle owner",
    rows=lambda incident: incident.cycle_owners.select_related("user", "named_by"),
    key=lambda row: row.pk,
    facts=lambda row: {
        "area": row.area,
        "person": person(row.user),
        "named_by": person(row.named_by),
        "accepted": row.accepted_at is not None,
        "replaced": row.replaced_at is not None,
    },
    says={Kind.OWNER_NAMED: _named, Kind.OWNER_ACCEPTED: _taken_on},
    named=lambda row: f"Next-cycle owner “{row}”",
)


# Its freeze ---------------------------------------------------------------------------------------------------------


def _frozen(said: Account, entry: Entry) -> None:
    said.says(entry.body["incident"], product=entry.body["product"], active=True)


def _opened(said: Account, entry: Entry) -> None:
    if entry.kind == Kind.STOOD_DOWN or entry.body["freeze_ended"]:
        said.says(entry.body["incident"], active=False)


FREEZE = Rule(
    Freeze,
    "freeze of",
    rows=lambda incident: Freeze.objects.filter(incident=incident).select_related("product", "incident"),
    key=lambda row: row.incident.reference,
    facts=lambda row: {"product": row.product.slug, "active": row.active},
    says={Kind.DECLARED: _frozen, Kind.LIFTED: _opened, Kind.STOOD_DOWN: _opened},
    named=lambda row: f"Freeze of {row.product}",
)


def _in_force(said: Account, entry: Entry) -> None:
    for row in entry.body["measures"]:
        said.says(row["id"], measure=row["measure"], environment=row.get("environment_id"), in_force=True)


def _put(in_force: bool) -> Any:
    def handler(said: Account, entry: Entry) -> None:
        for key in entry.body["measures"]:
            said.says(key, in_force=in_force)

    return handler


FREEZE_MEASURE = Rule(
    FreezeMeasure,
    "freeze measure",
    rows=lambda incident: FreezeMeasure.objects.filter(freeze__incident=incident).select_related("environment"),
    key=lambda row: row.pk,
    facts=lambda row: {"measure": row.measure, "environment": row.environment_id, "in_force": row.in_force},
    says={
        Kind.DECLARED: _in_force,
        Kind.LIFTED: _put(False),
        Kind.STOOD_DOWN: _put(False),
        Kind.REFROZEN: _put(True),
    },
)


def _allowed(said: Account, entry: Entry) -> None:
    body = entry.body
    said.says(
        body["exception"],
        measure=body["measure"],
        subject=body["subject"],
        environment=body["environment_id"],
        reason=body["reason"],
        expires_at=moment(body["expires_at"]),
        asked_by=entry.by,
        second=entry.second,
        revoked=False,
    )


def _revoked(said: Account, entry: Entry) -> None:
    said.says(entry.body["exception"], revoked=True)


FREEZE_EXCEPTION = Rule(
    FreezeException,
    "exception",
    rows=lambda incident: FreezeException.objects.filter(freeze__incident=incident).select_related(
        "asked_by", "second"
    ),
    key=lambda row: row.pk,
    facts=lambda row: {
        "measure": row.measure,
        "subject": row.subject,
        "environment": row.environment_id,
        "reason": row.reason,
        "expires_at": row.expires_at,
        "asked_by": person(row.asked_by),
        "second": person(row.second),
        "revoked": row.revoked_at is not None,
    },
    says={Kind.EXCEPTION_ALLOWED: _allowed, Kind.EXCEPTION_REVOKED: _revoked},
    named=lambda row: f"Exception for {row.subject} through {Measure(row.measure).label.lower()}",
)


# What waits for a second person -------------------------------------------------------------------------------------


def _proposed(said: Account, entry: Entry) -> None:
    body = entry.body
    said.says(
        body["proposal"],
        act=body["act"],
        arguments=body["arguments"],
        sentence=body["sentence"].partition(": ")[2],
        proposed_by=entry.by,
        expires_at=moment(body["expires_at"]),
        confirmed=None,
        decided_by=None,
    )


def _declined(said: Account, entry: Entry) -> None:
    said.says(entry.body["proposal"], confirmed=False, decided_by=entry.by, decision_reason=entry.body["reason"])


def _confirmed(said: Account, entry: Entry) -> None:
    if "proposal" in entry.body and entry.kind not in (Kind.PROPOSED, Kind.PROPOSAL_DECLINED):
        said.says(entry.body["proposal"], confirmed=True, decided_by=entry.second)


PROPOSAL = Rule(
    Proposal,
    "proposal",
    rows=lambda incident: incident.proposals.select_related("proposed_by", "decided_by"),
    key=lambda row: row.pk,
    facts=lambda row: {
        "act": row.act,
        "arguments": row.arguments,
        "sentence": row.sentence,
        "proposed_by": person(row.proposed_by),
        "expires_at": row.expires_at,
        "confirmed": row.confirmed,
        "decided_by": person(row.decided_by),
        "decision_reason": row.decision_reason,
    },
    says={Kind.PROPOSED: _proposed, Kind.PROPOSAL_DECLINED: _declined},
    always=_confirmed,
)

RULES = (INCIDENT, MEMBERSHIP, CYCLE_OWNER, FREEZE, FREEZE_MEASURE, FREEZE_EXCEPTION, PROPOSAL)
