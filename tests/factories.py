"""The world of a test, built by walking the real steps: people, a product, and an incident at any phase."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import factory
from django.contrib.auth import get_user_model
from django.db import connection

from incidents import clock
from incidents.evidence import triggers
from incidents.models import Environment, Incident, Product, RosterEntry
from incidents.steps import cleanup, declare, deliver, roles, rollback, target, unfreeze, verify
from incidents.steps.base import step
from incidents.terms import Act, Aspect, GateOutcome, Kind, Level, NoticeKind, Phase, Role, TargetKind


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = get_user_model()
        skip_postgeneration_save = True

    name = factory.Faker("name")
    email = factory.Sequence(lambda n: f"person{n}@example.test")
    password = factory.django.Password("correct horse battery")


class ProductFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Product
        skip_postgeneration_save = True

    slug = factory.Sequence(lambda n: f"product-{n}")
    name = factory.Sequence(lambda n: f"Product {n}")
    stability_seconds = 0

    @factory.post_generation
    def environments(self: Any, create: bool, extracted: Any, **_: Any) -> None:
        for position, name in enumerate(extracted or ("dev", "staging", "prod"), start=1):
            Environment.objects.create(product=self, name=name, position=position)


@dataclass
class Crew:
    """One person for each role of a product, a deputy commander, and someone who has nothing to do with it."""

    product: Product
    people: dict[Role, Any]
    deputy: Any
    outsider: Any

    def __getitem__(self, role: Role) -> Any:
        return self.people[role]

    @property
    def commander(self) -> Any:
        return self.people[Role.COMMANDER]


def make_crew(product: Product | None = None) -> Crew:
    product = product or ProductFactory()
    people = {role: UserFactory() for role in Role}
    for role, user in people.items():
        RosterEntry.objects.create(product=product, role=role, user=user, rank=1)
    deputy = UserFactory()
    RosterEntry.objects.create(product=product, role=Role.COMMANDER, user=deputy, rank=2)
    return Crew(product, people, deputy, UserFactory())


def make_incident(
    crew: Crew, *, at: Phase = Phase.DECLARED, level: Level = Level.L1, accepted: bool = True, **fields: Any
) -> Incident:
    """An incident that walked the real steps up to a phase.

    Args:
        at: the phase it ends in; STOOD_DOWN goes there straight from the declaration.
        accepted: whether every role holder has accepted.
        fields: more arguments of the declaration.
    """
    fields = {"trigger": "regression", "summary": "Projection lag after deploy 1182", **fields}
    incident = declare.rollback_mode(product=crew.product, scope_level=level, by=crew.commander, **fields)
    if accepted:
        for role in Role:
            if role != Role.COMMANDER:
                roles.accept(incident, role, by=crew[role])
    if at == Phase.STOOD_DOWN:
        declare.stand_down(incident, by=crew.commander, second=crew[Role.API_LEAD], reason="False alarm")
    elif at != Phase.DECLARED:
        walk(incident, crew, at)
    incident.refresh_from_db()
    return incident


_ORDER = [
    Phase.DECLARED,
    Phase.TARGETED,
    Phase.ROLLING_BACK,
    Phase.VERIFYING,
    Phase.UNFREEZING,
    Phase.REVIEW,
    Phase.CLOSED,
]


def walk(incident: Incident, crew: Crew, to: Phase) -> None:
    """Walk an incident forward through the steps until it is in phase `to`."""
    ways = {
        Phase.TARGETED: confirm_target,
        Phase.ROLLING_BACK: lambda i, c: rollback.make_plan(i, by=c.commander),
        Phase.VERIFYING: finish_rollback,
        Phase.UNFREEZING: lambda i, c: lift(i, c, ["merges"]),
        Phase.REVIEW: lambda i, c: lift(i, c, [s.key for s in unfreeze.stages(i) if not s.is_lifted]),
        Phase.CLOSED: deliver_and_close,
    }
    begin, end = _ORDER.index(Phase(incident.phase)), _ORDER.index(to)
    for phase in _ORDER[begin + 1 : end + 1]:
        if phase == Phase.UNFREEZING:
            pass_gates(incident, crew)
            own_next_cycle(incident, crew)
            inform(incident, crew)
        ways[phase](incident, crew)
        incident.refresh_from_db()


def confirm_target(incident: Incident, crew: Crew, identifier: str = "dbe79f1") -> None:
    target.choose(incident, kind=TargetKind.COMMIT, identifier=identifier, reason="Last green build", by=crew.commander)
    for aspect in Aspect:
        owner = target.owner_of(incident, aspect)
        target.confirm(incident, aspect, by=crew[owner], note=f"{aspect.label} checked")


def finish_rollback(incident: Incident, crew: Crew) -> None:
    for action in incident.actions.all():
        finish_action(action, crew)
    finish_cleanup(incident, crew)
    verify.begin(incident, by=crew.commander)


def finish_action(action: Any, crew: Crew) -> None:
    owner = crew[Role(action.owner)]
    if rollback.needs_second(action):
        second = crew.commander if owner != crew.commander else crew[Role.API_LEAD]
        rollback.approve(action, by=second)
    rollback.complete(action, succeeded=True, result="Done and looked at", by=owner)


def finish_cleanup(incident: Incident, crew: Crew) -> None:
    for area in incident.book.cleanup:
        items = list(incident.cleanup_items.filter(area=area.key))
        cleanup.tick(incident, items, by=crew[area.owner], note="Checked")
        for wanted in area.evidence:
            cleanup.attach(
                incident,
                cleanup.subject(wanted.key),
                owner=area.owner,
                by=crew[area.owner],
                text=f"{wanted.name}: fine",
            )


def pass_gates(incident: Incident, crew: Crew) -> None:
    for gate in incident.gates.all():
        pass_gate(gate, crew)


def pass_gate(gate: Any, crew: Crew, outcome: GateOutcome = GateOutcome.PASS) -> None:
    lead = crew[Role(gate.owner)]
    cleanup.attach(gate.incident, f"gate:{gate.key}", owner=Role(gate.owner), by=lead, text="Output of the check")
    verify.record_by_hand(gate, outcome=outcome, note="Looked at the output", by=lead)


def own_next_cycle(incident: Incident, crew: Crew) -> None:
    for role in (Role.API_LEAD, Role.INFRASTRUCTURE_LEAD, Role.DATA_EVIDENCE_LEAD, Role.SECURITY_LEAD):
        unfreeze.name_owner(incident, role, user=crew[role], by=crew.commander)
        unfreeze.accept_ownership(incident, role, by=crew[role])


def inform(incident: Incident, crew: Crew) -> None:
    """The log entries that say A, B and C reached their recipients; comms has its own tests."""
    for kind in (NoticeKind.A, NoticeKind.B, NoticeKind.C):
        promised = None if kind == NoticeKind.C else (clock.now() + timedelta(minutes=30)).isoformat()
        with step(incident, Act.SEND_NOTICE, by=crew[Role.COMMUNICATIONS_OWNER]) as taken:
            taken.record(Kind.NOTICE_ISSUED, f"Update {kind} issued", notice=kind, next_update_at=promised)
        with step(incident, Act.SEND_NOTICE, by=None) as taken:
            taken.record(Kind.NOTICE_SENT, f"Update {kind} sent", notice=kind)


def lift(incident: Incident, crew: Crew, keys: list[str]) -> None:
    for key in keys:
        unfreeze.lift(incident, key, by=crew.commander)


def deliver_and_close(incident: Incident, crew: Crew) -> None:
    deliver.write_summary(
        incident,
        what_happened="Projections lagged after the deploy.",
        root_cause="A migration dropped a column still read.",
        impact="Runs were shown late.",
        by=crew.commander,
    )
    deliver.add_follow_up(
        incident,
        title="Guard column drops",
        owner="API Lead",
        priority="P1",
        due_on=date(2027, 1, 15),
        acceptance="CI refuses a drop of a column that is read.",
        by=crew.commander,
    )
    deliver.add_safeguard(incident, gap="No check for read columns", change="Migration linter added", by=crew.commander)
    deliver.close(incident, by=crew.commander)


def tamper(incident: Incident, seq: int) -> None:
    """Forge the words of one stored entry, as who drops the triggers could."""
    entry = incident.chain.entries.get(seq=seq)
    forged = entry.canonical.replace('"sentence":"', '"sentence":"Not ')
    assert forged != entry.canonical
    triggers.drop(connection)
    type(entry).objects.filter(pk=entry.pk).update(canonical=forged)


def cut(incident: Incident, after: int) -> None:
    """Take the end of a log away and move its head back, as a superuser of the database could."""
    triggers.drop(connection)
    last = incident.chain.entries.get(seq=after)
    incident.chain.entries.filter(seq__gt=after).delete()
    heads = type(incident.chain).objects.filter(pk=incident.chain.pk)
    heads.update(seq=after, hash=last.hash, prev=last.prev, at=last.at)
