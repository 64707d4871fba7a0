"""Step 1, declare rollback mode: one transaction from which the freeze holds. Also: level, note and stand-down."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from incidents import authority, clock, policy
from incidents.evidence import log
from incidents.models import (
    Attempt,
    Freeze,
    FreezeMeasure,
    Incident,
    Membership,
    Product,
    ReferenceCounter,
    RosterEntry,
    Suggestion,
)
from incidents.runbook import versions
from incidents.steps import cleanup, event_time, freeze, rollback, suggest, verify
from incidents.steps.base import AlreadyFrozen, Denied, Refused, Taken, step, store, tell
from incidents.steps.text import NOTE as LONGEST_NOTE
from incidents.terms import Act, ActionState, Kind, Level, Phase, Role, Source


def rollback_mode(
    *,
    product: Product,
    trigger: str,
    summary: str,
    scope_level: Level,
    by: Any,
    commander: Any = None,
    drill: bool = False,
    suggestion: Suggestion | None = None,
    need_to_know: bool = False,
) -> Incident:
    """Declare rollback mode (runbook, step 1): timestamp, trigger reason and scope level are on record.

    Args:
        commander: who leads; the declaring person where none is named. Both stand ready as commander of the product.
        suggestion: what an outside system saw, where that is why.
        need_to_know: whether only its own people and auditors may know of it.

    Raises:
        AlreadyFrozen: another incident holds this product's freeze; its reference is on the exception.
        Denied: the person does not stand ready as Incident Commander of the product.
        Refused: trigger or commander do not fit, or the suggestion waits no more.
    """
    with transaction.atomic():
        product = _locked(product)
        commander = commander or by
        ready = _ready(product)
        if not (by.is_active and by in ready[Role.COMMANDER]):
            raise Denied(f"Rollback mode is declared by those who stand ready as Incident Commander of {product}.")
        if held := Freeze.objects.filter(product=product, active=True).select_related("incident").first():
            raise AlreadyFrozen(held.incident.reference)
        if commander not in ready[Role.COMMANDER]:
            raise Refused(f"{commander} does not stand ready as Incident Commander of {product}.")
        at = clock.now()
        incident = _opened(product, trigger, summary, scope_level, by, at, drill=drill, need_to_know=need_to_know)
        laid_out: dict[str, Any] = {
            "roles": _staffed(incident, commander, ready, by, at),
            "measures": [_measure(row) for row in freeze.put_in_force(incident, at)],
        }
        if suggestion:
            laid_out["suggestion"] = suggest.take(suggestion, incident, by=by, at=at)
        cleanup.lay_out(incident)
        verify.lay_out(incident)
        _recorded(incident, commander, by, at, laid_out)
    return incident


def _locked(product: Product) -> Product:
    no_key = connection.features.has_select_for_no_key_update
    return Product.objects.select_for_update(no_key=no_key).get(pk=product.pk)


def _ready(product: Product) -> dict[Role, list[Any]]:
    """Who stands ready for each role, by rank."""
    ready: dict[Role, list[Any]] = {role: [] for role in Role}
    rows = RosterEntry.objects.filter(product=product, user__is_active=True).order_by("rank")
    for row in rows.select_related("user"):
        ready[Role(row.role)].append(row.user)
    return ready


def _opened(
    product: Product, trigger: str, summary: str, level: Level, by: Any, at: datetime, **marks: bool
) -> Incident:
    version = versions.current()
    if trigger not in {known.key for known in version.content.triggers}:
        raise Refused(f"The runbook knows no trigger “{trigger[:40]}”.")
    if not summary.strip():
        raise Refused("Say in a sentence what is failing.")
    return store(
        Incident(
            reference=_next_reference(at),
            product=product,
            runbook=version,
            runbook_sha256=version.sha256,
            trigger=trigger,
            summary=summary.strip(),
            scope_level=level,
            declared_by=by,
            declared_at=at,
            changed_at=at,
            **marks,
        )
    )


def _next_reference(at: datetime) -> str:
    counters = ReferenceCounter.objects.select_for_update().filter(year=at.year)
    counter = counters.first()
    if counter is None:
        ReferenceCounter.objects.get_or_create(year=at.year)
        counter = counters.get()
    counter.last += 1
    counter.save(update_fields=["last"])
    return str(counter)


def _staffed(
    incident: Incident, commander: Any, ready: dict[Role, list[Any]], by: Any, at: datetime
) -> list[dict[str, Any]]:
    """The commander leads; the first on the roster is asked for every other role. Returns what the log says of it."""
    first = {role: users[0] for role, users in ready.items() if users} | {Role.COMMANDER: commander}
    rows = Membership.objects.bulk_create(
        Membership(
            incident=incident,
            user=user,
            role=role,
            assigned_by=by,
            assigned_at=at,
            accepted_at=at if role == Role.COMMANDER else None,
        )
        for role, user in first.items()
    )
    authority.project(incident)
    return [{"membership": row.pk, "role": row.role, "person": str(row.user.public_id)} for row in rows]


def _measure(row: FreezeMeasure) -> dict[str, Any]:
    said = {"id": row.pk, "measure": row.measure}
    return (
        {**said, "environment": row.environment.name, "environment_id": row.environment_id} if row.environment else said
    )


def _recorded(incident: Incident, commander: Any, by: Any, at: datetime, laid_out: dict[str, Any]) -> None:
    suggested = laid_out.get("suggestion")
    why = f", as suggested by {Source(suggested['source']).label}: {suggested['title']}" if suggested else ""
    body = {
        "sentence": f"Rollback mode declared for {incident.product} at {incident.level.label}{why}",
        "incident": incident.reference,
        "act": Act.DECLARE,
        "phase": {"old": None, "new": incident.phase},
        "product": incident.product.slug,
        "trigger": incident.trigger,
        "summary": incident.summary,
        "scope_level": incident.scope_level,
        "commander": str(commander.public_id),
        "drill": incident.drill,
        "need_to_know": incident.need_to_know,
        "runbook_version": incident.runbook.number,
        "runbook_sha256": incident.runbook_sha256,
        **laid_out,
    }
    actor = log.person(by, Role.COMMANDER if by.pk == commander.pk else "")
    place = log.begin(incident, Kind.DECLARED, at=at, actor=actor, body=body)
    log.append_globally(
        Kind.DECLARED, actor=actor, sentence=body["sentence"], incident=incident.reference, chain=str(incident.chain.pk)
    )
    tell(incident, Kind.DECLARED, body, place)


def raise_level(incident: Incident, level: Level, *, by: Any, reason: str) -> None:
    """Widen the rollback. New work appears; a verification that had begun goes back to rolling back."""
    with step(incident, Act.RAISE_LEVEL, by=by) as taken:
        taken.refuse_if(level_blockers(taken.incident, level, up=True))
        reason = taken.said(reason)
        if taken.incident.phase == Phase.VERIFYING:
            taken.move_to(Phase.ROLLING_BACK)
        _change_level(taken, level, reason)


def lower_level(incident: Incident, level: Level, *, by: Any, second: Any, reason: str) -> None:
    """Narrow the rollback: the commander, with a second person."""
    with step(incident, Act.LOWER_LEVEL, by=by, second=second) as taken:
        taken.refuse_if(level_blockers(taken.incident, level, up=False))
        _change_level(taken, level, taken.said(reason))


def level_blockers(incident: Incident, level: Level, *, up: bool) -> list[str]:
    if (level.height > incident.level.height) == up and level != incident.level:
        return []
    return [f"The level is {incident.level.label}; choose a {'higher' if up else 'lower'} one."]


def _change_level(taken: Taken, level: Level, reason: str) -> None:
    """What is new is due, what nobody needs goes, and a waiver that the new level asks two people for is open again."""
    old = taken.incident.level
    taken.incident.scope_level = level
    taken.incident.save(update_fields=["scope_level"])
    added, removed, reopened = rollback.fit_plan_to_level(taken.incident)
    taken.record(
        Kind.LEVEL_CHANGED,
        f"Scope level changed from {old.label} to {level.label}",
        old=old,
        new=level,
        reason=reason,
        added=added,
        removed=removed,
        reopened=reopened + cleanup.fit_to_level(taken.incident),
    )


def limit_knowledge(incident: Incident, need_to_know: bool, *, by: Any, reason: str) -> None:
    """Close the incident to all but its own people and auditors, or open it again to who stands ready."""
    with step(incident, Act.LIMIT_KNOWLEDGE, by=by) as taken:
        now = "need-to-know" if taken.incident.need_to_know else "open to who stands ready"
        taken.refuse_if([f"It is {now} already."] if taken.incident.need_to_know == need_to_know else [])
        reason = taken.said(reason)
        taken.incident.need_to_know = need_to_know
        taken.incident.save(update_fields=["need_to_know"])
        authority.project(taken.incident)
        said = "Known to its own people and auditors alone" if need_to_know else "Open again to who stands ready"
        taken.record(Kind.KNOWLEDGE_CHANGED, said, old=not need_to_know, new=need_to_know, reason=reason)


def add_note(
    incident: Incident, *, by: Any, text: str, personal: bool = False, happened_at: datetime | None = None
) -> None:
    """Write something down in the incident notes.

    Args:
        personal: whether it speaks of a person; it then stands apart from the log and can be erased.
        happened_at: when it happened, where that is not now.
    """
    with step(incident, Act.ADD_NOTE, by=by) as taken:
        note = taken.said(text, "Write the note first.", longest=LONGEST_NOTE)
        event = event_time.fact(taken, happened_at)
        taken.refuse_repeat(Kind.NOTE_ADDED, sentence=note, **event)
        if personal:
            taken.record(Kind.NOTE_ADDED, "Note with personal data, kept apart", personal={"note": note}, **event)
        else:
            taken.record(Kind.NOTE_ADDED, note, **event)


def stand_down_blockers(incident: Incident) -> list[str]:
    """What ran stays run, whatever became of its action since: waived after a failure, or planned for a new target."""
    ran = Exists(Attempt.objects.filter(action=OuterRef("pk"), started_at__isnull=False))
    begun = incident.actions.annotate(ran=ran).filter(Q(ran=True) | Q(state=ActionState.RUNNING))
    return [
        f"“{action}” has already run: finish the rollback instead."
        if action.ran
        else f"“{action}” is queued: abort it first."
        for action in begun[:3]
    ]


def stand_down(incident: Incident, *, by: Any, second: Any, reason: str) -> None:
    """End a false alarm: the freeze is lifted at once and stakeholders are told."""
    with step(incident, Act.STAND_DOWN, by=by, second=second) as taken:
        taken.refuse_if(stand_down_blockers(taken.incident))
        reason = taken.said(reason)
        taken.move_to(Phase.STOOD_DOWN)
        taken.incident.ended_at = taken.at
        taken.incident.save(update_fields=["ended_at"])
        lifted = freeze.end(taken.incident, taken.at)
        taken.record(Kind.STOOD_DOWN, f"Stood down: {reason}", reason=reason, measures=lifted)


def needs_second(act: Act) -> bool:
    return act in policy.FOUR_EYES
