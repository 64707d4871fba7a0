"""Step 1, declare rollback mode: one transaction from which the freeze holds. Also: level, note and stand-down."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from incidents import authority, clock, policy
from incidents.evidence import log
from incidents.evidence.signals import entry_recorded
from incidents.models import (
    EvidenceChain,
    Freeze,
    Incident,
    Membership,
    Product,
    ReferenceCounter,
    RosterEntry,
)
from incidents.runbook import versions
from incidents.steps import cleanup, freeze, rollback, verify
from incidents.steps.base import AlreadyFrozen, Denied, Refused, Taken, step
from incidents.terms import Act, ActionState, Kind, Level, Phase, Role


def rollback_mode(
    *,
    product: Product,
    trigger: str,
    summary: str,
    scope_level: Level,
    by: Any,
    commander: Any = None,
    drill: bool = False,
) -> Incident:
    """Declare rollback mode (runbook, step 1): timestamp, trigger reason and scope level are on record.

    Args:
        commander: who leads; the declaring person where none is named. Both stand ready as commander of the product.

    Raises:
        AlreadyFrozen: another incident holds this product's freeze; its reference is on the exception.
        Denied: the person does not stand ready as Incident Commander of the product.
        Refused: trigger or commander do not fit.
    """
    with transaction.atomic():
        product = _locked(product)
        commander = commander or by
        if not authority.may_declare(by, product):
            raise Denied(f"Rollback mode is declared by those who stand ready as Incident Commander of {product}.")
        if held := Freeze.objects.filter(product=product, active=True).select_related("incident").first():
            raise AlreadyFrozen(held.incident.reference)
        at = clock.now()
        incident = _opened(product, trigger, summary, scope_level, drill, by, at)
        if not authority.may_declare(commander, product):
            raise Refused(f"{commander} does not stand ready as Incident Commander of {product}.")
        _staffed(incident, commander, by, at)
        freeze.put_in_force(incident, at)
        cleanup.lay_out(incident)
        verify.lay_out(incident)
        _recorded(incident, commander, by, at)
    return incident


def _locked(product: Product) -> Product:
    options = {"no_key": True} if connection.features.has_select_for_no_key_update else {}
    return Product.objects.select_for_update(**options).get(pk=product.pk)


def _opened(product: Product, trigger: str, summary: str, level: Level, drill: bool, by: Any, at: datetime) -> Incident:
    version = versions.current()
    if trigger not in {known.key for known in version.content.triggers}:
        raise Refused(f"The runbook knows no trigger “{trigger[:40]}”.")
    if not summary.strip():
        raise Refused("Say in a sentence what is failing.")
    return Incident.objects.create(
        reference=_next_reference(at),
        product=product,
        runbook=version,
        runbook_sha256=version.sha256,
        trigger=trigger,
        summary=summary.strip(),
        scope_level=level,
        drill=drill,
        declared_by=by,
        declared_at=at,
        changed_at=at,
    )


def _next_reference(at: datetime) -> str:
    ReferenceCounter.objects.get_or_create(year=at.year)
    counter = ReferenceCounter.objects.select_for_update().get(year=at.year)
    counter.last += 1
    counter.save(update_fields=["last"])
    return str(counter)


def _staffed(incident: Incident, commander: Any, by: Any, at: datetime) -> None:
    """The commander leads; the first on the roster is asked for every other role."""
    ready = RosterEntry.objects.filter(product=incident.product, user__is_active=True).exclude(role=Role.COMMANDER)
    first: dict[str, Any] = {}
    for entry in ready.order_by("rank").select_related("user"):
        first.setdefault(entry.role, entry.user)
    people = [(Role.COMMANDER, commander), *((Role(role), user) for role, user in sorted(first.items()))]
    Membership.objects.bulk_create(
        Membership(
            incident=incident,
            user=user,
            role=role,
            assigned_by=by,
            assigned_at=at,
            accepted_at=at if role == Role.COMMANDER else None,
        )
        for role, user in people
    )
    authority.project(incident)


def _recorded(incident: Incident, commander: Any, by: Any, at: datetime) -> None:
    body = {
        "sentence": f"Rollback mode declared for {incident.product} at {incident.level.label}",
        "incident": incident.reference,
        "product": incident.product.slug,
        "trigger": incident.trigger,
        "summary": incident.summary,
        "scope_level": incident.scope_level,
        "commander": str(commander.public_id),
        "drill": incident.drill,
        "runbook_version": incident.runbook.number,
        "runbook_sha256": incident.runbook_sha256,
    }
    chain = EvidenceChain.objects.create(incident=incident)
    actor = log.person(by, Role.COMMANDER)
    entry = log.append(chain, Kind.DECLARED, at=at, actor=actor, body=body)
    log.append_globally(
        Kind.DECLARED, actor=actor, sentence=body["sentence"], incident=incident.reference, chain=str(chain.pk)
    )
    told = {"incident_id": incident.pk, "kind": Kind.DECLARED, "body": body, "entry_id": entry.pk}
    transaction.on_commit(lambda: entry_recorded.send_robust(Incident, **told), robust=True)


def raise_level(incident: Incident, level: Level, *, by: Any, reason: str) -> None:
    """Widen the rollback. New work appears; a verification that had begun goes back to rolling back."""
    with step(incident, Act.RAISE_LEVEL, by=by) as taken:
        taken.refuse_if(level_blockers(taken.incident, level, up=True))
        if taken.incident.phase == Phase.VERIFYING:
            taken.move_to(Phase.ROLLING_BACK)
        _change_level(taken, level, reason)


def lower_level(incident: Incident, level: Level, *, by: Any, second: Any, reason: str) -> None:
    """Narrow the rollback: the commander, with a second person."""
    with step(incident, Act.LOWER_LEVEL, by=by, second=second) as taken:
        taken.refuse_if(level_blockers(taken.incident, level, up=False))
        _change_level(taken, level, reason)


def level_blockers(incident: Incident, level: Level, *, up: bool) -> list[str]:
    if (level.height > incident.level.height) == up and level != incident.level:
        return []
    return [f"The level is {incident.level.label}; choose a {'higher' if up else 'lower'} one."]


def _change_level(taken: Taken, level: Level, reason: str) -> None:
    old = taken.incident.level
    taken.incident.scope_level = level
    taken.incident.save(update_fields=["scope_level"])
    rollback.fit_plan_to_level(taken.incident)
    taken.record(
        Kind.LEVEL_CHANGED, f"Scope level changed from {old.label} to {level.label}", old=old, new=level, reason=reason
    )


def add_note(incident: Incident, *, by: Any, text: str) -> None:
    """Write something down in the incident notes."""
    with step(incident, Act.ADD_NOTE, by=by) as taken:
        taken.refuse_if([] if text.strip() else ["Write the note first."])
        taken.record(Kind.NOTE_ADDED, text.strip())


def stand_down_blockers(incident: Incident) -> list[str]:
    begun = incident.actions.exclude(state__in=[ActionState.PLANNED, ActionState.WAIVED])
    return [f"“{action}” has already run: finish the rollback instead." for action in begun[:3]]


def stand_down(incident: Incident, *, by: Any, second: Any, reason: str) -> None:
    """End a false alarm: the freeze is lifted at once and stakeholders are told."""
    with step(incident, Act.STAND_DOWN, by=by, second=second) as taken:
        taken.refuse_if(stand_down_blockers(taken.incident))
        taken.move_to(Phase.STOOD_DOWN)
        taken.incident.ended_at = taken.at
        taken.incident.save(update_fields=["ended_at"])
        freeze.end(taken.incident, taken.at)
        taken.record(Kind.STOOD_DOWN, f"Stood down: {reason}", reason=reason)


def needs_second(act: Act) -> bool:
    return act in policy.FOUR_EYES
