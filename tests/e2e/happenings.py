"""What happens in an incident that is at work, step by step; names and texts are long on purpose."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from incidents import clock
from incidents.api import inbound
from incidents.evidence import attachments
from incidents.evidence.foreign import Mode
from incidents.models import Incident
from incidents.steps import attempts, cleanup, correct, declare, deliver, foreign, four_eyes, freeze, rollback, suggest
from incidents.terms import Act, AttemptState, Measure, Priority, Role, Track
from tests.factories import Crew
from tests.incidents.connectors.given import a_notification
from tests.incidents.evidence.foreign.writing import content, sealed, v1

LONG = "projection_rebuild_0412_" * 5


def be_told(crew: Crew) -> None:
    """An alert and a pipeline suggest a declaration; of two, one was dismissed."""
    labels = {"alertname": LONG, "instance": LONG}
    firing = a_notification(commonLabels=labels, commonAnnotations={"summary": LONG, "description": LONG})
    for sent in (firing, {**firing, "groupKey": "ended"}, {**firing, "groupKey": "ended", "status": "resolved"}):
        suggest.receive(inbound.of_alertmanager(sent), crew.product, by=crew.outsider, token=LONG[:80])
    failing = inbound.of_pipeline(pipeline=LONG, state="failed", step=LONG, commit=LONG, summary=LONG)
    known = suggest.receive(failing, crew.product, by=crew.outsider, token="CI")
    assert known
    suggest.dismiss(known, by=crew.commander, reason=f"Known since {LONG}")


def allow_exceptions(incident: Incident, crew: Crew) -> None:
    ends = clock.now() + timedelta(hours=2)
    freeze.allow_exception(
        incident,
        measure=Measure.MERGES,
        subject=LONG,
        reason="The revert itself",
        expires_at=ends,
        by=crew.commander,
        second=crew[Role.API_LEAD],
    )
    asked = {"measure": Measure.CLAIMS, "subject": "bead-7", "environment": None, "expires_at": ends.isoformat()}
    four_eyes.propose(incident, Act.ALLOW_EXCEPTION, by=crew[Role.API_LEAD], reason=f"Needed for {LONG}", **asked)


def run_the_first_stage(incident: Incident, crew: Crew) -> None:
    """The first stage: one action unknown, one done, and three added ones failed, waived and begun by hand."""
    lead, security = crew[Role.DATA_EVIDENCE_LEAD], crew[Role.SECURITY_LEAD]
    added = [
        rollback.add_action(
            incident,
            track=Track.DATA,
            name=f"{word} {LONG}",
            owner=Role.DATA_EVIDENCE_LEAD,
            stage=1,
            destructive=True,
            by=lead,
            reason="Found while looking",
        )
        for word in ("Drop", "Rename", "Refill")
    ]
    done = incident.actions.get(key="3d-preserve")
    for action in (done, *added, incident.actions.get(key="3e-revoke")):
        rollback.approve(action, by=crew.commander)
    rollback.complete(done, succeeded=True, result=f"Log is append-only: {LONG}", by=lead)
    rollback.complete(added[0], succeeded=False, result="Timed out", by=lead)
    rollback.waive(added[1], by=lead, second=crew.commander, reason="Nothing to rename")
    rollback.dispatch(added[2], by=lead)
    _lose(rollback.dispatch(incident.actions.get(key="3e-revoke"), by=security).pk)
    four_eyes.propose(incident, Act.WAIVE_ACTION, by=security, reason="Not touched", action="3e-rotate")


def _lose(attempt: Any) -> None:
    claim = attempts.claim(attempt, "worker 1")
    assert claim
    started = attempts.start(claim)
    assert started
    attempts.settle(started, AttemptState.UNKNOWN, "The answer never came", output=f"POST /revoke {LONG}")


def clean_up(incident: Incident, crew: Crew) -> None:
    area, lead = incident.book.cleanup[0], crew[Role.DATA_EVIDENCE_LEAD]
    items = list(incident.cleanup_items.filter(area=area.key))
    cleanup.tick(incident, items[:1], by=lead, note=f"Looked at {LONG}")
    four_eyes.propose(incident, Act.WAIVE_CLEANUP, by=lead, reason="No projection changed", item=items[1].key)
    file = attachments.store(incident, SimpleUploadedFile(f"{LONG}.log", b"exit 0\n"), lead)
    for subject in (cleanup.subject(area.evidence[0].key), "action:3d-preserve"):
        cleanup.attach(
            incident,
            subject,
            owner=area.owner,
            by=lead,
            attachment=file,
            text=f"exit 0 {LONG}",
            link=f"https://ci.example.test/{LONG}",
        )


def look_at_a_foreign_log(incident: Incident, crew: Crew) -> None:
    """A log that was changed, forked and cut, under long names; and a mark in it."""
    entries = v1(9)
    entries[2] |= {"summary": "Other"}
    entries.append(sealed(content(6) | {"evidenceId": LONG, "workspaceId": LONG}, entries[4]["hashSha256"]))
    del entries[7]
    file = SimpleUploadedFile(f"{LONG}.json", json.dumps({"items": entries, "nextCursor": LONG}).encode())
    verdict = foreign.checked(file, Mode.WHOLE, "ab" * 32)
    log = foreign.keep(incident, file, verdict, on=foreign.OUTPUT, by=crew.commander, source=f"https://a.test/{LONG}")
    asked = foreign.mark_of(
        incident,
        log,
        workspace=LONG,
        correlation=LONG,
        dialect=foreign.dialect_of(log),
        head=log.body["head"],
        runs=["run-1", LONG],
        evidence=[LONG, "evi-0003"],
    )
    foreign.mark(incident, asked, on=foreign.LINKS, by=crew.commander)


def write_down(incident: Incident, crew: Crew) -> None:
    declare.add_note(incident, by=crew[Role.SECURITY_LEAD], text=f"Seen in `{LONG}`\nand two tenants")
    note, earlier = incident.chain.entries.latest("seq").seq, clock.now() - timedelta(days=1)
    said = {"text": f"Seen in `{LONG}`\nand three tenants", "happened_at": earlier}
    correct.entry(incident, note, by=crew.commander, reason=f"Counted again in {LONG}", **said)
    deliver.write_summary(incident, what_happened=LONG, root_cause=LONG, impact=LONG, by=crew.commander)
    due = (clock.now() + timedelta(days=14)).date()
    for title in (f"Guard {LONG}", "Alert earlier"):
        deliver.add_follow_up(
            incident,
            title=title,
            owner=LONG,
            priority=Priority.P1,
            due_on=due,
            acceptance=f"CI refuses {LONG}",
            bead_id=LONG,
            by=crew.commander,
        )
    deliver.add_safeguard(
        incident, gap=LONG, change=f"Linter for {LONG}", link=f"https://git.example.test/{LONG}", by=crew.commander
    )
