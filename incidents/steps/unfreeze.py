"""Step 5, controlled unfreeze: four preconditions computed at the moment of the act, then lifted stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from incidents import authority, clock
from incidents.evidence import log
from incidents.models import CycleOwner, Environment, Freeze, FreezeMeasure, Incident
from incidents.policy import LEADS
from incidents.steps import freeze, rollback, verify
from incidents.steps import target as targets
from incidents.steps.base import Denied, Refused, Taken, step
from incidents.steps.roles import candidates
from incidents.terms import INTERNAL, Act, Kind, Measure, NoticeKind, Phase, Role

_BEFORE_VERIFYING = (Phase.DECLARED, Phase.TARGETED, Phase.ROLLING_BACK)


@dataclass(frozen=True)
class Precondition:
    """One of the runbook's four: holds when `missing` is empty. `word` names the page that mends it."""

    key: str
    name: str
    text: str
    missing: tuple[str, ...]
    word: str

    @property
    def holds(self) -> bool:
        return not self.missing


def preconditions(incident: Incident, at: datetime | None = None) -> list[Precondition]:
    """The four preconditions, computed from what is on record now."""
    at = at or clock.now()
    missing = {
        "stable": (_unstable(incident, at), "rollback"),
        "verified": (verify.blockers(incident), "verify"),
        "ownership": (_unowned(incident), "unfreeze"),
        "informed": (_uninformed(incident, at), "notices"),
    }
    return [
        Precondition(clause.key, clause.name, clause.text, tuple(missing[clause.key][0]), missing[clause.key][1])
        for clause in incident.book.preconditions
    ]


def stable_at(incident: Incident) -> datetime:
    """When the target will have been unchanged for the product's stability window."""
    return incident.changed_at + timedelta(seconds=incident.product.stability_seconds)


def _unstable(incident: Incident, at: datetime) -> list[str]:
    chosen = targets.current(incident)
    if chosen is None or not targets.is_confirmed(chosen):
        return ["The target is not confirmed by its leads."]
    found = [f"“{action}” is {action.get_state_display().lower()}." for action in rollback.open_actions(incident)]
    if not found and at < stable_at(incident):
        found.append(f"The target is watched until {stable_at(incident):%H:%M:%S} UTC.")
    return found


def _unowned(incident: Incident) -> list[str]:
    owners = {owner.area: owner for owner in incident.cycle_owners.all() if owner.replaced_at is None}
    found = []
    for role in Role:
        if role not in LEADS:
            continue
        owner = owners.get(role)
        if owner is None:
            found.append(f"Nobody is named for the next cycle's work of the {role.label}.")
        elif owner.accepted_at is None:
            found.append(f"{owner.user} has not accepted the next cycle's work of the {role.label}.")
        elif not owner.user.is_active:
            found.append(f"{owner.user} left: name another owner for the next cycle's work of the {role.label}.")
    return found


def sent_notices(incident: Incident) -> list[dict[str, Any]]:
    """Bodies of the entries that say an update reached its recipients, oldest first."""
    return log.notices_of(incident, Kind.NOTICE_SENT)


def _uninformed(incident: Incident, at: datetime) -> list[str]:
    sent = {body["notice"] for body in sent_notices(incident)}
    if not _is_recovery_told(incident):
        sent.discard(NoticeKind.C)
    wanted = (NoticeKind.A, NoticeKind.B, NoticeKind.C)
    found = [f"Update {kind.value} ({kind.label}) has not been sent." for kind in wanted if kind not in sent]
    due_at = next_update_due(incident)
    if due_at and at > due_at:
        found.append(f"The update due at {due_at:%H:%M} UTC is overdue.")
    return found


def _is_recovery_told(incident: Incident) -> bool:
    """Whether update C speaks of this verification: one from before the rollback was taken up again does not."""
    last = None
    for entry in log.told(incident):
        if entry.kind == Kind.VERIFICATION_BEGUN:
            last = None
        elif entry.kind == Kind.NOTICE_ISSUED and entry.body["notice"] == NoticeKind.C:
            last = entry
    return last is not None and incident.phase not in _BEFORE_VERIFYING


def next_update_due(incident: Incident) -> datetime | None:
    """When stakeholders were promised the next update.

    None once C or a stand-down notice was issued. Where the rollback was taken up again after C, the cadence runs on
    from there: nobody is left with the word that all is well.
    """
    told, cadence = log.told(incident), timedelta(minutes=incident.product.cadence_minutes)
    updates = [e for e in told if e.kind == Kind.NOTICE_ISSUED and e.body["notice"] not in INTERNAL]
    if not updates:
        return incident.declared_at + cadence
    last = updates[-1]
    if promised := last.body.get("next_update_at"):
        return datetime.fromisoformat(promised)
    if last.body["notice"] != NoticeKind.C or _is_recovery_told(incident):
        return None
    again = next((entry for entry in told if entry.seq > last.seq and entry.kind in log.TURNS), last)
    return again.at + cadence


def informed_but_for_c(incident: Incident) -> list[str]:
    """What must hold before notice C may say that the rollback is complete."""
    return [
        sentence
        for precondition in preconditions(incident)
        if precondition.key != "informed"
        for sentence in precondition.missing
    ]


# Ownership of next-cycle work ---------------------------------------------------------------------------------------


