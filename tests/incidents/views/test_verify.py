from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from incidents.models import AcceptedRisk, BaselineBlocker, Connector, Wiring
from incidents.steps import rollback, verify
from incidents.terms import GateOutcome, Level, Phase, Role, Track
from tests.factories import Crew, finish_action, finish_cleanup, make_crew, make_incident, pass_gate
from tests.incidents.views.pages import at, refusals, text_of, told

pytestmark = pytest.mark.django_db

BLOCKER = {
    "failing_step": "lint",
    "kind": "lint-baseline",
    "proof": "Red on a81c09e too, 12 Feb",
    "not_executed": "test, build",
}


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def verifying(crew: Crew, level: Level = Level.L3) -> Any:
    return make_incident(crew, at=Phase.VERIFYING, level=level)


# Into verification and back -----------------------------------------------------------------------------------------


def test_what_stands_before_verification_is_said_with_its_owner_and_its_page(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    visitor = at(incident, crew.commander)
    page = visitor.open("verify")
    sentences = verify.begin_blockers(incident)

    assert f"{len(sentences)} things to settle first" in text_of(page)
    for sentence in sentences:
        assert sentence in text_of(page)
    assert visitor.url("action", "3e-revoke").encode() in page.content
    assert told(visitor.send("begin_verification")) == sentences


def test_the_commander_begins_verification_once_all_is_settled(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    for action in incident.actions.all():
        finish_action(action, crew)
    finish_cleanup(incident, crew)

    at(incident, crew[Role.API_LEAD]).send("begin_verification")
    incident.refresh_from_db()
    assert incident.phase == Phase.ROLLING_BACK
    at(incident, crew.commander).send("begin_verification")

    incident.refresh_from_db()
    assert incident.phase == Phase.VERIFYING
    assert "0 of 4 gates are clear" in text_of(at(incident, crew.commander).open("verify"))


def test_going_back_asks_for_a_reason(crew: Crew) -> None:
    incident = verifying(crew)
    visitor = at(incident, crew.commander)

    assert refusals(visitor.send("reopen_rollback")) == ["Why back to rolling back: This field is required."]
    visitor.send("reopen_rollback", reason="The cache was forgotten")

    incident.refresh_from_db()
    assert incident.phase == Phase.ROLLING_BACK
    assert "The cache was forgotten" in text_of(visitor.open("verify"))


# Runs ----------------------------------------------------------------------------------------------------------------


def test_a_gate_is_recorded_by_hand_with_evidence_in_the_same_form(crew: Crew) -> None:
    incident = verifying(crew)
    lead = at(incident, crew[Role.API_LEAD])

    response = lead.send(
        "record_gate",
        "ci",
        outcome="pass",
        note="npm run ci:pr on dbe79f1",
        file=SimpleUploadedFile("ci.log", b"green"),
    )

    assert response.status_code == 302
    page = text_of(lead.open("gate", "ci"))
    for words in ("Pass", "npm run ci:pr on dbe79f1", "ci.log", "1 of 4 gates"):
        assert words in page


def test_without_evidence_an_outcome_is_refused_and_what_was_typed_stays(crew: Crew) -> None:
    incident = verifying(crew)

    response = at(incident, crew[Role.API_LEAD]).send("record_gate", "ci", outcome="pass", note="Looked fine")

    assert refusals(response) == [
        "“CI: npm run ci:pr” needs evidence from after the last change: a file, a link or a text."
    ]
    assert "Looked fine</textarea>" in response.content.decode()
    assert not incident.gates.get(key="ci").runs.exists()


def test_the_commander_may_record_a_gate_that_a_lead_owns(crew: Crew) -> None:
    incident = verifying(crew)

    at(incident, crew.commander).send("record_gate", "smoke", outcome="pass", note="Clicked through", text="Protocol")

    assert verify.last_run(incident.gates.get(key="smoke")).outcome == GateOutcome.PASS


def test_who_informs_does_not_record(crew: Crew) -> None:
    incident = verifying(crew)
    visitor = at(incident, crew[Role.COMMUNICATIONS_OWNER])

    response = visitor.send("record_gate", "smoke", outcome="pass", note="Nice", text="Protocol")

    assert "for the" in refusals(response)[0]
    assert (incident.exhibits.filter(subject="gate:smoke").count(), incident.gates.get(key="smoke").runs.count()) == (
        0,
        0,
    )


def test_a_pass_is_stale_after_a_later_change(crew: Crew) -> None:
    incident = verifying(crew)
    pass_gate(incident.gates.get(key="ci"), crew)
    rollback.add_action(
        incident,
        track=Track.APPLICATION,
        name="Drain the queue",
        owner=Role.API_LEAD,
        stage=2,
        destructive=False,
        by=crew.commander,
        reason="Old messages",
    )
    action = incident.actions.get(key="added-1")
    finish_action(action, crew)
    incident.refresh_from_db()

    page = text_of(at(incident, crew.commander).open("gate", "ci"))

    assert "Pass, stale" in page
    assert "the target or the system changed after it" in page


def test_a_wired_gate_is_run_and_its_page_follows_along(crew: Crew) -> None:
    probe = Connector.objects.create(name="Probe", kind="probe", config={"url": "https://core.example.org/healthz"})
    Wiring.objects.create(product=crew.product, key="health", connector=probe)
    incident = verifying(crew)
    lead = at(incident, crew[Role.INFRASTRUCTURE_LEAD])

    lead.send("run_gate", "health")
    assert b'hx-trigger="every 2s"' in lead.open("gate", "health").content
    assert b'hx-trigger="every 3s"' in lead.open("verify").content
    assert "is running already" in told(lead.send("run_gate", "health"))[0]

    run, epoch = verify.claim(incident.gates.get(key="health").runs.get().pk, "worker")
    verify.settle(run, epoch, GateOutcome.PASS, "200 in 31 ms", output="ok", output_sha256="cd" * 32)

    for page in (("gate", "health"), ("verify",)):
        assert lead.open(*page, HTTP_HX_REQUEST="true")["HX-Refresh"] == "true"
        assert "200 in 31 ms" in text_of(lead.open(*page))


def test_a_gate_without_a_connector_is_recorded_by_hand(crew: Crew) -> None:
    lead = at(verifying(crew), crew[Role.API_LEAD])

    assert told(lead.send("run_gate", "ci")) == [
        "“CI: npm run ci:pr” is not wired to a probe or command: record it by hand."
    ]


# Exceptions to a pass -----------------------------------------------------------------------------------------------


def test_a_failure_older_than_the_cycle_is_captured_and_stays_no_pass(crew: Crew) -> None:
    incident = verifying(crew)
    gate = incident.gates.get(key="ci")
    pass_gate(gate, crew, GateOutcome.FAIL)
    visitor = at(incident, crew.commander)

    visitor.send("accept_baseline", "ci", **BLOCKER)

    assert BaselineBlocker.objects.get().not_executed == "test, build"
    page = text_of(visitor.open("gate", "ci"))
    for words in ("Baseline blocker, no pass.", "lint", "Red on a81c09e too, 12 Feb", "test, build"):
        assert words in page
    assert "0 of 4 gates are clear" in text_of(visitor.open("verify"))


def test_a_baseline_blocker_is_for_a_recorded_failure_of_a_gate_that_knows_one(crew: Crew) -> None:
    visitor = at(verifying(crew), crew.commander)

    assert refusals(visitor.send("accept_baseline", "ci", **BLOCKER)) == [
        "“CI: npm run ci:pr” has no recorded failure to explain."
    ]
    assert refusals(visitor.send("accept_baseline", "smoke", **BLOCKER)) == [
        "The runbook knows no baseline blocker for “Critical workflow smoke”."
    ]


def test_a_risk_is_signed_off_by_two_people(crew: Crew) -> None:
    incident = verifying(crew)
    pass_gate(incident.gates.get(key="smoke"), crew, GateOutcome.FAIL)
    visitor = at(incident, crew.commander)

    visitor.send("accept_risk", "smoke", reason="One flow of nine, not used this week")
    assert not AcceptedRisk.objects.exists()
    at(incident, crew[Role.API_LEAD]).send("proposal_confirm", incident.proposals.get().pk)

    page = text_of(visitor.open("gate", "smoke"))
    assert "Risk accepted" in page
    assert "One flow of nine, not used this week" in page
    assert "1 of 4 gates are clear" in text_of(visitor.open("verify"))


def test_no_risk_is_accepted_for_an_outcome_that_nobody_saw(crew: Crew) -> None:
    response = at(verifying(crew), crew.commander).send("accept_risk", "smoke", reason="Trust me")

    assert refusals(response) == [
        "Run “Critical workflow smoke” first: a risk is accepted for an outcome one has seen."
    ]


def test_gates_that_are_not_there_are_not_found(crew: Crew) -> None:
    visitor = at(verifying(crew), crew.commander)

    assert visitor.open("gate", "weather").status_code == 404
    assert visitor.send("run_gate", "weather").status_code == 404
