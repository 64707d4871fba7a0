"""Whatever a person sends, a step keeps it whole or refuses it with a sentence, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import transaction

from incidents import clock
from incidents.models import EvidenceEntry, Incident, Proposal
from incidents.steps import cleanup, correct, declare, deliver, four_eyes, freeze, roles, rollback, target, unfreeze
from incidents.steps import verify as gates
from incidents.steps.base import Refused
from incidents.terms import (
    Act,
    Aspect,
    BlockerKind,
    GateOutcome,
    Level,
    Measure,
    Phase,
    Role,
    TargetKind,
    Track,
)
from tests.factories import Crew, confirm_target, make_crew, make_incident, pass_gate

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]

BAD = {"too long": "x" * 30_000, "a NUL": "a\x00b", "half a character": "a\ud800b"}
Write = Callable[[Incident, Crew, str], Any]
SECOND = Role.API_LEAD


def exception(i: Incident, c: Crew, **changes: Any) -> Any:
    fields: dict[str, Any] = {"measure": Measure.MERGES, "subject": "PR 41", "reason": "Fix", **changes}
    return freeze.allow_exception(i, **fields, expires_at=later(), by=c.commander, second=c[SECOND])


def later() -> Any:
    return clock.now() + timedelta(hours=1)


def follow_up(i: Incident, c: Crew, **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "title": "Guard",
        "owner": "API Lead",
        "acceptance": "CI refuses",
        "bead_id": "",
        **changes,
    }
    return deliver.add_follow_up(i, **fields, priority="P1", due_on=date(2027, 1, 15), by=c.commander)


def summary(i: Incident, c: Crew, **changes: Any) -> Any:
    fields = {"what_happened": "Lag", "root_cause": "Column", "impact": "Late", **changes}
    return deliver.write_summary(i, **fields, by=c.commander)


def added(i: Incident, c: Crew, **changes: Any) -> Any:
    fields: dict[str, Any] = {"name": "Drop the view", "reason": "Found", **changes}
    return rollback.add_action(
        i, track=Track.DATA, owner=Role.SECURITY_LEAD, stage=3, destructive=True, by=c.commander, **fields
    )


def baseline(i: Incident, c: Crew, **changes: Any) -> Any:
    fields = {"failing_step": "ci:gates", "proof": "At 41aa0de", "not_executed": "the rest", **changes}
    pass_gate(i.gates.get(key="ci"), c, GateOutcome.FAIL)
    return gates.accept_baseline(i.gates.get(key="ci"), kind=BlockerKind.OTHER, by=c.commander, **fields)


def bring(i: Incident, c: Crew, **what: str) -> Any:
    lead = Role.SECURITY_LEAD
    return cleanup.attach(i, "cleanup:rotation-log", owner=lead, by=c[lead], **what)


def chosen(i: Incident, c: Crew, **changes: str) -> Any:
    fields = {"identifier": "dbe79f1", "reason": "Green", **changes}
    return target.choose(i, kind=TargetKind.COMMIT, by=c.commander, **fields)


def revoked(i: Incident, c: Crew, text: str) -> Any:
    return freeze.revoke_exception(i, exception(i, c), by=c.commander, reason=text)


def confirmed(i: Incident, c: Crew, text: str) -> Any:
    chosen(i, c)
    return target.confirm(i, Aspect.MIGRATION_STATE, by=c[Role.DATA_EVIDENCE_LEAD], note=text)


def by_hand(i: Incident, c: Crew, text: str) -> Any:
    action = i.actions.get(key="3e-revoke")
    rollback.approve(action, by=c.commander)
    return rollback.complete(action, succeeded=True, result=text, by=c[Role.SECURITY_LEAD])


def aborted(i: Incident, c: Crew, text: str) -> Any:
    action = i.actions.get(key="3e-revoke")
    rollback.approve(action, by=c.commander)
    rollback.dispatch(action, by=c[Role.SECURITY_LEAD])
    return rollback.abort(action, by=c.commander, reason=text)


def recorded(i: Incident, c: Crew, text: str) -> Any:
    gate, lead = i.gates.get(key="ci"), Role.API_LEAD
    cleanup.attach(i, "gate:ci", owner=lead, by=c[lead], text="Output")
    return gates.record_by_hand(gate, outcome=GateOutcome.PASS, note=text, by=c[lead])


def accepted(i: Incident, c: Crew, text: str) -> Any:
    pass_gate(i.gates.get(key="ci"), c, GateOutcome.FAIL)
    return gates.accept_risk(i.gates.get(key="ci"), reason=text, by=c.commander, second=c[SECOND])


def declined(i: Incident, c: Crew, text: str) -> Any:
    proposal = four_eyes.propose(i, Act.STAND_DOWN, by=c.commander, reason="False alarm")
    return four_eyes.decline(proposal, by=c[SECOND], reason=text)


def corrected(i: Incident, c: Crew, text: str) -> Any:
    return correct.record(i, i, "summary", text, by=c.commander, reason="Typing error")


WRITES: dict[str, tuple[Phase, Write]] = {
    "note": (Phase.DECLARED, lambda i, c, t: declare.add_note(i, by=c.commander, text=t)),
    "level up": (Phase.DECLARED, lambda i, c, t: declare.raise_level(i, Level.L3, by=c.commander, reason=t)),
    "level down": (
        Phase.DECLARED,
        lambda i, c, t: declare.lower_level(i, Level.L1, by=c.commander, second=c[SECOND], reason=t),
    ),
    "stand-down": (
        Phase.DECLARED,
        lambda i, c, t: declare.stand_down(i, by=c.commander, second=c[SECOND], reason=t),
    ),
    "assignment": (
        Phase.DECLARED,
        lambda i, c, t: roles.assign(i, Role.API_LEAD, user=c.deputy, by=c.commander, reason=t),
    ),
    "handover": (
        Phase.DECLARED,
        lambda i, c, t: roles.hand_over(i, Role.COMMANDER, to=c.deputy, by=c.commander, reason=t),
    ),
    "takeover": (Phase.DECLARED, lambda i, c, t: roles.take_over(i, Role.COMMANDER, by=c.deputy, reason=t)),
    "exception's subject": (Phase.DECLARED, lambda i, c, t: exception(i, c, subject=t)),
    "exception's reason": (Phase.DECLARED, lambda i, c, t: exception(i, c, reason=t)),
    "revocation": (Phase.DECLARED, revoked),
    "target": (Phase.DECLARED, lambda i, c, t: chosen(i, c, identifier=t)),
    "target's reason": (Phase.DECLARED, lambda i, c, t: chosen(i, c, reason=t)),
    "confirmation": (Phase.DECLARED, confirmed),
    "proposal": (
        Phase.DECLARED,
        lambda i, c, t: four_eyes.propose(i, Act.STAND_DOWN, by=c.commander, reason=t),
    ),
    "decline": (Phase.DECLARED, declined),
    "correction": (Phase.DECLARED, corrected),
    "correction's reason": (
        Phase.DECLARED,
        lambda i, c, t: correct.record(i, i, "summary", "Lag", by=c.commander, reason=t),
    ),
    "added action": (Phase.ROLLING_BACK, lambda i, c, t: added(i, c, name=t)),
    "added action's reason": (Phase.ROLLING_BACK, lambda i, c, t: added(i, c, reason=t)),
    "result by hand": (Phase.ROLLING_BACK, by_hand),
    "abort": (Phase.ROLLING_BACK, aborted),
    "waiver": (
        Phase.ROLLING_BACK,
        lambda i, c, t: rollback.waive(i.actions.get(key="3e-revoke"), by=c[Role.SECURITY_LEAD], reason=t),
    ),
    "tick": (
        Phase.ROLLING_BACK,
        lambda i, c, t: cleanup.tick(i, i.cleanup_items.filter(area="data"), by=c[Role.DATA_EVIDENCE_LEAD], note=t),
    ),
    "cleanup waiver": (
        Phase.ROLLING_BACK,
        lambda i, c, t: cleanup.waive(
            i.cleanup_items.get(key="credentials-rotate"), by=c[Role.SECURITY_LEAD], reason=t
        ),
    ),
    "exhibit's text": (Phase.ROLLING_BACK, lambda i, c, t: bring(i, c, text=t)),
    "exhibit's link": (Phase.ROLLING_BACK, lambda i, c, t: bring(i, c, link=f"https://ci.test/{t}")),
    "reopening": (Phase.VERIFYING, lambda i, c, t: gates.reopen_rollback(i, by=c.commander, reason=t)),
    "gate's note": (Phase.VERIFYING, recorded),
    "failing step": (Phase.VERIFYING, lambda i, c, t: baseline(i, c, failing_step=t)),
    "baseline's proof": (Phase.VERIFYING, lambda i, c, t: baseline(i, c, proof=t)),
    "steps not executed": (Phase.VERIFYING, lambda i, c, t: baseline(i, c, not_executed=t)),
    "accepted risk": (Phase.VERIFYING, accepted),
    "refreeze": (Phase.UNFREEZING, lambda i, c, t: unfreeze.refreeze(i, by=c.commander, reason=t)),
    "what happened": (Phase.REVIEW, lambda i, c, t: summary(i, c, what_happened=t)),
    "root cause": (Phase.REVIEW, lambda i, c, t: summary(i, c, root_cause=t)),
    "no follow-ups": (Phase.REVIEW, lambda i, c, t: summary(i, c, no_follow_ups_reason=t)),
    "follow-up": (Phase.REVIEW, lambda i, c, t: follow_up(i, c, title=t)),
    "follow-up's owner": (Phase.REVIEW, lambda i, c, t: follow_up(i, c, owner=t)),
    "acceptance": (Phase.REVIEW, lambda i, c, t: follow_up(i, c, acceptance=t)),
    "bead": (Phase.REVIEW, lambda i, c, t: follow_up(i, c, bead_id=t)),
    "gap": (
        Phase.REVIEW,
        lambda i, c, t: deliver.add_safeguard(i, gap=t, change="Linter", by=c.commander),
    ),
    "safeguard's link": (
        Phase.REVIEW,
        lambda i, c, t: deliver.add_safeguard(
            i, gap="None", change="Linter", link=f"https://w.test/{t}", by=c.commander
        ),
    ),
}


@pytest.mark.parametrize("phase", sorted({phase for phase, _ in WRITES.values()}))
def test_a_text_that_cannot_be_kept_is_refused_with_a_sentence_and_changes_nothing(phase: Phase) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=phase, level=Level.L2)
    before, kept = EvidenceEntry.objects.count(), []

    for name, (at, write) in WRITES.items():
        for what, text in BAD.items() if at == phase else ():
            try:
                with transaction.atomic():
                    write(incident, crew, text)
                kept.append(f"{name}: {what}")
            except Refused as refused:
                kept += [f"{name}: echoes {what}" for sentence in refused.sentences if len(sentence) > 400]

    assert (kept, EvidenceEntry.objects.count()) == ([], before)


REASONS = ("level up", "level down", "stand-down", "handover", "takeover", "revocation", "abort", "waiver", "reopening")


@pytest.mark.parametrize("name", [*REASONS, "cleanup waiver", "added action's reason", "accepted risk", "refreeze"])
def test_what_needs_a_reason_is_refused_without_one(name: str) -> None:
    crew = make_crew()
    phase, write = WRITES[name]
    incident = make_incident(crew, at=phase, level=Level.L2)

    with pytest.raises(Refused, match="Say why"):
        write(incident, crew, " \n ")


@pytest.mark.parametrize("what", list(BAD))
def test_a_declaration_that_cannot_be_kept_is_refused_and_freezes_nothing(what: str) -> None:
    crew = make_crew()

    with pytest.raises(Refused, match=r"^Summary "):
        make_incident(crew, summary=BAD[what])

    assert not Incident.objects.exists()


def test_a_sentence_names_the_field_and_how_much_it_takes() -> None:
    crew = make_crew()
    incident = make_incident(crew)

    with pytest.raises(Refused) as refused:
        chosen(incident, crew, identifier="x" * 201)

    assert refused.value.sentences == ["Identifier takes at most 200 characters; this has 201."]


@pytest.mark.parametrize("link", ["javascript:alert(1)", "file:///etc/passwd", "ci.test", "https://"])
def test_a_link_is_a_web_address(link: str) -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)

    with pytest.raises(Refused, match=r"^Link does not fit"):
        bring(incident, crew, link=link)


def test_what_is_no_known_choice_is_refused() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.REVIEW)

    with pytest.raises(Refused, match="Priority cannot be “P9”"):
        deliver.add_follow_up(
            incident, title="x", owner="x", priority="P9", due_on=date(2027, 1, 1), acceptance="x", by=crew.commander
        )


def test_a_proposal_keeps_no_argument_that_the_log_could_not() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    before = EvidenceEntry.objects.count()
    given = {"measure": "merges", "subject": "PR\x0041", "environment": "", "expires_at": later().isoformat()}

    with pytest.raises(Refused, match="cannot be kept"):
        four_eyes.propose(incident, Act.ALLOW_EXCEPTION, by=crew.commander, reason="Fix", **given)

    assert (Proposal.objects.count(), EvidenceEntry.objects.count()) == (0, before)


def test_the_longest_text_that_fits_is_kept_whole() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    confirm_target(incident, crew, identifier="ü" * 200)

    declare.add_note(incident, by=crew.commander, text="😀" * 4_000)

    assert incident.targets.get().identifier == "ü" * 200
    assert incident.chain.entries.latest("seq").sentence == "😀" * 4_000