def name_owner(incident: Incident, area: Role, *, user: Any, by: Any) -> CycleOwner:
    """The commander names who owns a lead's area in the next cycle."""
    with step(incident, Act.NAME_OWNER, by=by) as taken:
        if area not in LEADS:
            raise Refused("Owners are named for the four leads' areas.")
        if not candidates(taken.incident, area).filter(pk=user.pk).exists():
            raise Refused(f"{user} is neither on the roster of {incident.product} nor part of this incident.")
        current = taken.incident.cycle_owners.filter(area=area, replaced_at=None)
        taken.refuse_if([f"{user} is named already."] if current.filter(user=user).exists() else [])
        replaced = current.select_related("user").first()
        current.update(replaced_at=taken.at)
        owner = CycleOwner.objects.create(incident=taken.incident, area=area, user=user, named_by=by, named_at=taken.at)
        authority.project(taken.incident)
        taken.record(
            Kind.OWNER_NAMED,
            f"Next cycle's work of the {area.label} assigned",
            area=area,
            person=str(user.public_id),
            owner=owner.pk,
            old=str(replaced.user.public_id) if replaced else None,
            replaces=replaced.pk if replaced else None,
        )
    return owner


def accept_ownership(incident: Incident, area: Role, *, by: Any) -> None:
    """The named person takes the work on: ownership is re-established."""
    with step(incident, Act.ACCEPT_OWNERSHIP, by=by) as taken:
        owner = taken.incident.cycle_owners.filter(area=area, replaced_at=None).first()
        if owner is None or owner.user_id != by.pk:
            raise Denied(f"The next cycle's work of the {area.label} is not assigned to you.")
        taken.refuse_if(["You have accepted this already."] if owner.accepted_at else [])
        owner.accepted_at = taken.at
        owner.save(update_fields=["accepted_at"])
        taken.record(
            Kind.OWNER_ACCEPTED,
            f"Next cycle's work of the {area.label} accepted",
            area=area,
            person=str(by.public_id),
            owner=owner.pk,
        )


# Lifting ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """One stage of the lift: merges, claims, or an environment with its promotions and deploys."""

    key: str
    name: str
    measures: tuple[FreezeMeasure, ...]

    @property
    def is_lifted(self) -> bool:
        return not any(row.in_force for row in self.measures)


def stages(incident: Incident) -> list[Stage]:
    """Merges, claims, then each environment in order; the commander picks which comes next."""
    rows = list(freeze.measures_of(incident))
    found = [
        Stage(measure, str(measure.label), tuple(row for row in rows if row.measure == measure))
        for measure in (Measure.MERGES, Measure.CLAIMS)
    ]
    environments: dict[Environment | None, list[FreezeMeasure]] = {}
    for row in rows:
        if row.measure in freeze.PER_ENVIRONMENT:
            environments.setdefault(row.environment, []).append(row)
    for environment, measures in environments.items():
        name = f"Promotions and deploys to {environment}" if environment else "Promotions and deploys"
        found.append(Stage(environment.name if environment else "environments", name, tuple(measures)))
    return found


def lift_blockers(incident: Incident, at: datetime | None = None) -> list[str]:
    """Unfreeze is computed, never ticked: what still stands against it."""
    return [sentence for precondition in preconditions(incident, at) for sentence in precondition.missing]


def lift(incident: Incident, stage_key: str, *, by: Any) -> None:
    """Open one stage. The last one ends the freeze and begins the review."""
    with step(incident, Act.LIFT, by=by) as taken:
        taken.refuse_if(lift_blockers(taken.incident, taken.at))
        # An environment may be called like a measure: then the key stands for what is still frozen.
        named = sorted((s for s in stages(taken.incident) if s.key == stage_key), key=lambda found: found.is_lifted)
        stage = next(iter(named), None)
        if stage is None:
            raise Refused(f"There is no stage “{stage_key[:40]}” to lift.")
        taken.refuse_if([f"{stage.name}: lifted already."] if stage.is_lifted else [])
        ids = [row.pk for row in stage.measures if row.in_force]
        _lift(taken, ids)
        ended = not _held(taken)
        taken.record(Kind.LIFTED, f"Freeze lifted: {stage.name}", stage=stage.key, measures=ids, freeze_ended=ended)


def _lift(taken: Taken, ids: list[int]) -> None:
    FreezeMeasure.objects.filter(pk__in=ids, in_force=True).update(in_force=False, lifted_at=taken.at)
    taken.move_to(Phase.UNFREEZING)
    if not _held(taken):
        Freeze.objects.filter(incident=taken.incident).update(active=False, ended_at=taken.at)
        taken.move_to(Phase.REVIEW)


def _held(taken: Taken) -> bool:
    return FreezeMeasure.objects.filter(freeze__incident=taken.incident, in_force=True).exists()


def refreeze(incident: Incident, *, by: Any, reason: str) -> None:
    """Put every measure back in force: the recovery does not hold. Gates are due again."""
    with step(incident, Act.REFREEZE, by=by) as taken:
        reason = taken.said(reason, "Say why the freeze comes back.")
        lifted = FreezeMeasure.objects.filter(freeze__incident=taken.incident, in_force=False)
        ids = list(lifted.values_list("pk", flat=True))
        lifted.update(in_force=True, since=taken.at, lifted_at=None)
        taken.note_change()
        taken.move_to(Phase.ROLLING_BACK)
        taken.record(Kind.REFROZEN, f"Frozen again: {reason}", reason=reason, measures=ids)
