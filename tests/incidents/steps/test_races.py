"""What two do at the same moment: one wins, the other gets a sentence, and the log says one order. On both engines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine

from incidents import clock
from incidents.evidence import log
from incidents.models import EvidenceEntry, Freeze, Incident, RosterEntry, Wiring
from incidents.models.connector import Connector
from incidents.steps import attempts, cleanup, declare, deliver, four_eyes, freeze, roles, rollback, target, unfreeze
from incidents.steps import verify as gates
from incidents.terms import (
    Act,
    ActionState,
    Aspect,
    AttemptState,
    BlockerKind,
    GateOutcome,
    Kind,
    Level,
    Measure,
    Phase,
    Role,
    TargetKind,
    Track,
)
from tests.factories import (
    Crew,
    UserFactory,
    confirm_target,
    finish_action,
    finish_cleanup,
    inform,
    make_crew,
    make_incident,
    own_next_cycle,
    pass_gate,
)
from tests.incidents.steps.at_once import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.thorough]
ONCE = ["done", "refused"]
# What no step of an ordinary incident writes: the portal's own entries, and acts whose races stand in their own tests.
ELSEWHERE = {
    Kind.ACTION_STARTED,
    Kind.ACTION_FOLLOWED,
    Kind.ACTION_FAILED,
    Kind.ACTION_UNKNOWN,
    Kind.ACTION_LATE,
    Kind.ACTION_RESOLVED,
    Kind.ACTION_REHEARSED,
    Kind.CHECKPOINT_SIGNED,
    Kind.CLOCK_SKEWED,
    Kind.CONFIGURED,
    Kind.CORRECTED,
    Kind.DISPATCH_RESUMED,
    Kind.DISPATCH_STOPPED,
    Kind.ERASED,
    Kind.EVIDENCE_UNCERTAIN,
    Kind.FOREIGN_ANNOTATED,
    Kind.FOREIGN_VERIFIED,
    Kind.HANDED_OUT,
    Kind.KEY_MADE,
    Kind.NOTICE_RETRIED,
    Kind.STOOD_DOWN,
    Kind.SUGGESTION_DISMISSED,
}


class Walk:
    """An incident of which every step is sent twice at once; what came of it is kept by name."""

    def __init__(self, crew: Crew, incident: Incident) -> None:
        self.crew, self.incident = crew, incident
        self.wrong: dict[str, list[str]] = {}
        self.done = 0

    def twice(self, name: str, call: Callable[[Incident], Any]) -> None:
        before = EvidenceEntry.objects.filter(chain__incident=self.incident).count()
        one, other = (Incident.objects.get(pk=self.incident.pk) for _ in range(2))
        outcomes = sorted(at_once(lambda: call(one), lambda: call(other)))
        written = EvidenceEntry.objects.filter(chain__incident=self.incident).count() - before
        self.incident.refresh_from_db()
        if (outcomes, written) != (ONCE, 1):
            self.wrong[name] = [*outcomes, f"{written} entries"]


def wired(crew: Crew, *keys: str) -> None:
    connector = Connector.objects.create(name=f"{crew.product} {keys}", kind="command", config={"command": "x"})
    for key in keys:
        Wiring.objects.create(product=crew.product, key=key, connector=connector)


def test_every_step_sent_twice_at_once_happens_once() -> None:
    crew = make_crew()
    wired(crew, "3e-revoke", "health")
    walk = Walk(crew, make_incident(crew, level=Level.L2, accepted=False))

    _declared(walk, crew)
    _rolling_back(walk, crew)
    _verifying(walk, crew)
    _unfrozen(walk, crew)

    assert walk.wrong == {}
    assert set(Kind) - written(walk.incident) == ELSEWHERE
    assert (walk.incident.phase, log.verify(walk.incident.chain).reason) == (Phase.CLOSED, "")


def written(incident: Incident) -> set[str]:
    return {entry.kind for entry in log.entries_of(incident)}


def _declared(walk: Walk, crew: Crew) -> None:
    commander, second = crew.commander, crew[Role.API_LEAD]
    for role in set(Role) - {Role.COMMANDER}:
        walk.twice(f"accept {role}", lambda i, role=role: roles.accept(i, role, by=crew[role]))
    walk.twice("note", lambda i: declare.add_note(i, by=commander, text="On the call"))
    walk.twice(
        "assign", lambda i: roles.assign(i, Role.COMMUNICATIONS_OWNER, user=crew.deputy, by=commander, reason="Ill")
    )
    walk.twice("take over", lambda i: roles.take_over(i, Role.COMMANDER, by=crew.deputy, reason="No answer"))
    walk.twice("hand over", lambda i: roles.hand_over(i, Role.COMMANDER, to=commander, by=crew.deputy, reason="Back"))
    root = UserFactory(is_superuser=True)
    walk.twice("step in", lambda i: roles.step_in(i, Role.COMMANDER, by=root, reason="Nobody answers"))
    roles.hand_over(walk.incident, Role.COMMANDER, to=commander, by=root, reason="Awake")
    walk.twice("close to others", lambda i: declare.limit_knowledge(i, True, by=commander, reason="Keys"))
    walk.twice("open again", lambda i: declare.limit_knowledge(i, False, by=commander, reason="No keys"))
    walk.twice("raise", lambda i: declare.raise_level(i, Level.L3, by=commander, reason="Keys in the logs"))
    proposed = {"by": commander, "reason": "No key was in them", "level": "L2"}
    walk.twice("propose", lambda i: four_eyes.propose(i, Act.LOWER_LEVEL, **proposed))
    proposal = walk.incident.proposals.get()
    walk.twice("confirm", lambda _: four_eyes.confirm(proposal, by=second))
    proposal = four_eyes.propose(walk.incident, Act.STAND_DOWN, by=commander, reason="False alarm?")
    walk.twice("decline", lambda _: four_eyes.decline(proposal, by=second, reason="It is real"))
    asked = {"measure": Measure.MERGES, "subject": "PR 41", "reason": "Fix", "expires_at": clock.now() + timedelta(1)}
    allowed = freeze.allow_exception(walk.incident, **asked, by=commander, second=second)
    walk.twice("revoke", lambda i: freeze.revoke_exception(i, allowed, by=commander, reason="Merged"))
    green = {"kind": TargetKind.COMMIT, "identifier": "dbe79f1", "reason": "Green", "by": commander}
    walk.twice("choose", lambda i: target.choose(i, **green))
    for aspect in Aspect:
        lead = crew[target.owner_of(walk.incident, aspect)]
        walk.twice(aspect, lambda i, aspect=aspect, lead=lead: target.confirm(i, aspect, by=lead, note="Checked"))


def _rolling_back(walk: Walk, crew: Crew) -> None:
    commander, lead = crew.commander, crew[Role.SECURITY_LEAD]
    walk.twice("plan", lambda i: rollback.make_plan(i, by=commander))
    new = {"track": Track.DATA, "name": "Drop the view", "owner": Role.DATA_EVIDENCE_LEAD, "stage": 3}
    walk.twice("add action", lambda i: rollback.add_action(i, **new, destructive=False, by=commander, reason="Found"))

    def action(i: Incident, key: str = "3e-revoke") -> Any:
        return i.actions.get(key=key)

    walk.twice("approve", lambda i: rollback.approve(action(i), by=commander))
    walk.twice("dispatch", lambda i: rollback.dispatch(action(i), by=lead))
    walk.twice("abort", lambda i: rollback.abort(action(i), by=commander, reason="Wrong key"))
    walk.twice("waive", lambda i: rollback.waive(action(i), by=lead, reason="No key was touched"))
    for row in walk.incident.actions.exclude(key="3e-revoke"):
        finish = crew[Role(row.owner)]
        if rollback.needs_second(row):
            rollback.approve(row, by=commander)
        walk.twice(
            f"complete {row.key}",
            lambda i, key=row.key, finish=finish: rollback.complete(
                action(i, key), succeeded=True, result="Done", by=finish
            ),
        )
    items = {area.key: list(walk.incident.cleanup_items.filter(area=area.key)) for area in walk.incident.book.cleanup}
    walk.twice("waive item", lambda _: cleanup.waive(items["credentials"][0], by=lead, reason="No key was touched"))
    walk.twice("tick", lambda i: cleanup.tick(i, items["credentials"][1:], by=lead, note="Looked"))
    where = "cleanup:rotation-log"
    walk.twice("attach", lambda i: cleanup.attach(i, where, owner=Role.SECURITY_LEAD, by=lead, text="None rotated"))


def _verifying(walk: Walk, crew: Crew) -> None:
    commander, second, incident = crew.commander, crew[Role.API_LEAD], walk.incident
    walk.incident.cleanup_items.filter(area="credentials").update(state="open")
    finish_cleanup(incident, crew)
    walk.twice("begin", lambda i: gates.begin(i, by=commander))
    walk.twice("reopen", lambda i: gates.reopen_rollback(i, by=commander, reason="Look again"))
    gates.begin(incident, by=commander)
    walk.twice("run", lambda i: gates.ask_for_run(i.gates.get(key="health"), by=commander))
    for key in ("health", "smoke", "evidence"):
        pass_gate(incident.gates.get(key=key), crew)
    cleanup.attach(incident, "gate:ci", owner=Role.API_LEAD, by=second, text="Output")
    walk.twice(
        "record",
        lambda i: gates.record_by_hand(i.gates.get(key="ci"), outcome=GateOutcome.FAIL, note="Red", by=second),
    )
    known = {"failing_step": "ci:gates", "kind": BlockerKind.OTHER, "proof": "At 41aa0de", "not_executed": "The rest"}
    walk.twice("baseline", lambda i: gates.accept_baseline(i.gates.get(key="ci"), **known, by=commander))
    walk.twice("risk", lambda i: gates.accept_risk(i.gates.get(key="ci"), reason="Known", by=commander, second=second))
    area = Role.SECURITY_LEAD
    walk.twice("name owner", lambda i: unfreeze.name_owner(i, area, user=crew[area], by=commander))
    walk.twice("accept ownership", lambda i: unfreeze.accept_ownership(i, area, by=crew[area]))


def _unfrozen(walk: Walk, crew: Crew) -> None:
    commander, incident = crew.commander, walk.incident
    for role in (Role.API_LEAD, Role.INFRASTRUCTURE_LEAD, Role.DATA_EVIDENCE_LEAD):
        unfreeze.name_owner(incident, role, user=crew[role], by=commander)
        unfreeze.accept_ownership(incident, role, by=crew[role])
    roles.hand_over(
        incident, Role.COMMUNICATIONS_OWNER, to=crew[Role.COMMUNICATIONS_OWNER], by=commander, reason="Well again"
    )
    roles.accept(incident, Role.COMMUNICATIONS_OWNER, by=crew[Role.COMMUNICATIONS_OWNER])
    inform(incident, crew)
    walk.twice("lift merges", lambda i: unfreeze.lift(i, "merges", by=commander))
    walk.twice("refreeze", lambda i: unfreeze.refreeze(i, by=commander, reason="Errors in staging"))
    gates.begin(incident, by=commander)
    for gate in incident.gates.all():
        pass_gate(gate, crew)
    inform(incident, crew)
    for stage in unfreeze.stages(incident):
        walk.twice(f"lift {stage.key}", lambda i, key=stage.key: unfreeze.lift(i, key, by=commander))
    told = {"what_happened": "Lag", "root_cause": "Column", "impact": "Late", "no_gaps_reason": "None found"}
    walk.twice("summary", lambda i: deliver.write_summary(i, **told, by=commander))
    bead = {"title": "Guard", "owner": "API", "priority": "P1", "due_on": date(2027, 1, 1), "acceptance": "Refused"}
    walk.twice("follow-up", lambda i: deliver.add_follow_up(i, **bead, by=commander))
    walk.twice("safeguard", lambda i: deliver.add_safeguard(i, gap="No check", change="Linter", by=commander))
    walk.twice("close", lambda i: deliver.close(i, by=commander))


def queued(crew: Crew, incident: Incident, key: str = "3e-revoke") -> Any:
    action = incident.actions.get(key=key)
    rollback.approve(action, by=crew.commander)
    return action, rollback.dispatch(action, by=crew[Role(action.owner)])


def test_a_proposal_is_confirmed_or_declined_never_both() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    for number in range(5):
        level = "L2" if incident.scope_level == "L3" else "L1"
        declare.raise_level(incident, Level.L3, by=crew.commander, reason=f"Round {number}")
        proposal = four_eyes.propose(incident, Act.LOWER_LEVEL, by=crew.commander, reason="No", level=level)

        outcomes = at_once(
            lambda p=proposal: four_eyes.confirm(p, by=crew[Role.API_LEAD]),
            lambda p=proposal: four_eyes.decline(p, by=crew[Role.SECURITY_LEAD], reason="Stay"),
        )

        proposal.refresh_from_db()
        incident.refresh_from_db()
        assert sorted(outcomes) == ONCE
        assert proposal.confirmed == (outcomes[0] == "done") == (incident.scope_level != "L3")
        if incident.scope_level == "L3":
            declare.lower_level(incident, Level.L1, by=crew.commander, second=crew[Role.API_LEAD], reason="Next round")


def test_a_target_is_never_replaced_while_an_action_starts_for_it() -> None:
    """A claim takes no incident lock, so the choice may pass it; then the start sees that the target is another."""
    crew = make_crew()
    wired(crew, "3e-revoke")
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    for number in range(5):
        action, attempt = queued(crew, incident)

        def work(attempt: Any = attempt) -> bool:
            claimed = attempts.claim(attempt.pk, "one")
            return claimed is not None and attempts.start(claimed) is not None

        def choose(number: int = number) -> Any:
            return target.choose(
                incident, kind=TargetKind.COMMIT, identifier=f"aaaa{number}", reason="Better", by=crew.commander
            )

        started, chosen = at_once(work, choose)

        attempt.refresh_from_db()
        action.refresh_from_db()
        assert (started, chosen) != ("done", "done")
        assert {started, chosen} <= {"done", "refused"}
        if started == "done":
            attempts.settle(attempts.Claim(attempt.pk, attempt.epoch), AttemptState.FAILED, "Refused")
            choose()
            action.refresh_from_db()
        else:
            assert attempt.state == AttemptState.CANCELLED
        assert action.state == ActionState.PLANNED
        incident.refresh_from_db()
        for aspect in Aspect:
            target.confirm(incident, aspect, by=crew[target.owner_of(incident, aspect)], note="Checked")


def test_an_action_is_started_or_aborted_never_both() -> None:
    crew = make_crew()
    wired(crew, "3e-revoke")
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = incident.actions.get(key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    for _ in range(5):
        attempt = rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])

        def work(attempt: Any = attempt) -> bool:
            claimed = attempts.claim(attempt.pk, "one")
            return claimed is not None and attempts.start(claimed) is not None

        outcomes = at_once(work, lambda: rollback.abort(action, by=crew.commander, reason="Wrong key"))

        assert sorted(outcomes) == ONCE
        attempt.refresh_from_db()
        if attempt.state == AttemptState.STARTED:
            attempts.settle(attempts.Claim(attempt.pk, attempt.epoch), AttemptState.FAILED, "Refused")


def test_any_number_of_sweeps_says_once_that_an_outcome_is_unknown() -> None:
    crew = make_crew()
    wired(crew, "3e-revoke")
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    _, attempt = queued(crew, incident)
    claimed = attempts.claim(attempt.pk, "lost")
    assert claimed
    attempts.start(claimed)
    type(attempt).objects.filter(pk=attempt.pk).update(lease_until=clock.now() - timedelta(minutes=1))

    outcomes = at_once(*[attempts.sweep] * 6)

    kinds = [entry.kind for entry in log.entries_of(incident)]
    assert outcomes == ["done"] * 6
    assert (kinds.count(Kind.ACTION_UNKNOWN), kinds.count(Kind.ACTION_LATE)) == (1, 0)


def test_lifting_and_freezing_again_leave_one_order() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.UNFREEZING)
    for key in ("claims", "dev", "staging"):
        unfreeze.lift(incident, key, by=crew.commander)

    at_once(
        lambda: unfreeze.lift(incident, "prod", by=crew.commander),
        lambda: unfreeze.refreeze(incident, by=crew.commander, reason="Errors in prod"),
    )

    incident.refresh_from_db()
    held = Freeze.objects.get(incident=incident)
    frozen = held.measures.filter(in_force=True).count()
    assert (incident.phase, held.active, frozen) in {(Phase.REVIEW, False, 0), (Phase.ROLLING_BACK, True, 8)}


def test_a_level_change_and_a_start_never_run_an_action_that_now_needs_a_second_person() -> None:
    crew = make_crew()
    wired(crew, "3d-preserve")
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L2)
    added = rollback.add_action(
        incident,
        track=Track.EVIDENCE,
        name="Export the log",
        owner=Role.DATA_EVIDENCE_LEAD,
        stage=1,
        destructive=False,
        by=crew.commander,
        reason="Kept apart",
    )
    type(added).objects.filter(pk=added.pk).update(connector=Connector.objects.get())
    attempt = rollback.dispatch(added, by=crew[Role.DATA_EVIDENCE_LEAD])
    claimed = attempts.claim(attempt.pk, "one")
    assert claimed

    started, _ = at_once(
        lambda: attempts.start(claimed) is not None,
        lambda: declare.raise_level(incident, Level.L3, by=crew.commander, reason="Keys in the logs"),
    )

    kinds = [entry.kind for entry in log.entries_of(incident, Kind.LEVEL_CHANGED, Kind.ACTION_STARTED)]
    attempt.refresh_from_db()
    if started == "done":
        assert kinds == [Kind.ACTION_STARTED, Kind.LEVEL_CHANGED]
    else:
        assert (kinds, attempt.state) == ([Kind.LEVEL_CHANGED], AttemptState.CANCELLED)


def test_verification_never_begins_beside_a_dispatch() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    *others, last = incident.actions.all()
    for action in others:
        finish_action(action, crew)
    finish_cleanup(incident, crew)
    rollback.complete(last, succeeded=True, result="Done", by=crew[Role(last.owner)])

    begun, added = at_once(
        lambda: gates.begin(incident, by=crew.commander),
        lambda: rollback.add_action(
            incident,
            track=Track.DATA,
            name="Drop the view",
            owner=Role.DATA_EVIDENCE_LEAD,
            stage=1,
            destructive=False,
            by=crew.commander,
            reason="Found",
        ),
    )

    incident.refresh_from_db()
    assert added == "done"
    assert begun in {"done", "refused"}
    assert incident.phase == Phase.ROLLING_BACK


def test_twenty_declarations_of_twenty_products_take_twenty_references_without_a_gap() -> None:
    crews = [make_crew() for _ in range(8)]

    def declared(crew: Crew) -> Any:
        return declare.rollback_mode(
            product=crew.product, trigger="regression", summary="Lag", scope_level=Level.L1, by=crew.commander
        )

    outcomes = at_once(*[lambda crew=crew: declared(crew) for crew in crews])

    numbers = sorted(int(i.reference[-4:]) for i in Incident.objects.all())
    assert (outcomes, numbers) == (["done"] * 8, list(range(1, 9)))
    assert log.verify(log.global_chain()).is_intact


def test_a_result_and_a_lost_lease_end_an_attempt_once() -> None:
    crew = make_crew()
    wired(crew, "3e-revoke")
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    _, attempt = queued(crew, incident)
    claimed = attempts.claim(attempt.pk, "slow")
    assert claimed
    attempts.start(claimed)
    type(attempt).objects.filter(pk=attempt.pk).update(lease_until=clock.now() - timedelta(minutes=1))

    at_once(lambda: attempts.settle(claimed, AttemptState.SUCCEEDED, "200 OK"), attempts.sweep)

    ends = (Kind.ACTION_SUCCEEDED, Kind.ACTION_UNKNOWN, Kind.ACTION_LATE)
    kinds = [entry.kind for entry in log.entries_of(incident, *ends)]
    assert kinds in ([Kind.ACTION_SUCCEEDED], [Kind.ACTION_UNKNOWN, Kind.ACTION_LATE])


def test_an_unknown_outcome_is_decided_once() -> None:
    crew = make_crew()
    wired(crew, "3e-revoke")
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    _, attempt = queued(crew, incident)
    claimed = attempts.claim(attempt.pk, "lost")
    assert claimed
    attempts.start(claimed)
    attempts.settle(claimed, AttemptState.UNKNOWN, "No answer")
    attempt.refresh_from_db()

    def decide(succeeded: bool) -> Any:
        who = {"by": crew.commander, "second": crew[Role.API_LEAD]}
        return attempts.resolve(attempt, succeeded=succeeded, note="Looked", **who)

    with time_machine.travel(clock.now() + timedelta(seconds=160)):
        outcomes = at_once(lambda: decide(True), lambda: decide(False))

    assert sorted(outcomes) == ONCE


def test_ownership_is_kept_to_the_end() -> None:
    """Naming another owner takes the lift back, whichever comes first."""
    crew = make_crew()
    incident = make_incident(crew, at=Phase.VERIFYING)
    for gate in incident.gates.all():
        pass_gate(gate, crew)
    own_next_cycle(incident, crew)
    inform(incident, crew)

    lifted, named = at_once(
        lambda: unfreeze.lift(incident, "merges", by=crew.commander),
        lambda: unfreeze.name_owner(incident, Role.API_LEAD, user=crew.deputy, by=crew.commander),
    )

    kinds = [entry.kind for entry in log.entries_of(incident, Kind.LIFTED, Kind.OWNER_NAMED)][-2:]
    assert named == "done"
    assert (lifted == "done") == (kinds == [Kind.LIFTED, Kind.OWNER_NAMED])


def test_a_confirmed_target_makes_one_plan() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    confirm_target(incident, crew)
    incident.refresh_from_db()

    outcomes = at_once(*[lambda: rollback.make_plan(incident, by=crew.commander)] * 4)

    assert sorted(outcomes) == ["done", "refused", "refused", "refused"]
    assert incident.actions.count() == len({action.key for action in incident.actions.all()})


CLIENTS = 20


def test_a_false_alarm_is_stood_down_once() -> None:
    crew = make_crew()
    walk = Walk(crew, make_incident(crew))

    walk.twice(
        "stand down",
        lambda i: declare.stand_down(i, by=crew.commander, second=crew[Role.API_LEAD], reason="False alarm"),
    )

    assert walk.wrong == {}


def test_of_twenty_who_decide_a_proposal_one_does() -> None:
    crew = make_crew()
    incident = make_incident(crew, level=Level.L3)
    proposal = four_eyes.propose(incident, Act.LOWER_LEVEL, by=crew.commander, reason="No", level="L2")

    outcomes = at_once(
        *[lambda: four_eyes.confirm(proposal, by=crew[Role.API_LEAD])] * (CLIENTS // 2),
        *[lambda: four_eyes.decline(proposal, by=crew[Role.SECURITY_LEAD], reason="Stay")] * (CLIENTS // 2),
    )

    incident.refresh_from_db()
    assert sorted(outcomes) == ["done"] + ["refused"] * (CLIENTS - 1)
    assert (incident.scope_level == "L2") == ("done" in outcomes[: CLIENTS // 2])


def test_nothing_is_ever_lifted_beside_an_action_that_starts() -> None:
    """Ten would lift the freeze, ten would roll back further: whoever is first shuts the others out."""
    crew = make_crew()
    incident = make_incident(crew, at=Phase.UNFREEZING)
    unfreeze.refreeze(incident, by=crew.commander, reason="Errors in staging")
    gates.begin(incident, by=crew.commander)
    for gate in incident.gates.all():
        pass_gate(gate, crew)
    inform(incident, crew)
    connector = Connector.objects.create(name="Runner", kind="command", config={"command": "x"})

    def lift() -> Any:
        return unfreeze.lift(Incident.objects.get(pk=incident.pk), "merges", by=crew.commander)

    def start() -> bool:
        mine = Incident.objects.get(pk=incident.pk)
        gates.reopen_rollback(mine, by=crew.commander, reason="Look again")
        new = {"track": Track.APPLICATION, "name": "Roll back once more", "owner": Role.API_LEAD, "stage": 1}
        added = rollback.add_action(mine, **new, destructive=False, by=crew.commander, reason="Found")
        type(added).objects.filter(pk=added.pk).update(connector=connector)
        added = mine.actions.get(pk=added.pk)
        if rollback.needs_second(added):
            rollback.approve(added, by=crew[Role.INFRASTRUCTURE_LEAD])
        claimed = attempts.claim(rollback.dispatch(added, by=crew[Role.API_LEAD]).pk, "one")
        return claimed is not None and attempts.start(claimed) is not None

    outcomes = at_once(*[lift] * (CLIENTS // 2), *[start] * (CLIENTS // 2))

    lifted, started = (half.count("done") for half in (outcomes[: CLIENTS // 2], outcomes[CLIENTS // 2 :]))
    kinds = [entry.kind for entry in log.entries_of(incident)]
    after = kinds[len(kinds) - kinds[::-1].index(Kind.GATE_RECORDED) :]
    assert set(outcomes) <= {"done", "refused"}
    assert (lifted, started) in {(1, 0), (0, 1)}
    assert (Kind.LIFTED in after, Kind.ACTION_STARTED in after) == (lifted == 1, started == 1)
    held = Freeze.objects.get(incident=incident).measures.filter(measure="merges", in_force=True)
    assert held.exists() == (started == 1)


def test_of_twenty_who_take_the_command_one_has_it() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    people = [UserFactory() for _ in range(CLIENTS)]
    for rank, user in enumerate(people, start=10):
        RosterEntry.objects.create(product=crew.product, role=Role.COMMANDER, user=user, rank=rank)

    def hand_over(to: Any) -> Any:
        mine = Incident.objects.get(pk=incident.pk)
        return roles.hand_over(mine, Role.COMMANDER, to=to, by=crew.commander, reason="Rest")

    outcomes = at_once(*[lambda to=to: hand_over(to) for to in people])

    held = roles.current(incident).filter(role=Role.COMMANDER)
    assert sorted(outcomes) == ["done"] + ["refused"] * (CLIENTS - 1)
    assert [row.user for row in held] == [people[outcomes.index("done")]]
    assert log.entries_of(incident, Kind.ROLE_HANDED_OVER).count() == 1
