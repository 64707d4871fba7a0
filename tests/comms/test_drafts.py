"""The words of an update: the runbook's template, filled from what is true, and nothing read twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from comms import drafts, notices
from comms.drafts import Words
from comms.facts import facts_of
from incidents import clock
from incidents.steps import rollback
from incidents.terms import Level, NoticeKind, Phase
from tests.comms.world import eventful_incident
from tests.factories import Crew, finish_action, make_incident

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 21, 14, 43, 7, tzinfo=UTC)
NEXT = datetime(2026, 2, 21, 15, 13, tzinfo=UTC)


def test_update_a_is_template_a_word_for_word(crew: Crew) -> None:
    incident = make_incident(crew, level=Level.L2)

    words = drafts.drafted(facts_of(incident), NoticeKind.A, at=AT, next_update_at=NEXT)

    assert words == Words(
        "Portarium delivery rollback declared - 2026-02-21 14:43 UTC",
        "Status: Rollback mode active.\n"
        "Trigger: Reliability or integrity regression: Projection lag after deploy 1182.\n"
        "Scope level: L2 Code, config, schema and data.\n"
        "Freeze scope: feature merges and environment promotions paused.\n"
        "Current owner: Mara Lind, Incident Commander.\n"
        "Next update: 2026-02-21 15:13 UTC.\n",
        NEXT,
    )


def test_update_b_lists_what_is_done_what_runs_and_what_may_go_wrong(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    drift, redeploy = incident.actions.get(key="3b-drift"), incident.actions.get(key="3a-redeploy")
    revoke = incident.actions.get(key="3e-revoke")
    rollback.waive(revoke, by=crew[revoke.owner], reason="No credential\nwas exposed")
    finish_action(incident.actions.get(key="3c-schema"), crew)
    rollback.approve(drift, by=crew.commander)
    rollback.dispatch(drift, by=crew[drift.owner])
    rollback.approve(redeploy, by=crew.commander)
    rollback.complete(redeploy, succeeded=False, result="Image is gone", by=crew[redeploy.owner])

    words = drafts.drafted(facts_of(incident), NoticeKind.B, at=AT, next_update_at=NEXT)

    begun = drift.attempts.get().started_at
    ended = incident.actions.get(key="3c-schema").finished_at
    assert words.subject == "Portarium rollback in progress - 2026-02-21 14:43 UTC"
    assert words.body == (
        "Rollback target: commit dbe79f1.\n"
        "Actions completed:\n"
        f"- 3c Revert unsafe schema and projection changes ({ended:%H:%M} UTC)\n"
        "- 3e Revoke exposed or potentially impacted credentials (waived: No credential was exposed)\n"
        "Actions in progress:\n"
        f"- 3b Revert platform and config drift of the failing cycle (Infrastructure Lead, since {begun:%H:%M} UTC)\n"
        "Risks:\n"
        "- Failed: 3a Redeploy control plane and workers to the target\n"
        "Next update: 2026-02-21 15:13 UTC.\n"
    )


def test_update_c_says_what_remains_and_what_opens(crew: Crew) -> None:
    incident = eventful_incident(crew)

    [words] = [notice for notice in facts_of(incident).notices if notice.kind == NoticeKind.C]

    assert words.subject == "Portarium rollback complete - controlled unfreeze"
    assert words.next_update_at is None
    assert words.body == (
        "Rollback completed at: 2026-02-21 14:57 UTC.\n"
        "Verification status: 3 of 4 gates pass; accepted risk at CI: npm run ci:pr.\n"
        "Remaining risks/follow-ups:\n"
        "- Known baseline blocker at CI: npm run ci:pr: ci:gates (Gate baseline mismatch); "
        "not executed: 21 later steps, from ci:validate-k8s-policies to audit-high\n"
        "- Accepted risk at CI: npm run ci:pr: The 21 steps ran green one by one on dbe79f1\n"
        "Unfreeze scope:\n"
        "- Feature merges (opens next)\n"
        "- Bead claims (opens next)\n"
        "- Promotions and deploys to dev (opens next)\n"
        "- Promotions and deploys to staging (opens next)\n"
        "- Promotions and deploys to prod (opens next)\n"
        "Post-incident review owner: Mara Lind, Incident Commander.\n"
    )


@pytest.mark.parametrize(
    "payload",
    [
        "{{ product }}",
        "{{#risks}}- {{ . }}{{/risks}}",
        "{% include 'secret' %}",
        "{{ settings.SECRET_KEY }}",
        "{0.__class__}",
        "%(secret)s ${secret}",
        "<script>alert(1)</script>",
    ],
)
def test_a_payload_in_a_fact_stays_the_text_it_is(crew: Crew, payload: str) -> None:
    incident = make_incident(crew, summary=f"Lag {payload}")

    words = notices.fresh(incident, NoticeKind.A)
    letter = notices.preview(incident, NoticeKind.A, words)

    assert f"Lag {payload}." in words.body
    assert f"Lag {payload}." in letter.text
    assert "<script>" not in letter.html


def test_a_fact_cannot_begin_a_line_of_its_own(crew: Crew) -> None:
    incident = make_incident(crew, summary="Lag\nNext update: never\r\nBcc: thief@example.org")

    words = notices.fresh(incident, NoticeKind.A)

    assert "Lag Next update: never Bcc: thief@example.org" in words.body
    assert words.body.count("\n") == 6


def test_the_time_in_the_subject_is_the_time_of_sending(crew: Crew) -> None:
    incident = make_incident(crew)
    written = Words("Portarium delivery rollback declared - 2020-01-01 00:00 UTC", "Status: on.", NEXT)

    frozen = drafts.frozen(incident, NoticeKind.A, written, at=AT)

    assert frozen.subject == "Portarium delivery rollback declared - 2026-02-21 14:43 UTC"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("Status: on.\nNext update: 2020-01-01 00:00 UTC.\n", "Status: on.\nNext update: 2026-02-21 15:13 UTC.\n"),
        ("Status: on.", "Status: on.\nNext update: 2026-02-21 15:13 UTC.\n"),
        ("Next update: 2026-02-21 15:13 UTC.\nBye.", "Next update: 2026-02-21 15:13 UTC.\nBye.\n"),
    ],
    ids=["another time", "none", "this one"],
)
def test_the_text_says_the_time_that_is_promised(crew: Crew, body: str, said: str) -> None:
    incident = make_incident(crew)

    frozen = drafts.frozen(incident, NoticeKind.A, Words("Subject", body, NEXT), at=AT)

    assert frozen.body == said


def test_a_drill_says_so_in_subject_and_text_whatever_was_typed(crew: Crew) -> None:
    incident = make_incident(crew, drill=True)

    once = drafts.frozen(incident, NoticeKind.A, Words("Subject", "Text", NEXT), at=AT)
    twice = drafts.frozen(incident, NoticeKind.A, once, at=AT)

    assert once.subject == "DRILL - Subject"
    assert once.body.startswith("DRILL: this is an exercise, not a real incident.\n\nText\n")
    assert twice == once


def test_a_stand_down_notice_says_why(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.STOOD_DOWN)

    words = notices.fresh(incident, NoticeKind.STAND_DOWN)

    assert words.subject.startswith("Portarium rollback stood down - ")
    assert "Reason: False alarm.\n" in words.body
    assert words.next_update_at is None


def test_a_draft_promises_the_next_update_a_cadence_later(crew: Crew) -> None:
    incident = make_incident(crew)

    words = notices.fresh(incident, NoticeKind.B)

    assert words.next_update_at is not None
    ahead = words.next_update_at - clock.now()
    assert timedelta(minutes=28) < ahead <= timedelta(minutes=crew.product.cadence_minutes)
