"""Every act of every word by its endpoint: what it answers, and what then stands in the incident."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from incidents import clock
from incidents.models import Connector, Incident, Wiring
from incidents.terms import ActionState, AttemptState, ConnectorKind, Kind, Level, Phase, Role
from tests.factories import Crew, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture
def act(by_role: Callable[..., Any]) -> Callable[..., Any]:
    """Do an act in a role and get its JSON: `act(incident, "api_lead", "target/choose", {…}, 201)`."""

    def do(incident: Incident, role: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = by_role(role).post(f"incidents/{incident.reference}/{path}", body)
        assert answer.status_code == status, answer.content
        return answer.json()

    return do


@pytest.fixture
def state(by_role: Callable[..., Any]) -> Callable[..., Any]:
    def read(incident: Incident) -> Any:
        return by_role("commander").get(f"incidents/{incident.reference}").json()

    return read


def confirm(act: Callable[..., Any], incident: Incident, proposal: dict[str, Any], role: str = "api_lead") -> Any:
    return act(incident, role, f"proposals/{proposal['id']}/confirm")


# Declare ------------------------------------------------------------------------------------------------------------


def test_the_level_is_raised_at_once_and_lowered_by_two(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew)

    raised = act(incident, "commander", "declare/raise-level", {"level": "L3", "reason": "Tenants mixed"})
    assert (state(incident)["scope_level"], raised["reference"]) == ("L3", incident.reference)

    waiting = act(incident, "commander", "declare/lower-level", {"level": "L2", "reason": "They were not"}, 202)
    assert state(incident)["scope_level"] == "L3"
    assert waiting["sentence"] == "Lower the scope level to L2 Code, config, schema and data: They were not"
    confirm(act, incident, waiting)
    assert state(incident)["scope_level"] == "L2"


def test_a_stand_down_waits_for_the_second_person(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew)

    waiting = act(incident, "commander", "declare/stand-down", {"reason": "A false alarm"}, 202)
    assert state(incident)["phase"] == "declared"
    done = confirm(act, incident, waiting)

    assert done["phase"] == "stood_down"
    assert state(incident)["freeze"]["active"] is False


def test_notes_go_into_the_log(crew: Crew, act: Any) -> None:
    incident = make_incident(crew)

    noted = act(incident, "communications_owner", "declare/note", {"text": "Support was told"}, 201)

    last = incident.chain.entries.last()
    assert (last.kind, last.sentence, last.hash) == (Kind.NOTE_ADDED, "Support was told", noted["evidence_sha256"])


def test_a_correction_keeps_both_values(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, summary="Lag afer deploy")
    body = {"row": "incident", "field": "summary", "value": "Lag after deploy", "reason": "Typing error"}

    act(incident, "commander", "declare/correct", body)

    assert state(incident)["summary"] == "Lag after deploy"
    entry = incident.chain.entries.last().body
    assert (entry["old"], entry["new"]) == ("Lag afer deploy", "Lag after deploy")


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"row": "follow_up", "id": 1, "field": "due_on", "value": "2027-02-31"}, 422),
        ({"row": "follow_up", "id": 1, "field": "due_on", "value": "2027-02-28"}, 200),
        ({"row": "follow_up", "id": 1, "field": "priority", "value": "P9"}, 422),
        ({"row": "follow_up", "id": 1, "field": "title", "value": "x" * 201}, 422),
        ({"row": "follow_up", "id": 9, "field": "title", "value": "x"}, 404),
        ({"row": "follow_up", "field": "title", "value": "x"}, 422),
        ({"row": "safeguard", "id": "first", "field": "link", "value": "javascript:alert(1)"}, 422),
        ({"row": "incident", "field": "phase", "value": "closed"}, 409),
        ({"row": "incident", "field": "reference", "value": "RB-1"}, 409),
    ],
)
def test_a_correction_takes_only_what_the_column_holds(
    crew: Crew, act: Any, changed: dict[str, Any], status: int
) -> None:
    incident = make_incident(crew, at=Phase.CLOSED)
    if changed.get("id") == "first":
        changed = changed | {"id": incident.safeguards.get().pk}

    act(incident, "commander", "declare/correct", {"reason": "Wrong", **changed}, status)


# Roles --------------------------------------------------------------------------------------------------------------


def test_roles_are_assigned_accepted_handed_over_and_taken_over(
    crew: Crew, act: Any, state: Any, calling: Callable[..., Any]
) -> None:
    incident = make_incident(crew)
    deputy = calling(crew.deputy)

    def holder(role: str) -> tuple[str, bool]:
        found = next(row for row in state(incident)["roles"] if row["role"] == role)
        return found["holder"]["email"], found["accepted_at"] is not None

    assigned = act(incident, "commander", "roles/api_lead/assign", {"person": crew.deputy.email, "reason": "On leave"})
    assert (assigned["id"], holder("api_lead")) == ("api_lead", (crew.deputy.email, False))
    assert deputy.post(f"incidents/{incident.reference}/roles/api_lead/accept").status_code == 200
    assert holder("api_lead") == (crew.deputy.email, True)
    back = {"to": crew[Role.API_LEAD].email, "reason": "Back again"}
    assert deputy.post(f"incidents/{incident.reference}/roles/api_lead/hand-over", back).status_code == 200
    assert holder("api_lead") == (crew[Role.API_LEAD].email, False)
    over = {"reason": "The commander does not answer"}
    assert deputy.post(f"incidents/{incident.reference}/roles/commander/take-over", over).status_code == 200
    assert holder("commander") == (crew.deputy.email, True)


def test_a_role_goes_only_to_people_of_the_product(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew)

    answer = by_role("commander").post(
        f"incidents/{incident.reference}/roles/api_lead/assign", {"person": crew.outsider.email}
    )

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "field": "person",
            "message": "Nobody of this address stands ready for the product or is part of the incident.",
        }
    ]


# Freeze -------------------------------------------------------------------------------------------------------------


def exemption(**changed: Any) -> dict[str, Any]:
    expires_at = (clock.now() + timedelta(hours=1)).isoformat()
    return {"measure": "merges", "subject": "PR-12", "reason": "The fix", "expires_at": expires_at, **changed}


def test_an_exception_holds_once_confirmed_and_until_revoked(
    crew: Crew, act: Any, state: Any, by_role: Callable[..., Any]
) -> None:
    incident = make_incident(crew)

    def decision() -> str:
        return (
            by_role("commander")
            .get(f"freeze/{crew.product.slug}/check", operation="merge", subject="PR-12")
            .json()["decision"]
        )

    waiting = act(incident, "api_lead", "freeze/exceptions", exemption(), 202)
    assert (waiting["act"], waiting["sentence"], decision()) == (
        "allow_exception",
        "Let PR-12 through feature merges: The fix",
        "deny",
    )
    confirm(act, incident, waiting, "commander")
    [exception] = state(incident)["freeze"]["exceptions"]
    assert (exception["subject"], exception["is_live"], decision()) == ("PR-12", True, "allow")
    act(incident, "security_lead", f"freeze/exceptions/{exception['id']}/revoke", {"reason": "Merged"})
    assert decision() == "deny"


def test_a_proposal_is_declined_with_a_reason(crew: Crew, act: Any, state: Any, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew)
    waiting = act(incident, "api_lead", "freeze/exceptions", exemption(), 202)
    listed = by_role("commander").get(f"incidents/{incident.reference}/proposals").json()

    act(incident, "commander", f"proposals/{waiting['id']}/decline", {"reason": "Not needed"})

    assert listed == [waiting]
    assert state(incident)["proposals"] == []


def test_nobody_confirms_what_they_proposed(crew: Crew, act: Any) -> None:
    incident = make_incident(crew)
    waiting = act(incident, "api_lead", "freeze/exceptions", exemption(), 202)

    refused = act(incident, "api_lead", f"proposals/{waiting['id']}/confirm", status=409)

    assert refused["blockers"] == ["You proposed this yourself: another person confirms it."]


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"environment": "nowhere", "measure": "promotions"}, 422),
        ({"environment": "prod"}, 409),
        ({"subject": "PR-*"}, 409),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 409),
        ({"expires_at": "2027-01-01T00:00:00"}, 422),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, 422),
        ({"expires_at": 1767225600}, 422),
        ({"measure": "everything"}, 422),
    ],
)
def test_an_exception_that_is_no_exception_is_refused(
    crew: Crew, act: Any, changed: dict[str, Any], status: int
) -> None:
    act(make_incident(crew), "commander", "freeze/exceptions", exemption(**changed), status)


# Target -------------------------------------------------------------------------------------------------------------


def test_a_target_is_chosen_confirmed_and_replaced(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew)

    act(incident, "api_lead", "target/choose", {"kind": "build", "identifier": "1181", "reason": "Green"}, 201)
    confirmed = act(
        incident, "infrastructure_lead", "target/confirm", {"aspect": "environment_configuration", "note": "r7"}
    )
    found = state(incident)["target"]
    assert (found["kind"], found["identifier"], confirmed["id"]) == ("build", "1181", "environment_configuration")
    assert [row["note"] for row in found["confirmations"]] == ["", "r7", ""]

    act(incident, "commander", "target/choose", {"kind": "commit", "identifier": "dbe79f1", "reason": "Safer"}, 201)
    after = state(incident)
    assert after["target"]["identifier"] == "dbe79f1"
    assert [target["identifier"] for target in after["earlier_targets"]] == ["1181"]


def test_the_wrong_lead_does_not_confirm_an_aspect(crew: Crew, act: Any) -> None:
    incident = make_incident(crew)
    act(incident, "commander", "target/choose", {"kind": "build", "identifier": "1181", "reason": "Green"}, 201)

    denied = act(incident, "api_lead", "target/confirm", {"aspect": "migration_state", "note": "fine"}, 403)

    assert denied["type"] == "urn:lastgood:denied"


# Rollback -----------------------------------------------------------------------------------------------------------


def test_an_action_is_added_approved_dispatched_and_aborted(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    body = {
        "track": "3a",
        "name": "Purge the cache",
        "owner": "api_lead",
        "stage": 1,
        "destructive": True,
        "reason": "Stale",
    }

    added = act(incident, "api_lead", "rollback/actions", body, 201)
    path = f"rollback/actions/{added['id']}"
    blocked = act(incident, "api_lead", f"{path}/dispatch", status=409)
    assert blocked["blockers"] == ["“3a Purge the cache” waits for a second person's approval."]
    digest = next(row for row in state(incident)["actions"] if row["key"] == added["id"])["spec_digest"]
    act(incident, "commander", f"{path}/approve", {"digest": "0" * 64}, 409)
    act(incident, "commander", f"{path}/approve", {"digest": digest}, 201)
    queued = act(incident, "api_lead", f"{path}/dispatch", status=202)
    action = next(row for row in state(incident)["actions"] if row["key"] == added["id"])
    assert (action["state"], action["attempts"][0]["id"], action["approvals"][0]["is_valid"]) == (
        "running",
        queued["id"],
        True,
    )
    act(incident, "commander", f"{path}/abort", {"reason": "Wait for the database"})
    action = next(row for row in state(incident)["actions"] if row["key"] == added["id"])
    assert (action["state"], [attempt["state"] for attempt in action["attempts"]]) == ("planned", ["cancelled"])


def test_waiving_needs_a_second_person_where_the_level_makes_it_due(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    reason = {"reason": "Nothing leaked"}

    alone = act(incident, "security_lead", "rollback/actions/3e-revoke/waive", reason)
    both = act(incident, "api_lead", "rollback/actions/3a-parity/waive", reason, 202)
    confirm(act, incident, both, "commander")

    found = {row["key"]: row["state"] for row in state(incident)["actions"]}
    assert (alone["id"], found["3e-revoke"], found["3a-parity"]) == ("3e-revoke", "waived", "waived")


def test_an_unknown_outcome_is_decided_by_two(crew: Crew, act: Any, state: Any) -> None:
    connector = Connector.objects.create(name="hook", kind=ConnectorKind.WEBHOOK, deadline_seconds=1)
    Wiring.objects.create(product=crew.product, key="3e-revoke", connector=connector)
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    path = "rollback/actions/3e-revoke"
    act(incident, "commander", f"{path}/approve", status=201)
    act(incident, "security_lead", f"{path}/resolve", {"succeeded": True, "reason": "Looked"}, 409)
    act(incident, "security_lead", f"{path}/dispatch", status=202)
    action = incident.actions.get(key="3e-revoke")
    long_ago = clock.now() - timedelta(hours=1)
    action.attempts.update(state=AttemptState.UNKNOWN, started_at=long_ago)
    incident.actions.filter(pk=action.pk).update(state=ActionState.UNKNOWN)

    waiting = act(incident, "security_lead", f"{path}/resolve", {"succeeded": True, "reason": "Keys are gone"}, 202)
    confirm(act, incident, waiting, "commander")

    found = next(row for row in state(incident)["actions"] if row["key"] == "3e-revoke")
    assert (found["state"], found["result"]) == ("succeeded", "Keys are gone")


def test_completing_records_a_failure_as_well(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    act(incident, "commander", "rollback/actions/3e-revoke/approve", status=201)

    act(incident, "security_lead", "rollback/actions/3e-revoke/complete", {"succeeded": False, "result": "Vault down"})

    found = next(row for row in state(incident)["actions"] if row["key"] == "3e-revoke")
    assert (found["state"], found["attempts"][0]["sentence"]) == ("failed", "Vault down")


# Cleanup ------------------------------------------------------------------------------------------------------------


def test_items_are_ticked_together_and_waived_alone_below_l3(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)

    act(incident, "data_evidence_lead", "cleanup/tick", {"items": ["data-revert", "data-rebuild"], "note": "Done"})
    act(incident, "data_evidence_lead", "cleanup/items/data-isolation/waive", {"reason": "One tenant only"})

    area = next(area for area in state(incident)["cleanup"] if area["key"] == "data")
    assert [item["state"] for item in area["items"]] == ["done", "done", "waived"]
    assert area["missing"] == [
        "Data rollback/cleanup: “Migration/projection repair notes” is not attached.",
        "Data rollback/cleanup: “Tenant-isolation test” is not attached.",
    ]


def test_a_cleanup_waiver_waits_for_the_second_person_at_l3(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)

    waiting = act(incident, "security_lead", "cleanup/items/credentials-rotate/waive", {"reason": "None leaked"}, 202)
    confirm(act, incident, waiting)

    area = next(area for area in state(incident)["cleanup"] if area["key"] == "credentials")
    assert [item["state"] for item in area["items"]] == ["waived", "open"]


@pytest.mark.parametrize(
    ("items", "status"),
    [([], 422), (["nothing"], 422), (["data-revert", "credentials-rotate"], 422), (["data-revert"] * 2, 200)],
)
def test_only_items_of_one_area_are_ticked(crew: Crew, act: Any, items: list[str], status: int) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)

    act(incident, "data_evidence_lead", "cleanup/tick", {"items": items, "note": "Done"}, status)


# Verify -------------------------------------------------------------------------------------------------------------


def test_a_gate_wired_to_a_probe_is_queued(crew: Crew, act: Any, state: Any) -> None:
    connector = Connector.objects.create(name="probe", kind=ConnectorKind.PROBE)
    Wiring.objects.create(product=crew.product, key="health", connector=connector)
    incident = make_incident(crew, at=Phase.VERIFYING)

    asked = act(incident, "infrastructure_lead", "verify/gates/health/run", status=202)
    again = act(incident, "infrastructure_lead", "verify/gates/health/run", status=409)
    by_hand = act(incident, "api_lead", "verify/gates/ci/run", status=409)

    gate = next(gate for gate in state(incident)["gates"] if gate["key"] == "health")
    assert (gate["can_run"], gate["is_running"], asked["id"]) == (
        True,
        True,
        str(incident.gates.get(key="health").runs.get().pk),
    )
    assert again["blockers"] == ["“Service health” is running already."]
    assert "record it by hand" in by_hand["blockers"][0]


def test_a_failure_is_explained_and_its_risk_accepted_by_two(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)
    act(incident, "api_lead", "verify/gates/ci/evidence", {"link": "https://ci.example.test/1"}, 201)
    act(incident, "api_lead", "verify/gates/ci/record", {"outcome": "fail", "note": "Lint"}, 201)
    baseline = {"failing_step": "lint", "kind": "lint-baseline", "proof": "Red since May", "not_executed": "e2e"}

    act(incident, "commander", "verify/gates/ci/baseline", baseline, 201)
    waiting = act(incident, "commander", "verify/gates/ci/risk", {"reason": "Known and harmless"}, 202)
    confirm(act, incident, waiting)

    gate = next(gate for gate in state(incident)["gates"] if gate["key"] == "ci")
    assert gate["last_run"]["outcome"] == "fail"
    assert gate["baseline_blocker"]["failing_step"] == "lint"
    assert gate["accepted_risk"]["second"]["email"] == crew[Role.API_LEAD].email
    assert gate["blockers"] == []


def test_verification_goes_back_with_a_reason(crew: Crew, act: Any) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)

    assert act(incident, "commander", "verify/reopen", {"reason": "Lag is back"})["phase"] == "rolling_back"
    assert act(incident, "commander", "verify/begin")["phase"] == "verifying"


def test_beginning_verification_says_what_is_open(crew: Crew, act: Any) -> None:
    refused = act(make_incident(crew, at=Phase.ROLLING_BACK), "commander", "verify/begin", status=409)

    assert len(refused["blockers"]) > 10
    assert "Cleanup" not in refused["title"]
    assert refused["detail"] == " ".join(refused["blockers"])


# Unfreeze -----------------------------------------------------------------------------------------------------------


def test_lifting_is_refused_with_every_precondition_that_is_missing(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)

    refused = act(incident, "commander", "unfreeze/lift", {"stage": "merges"}, 409)

    assert refused["blockers"] == state(incident)["blockers"]
    assert "“Service health” has not run." in refused["blockers"]


def test_stages_are_lifted_and_the_freeze_comes_back(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.UNFREEZING)

    act(incident, "commander", "unfreeze/lift", {"stage": "staging"})
    assert [stage["key"] for stage in state(incident)["stages"] if stage["is_lifted"]] == ["merges", "staging"]
    act(incident, "commander", "unfreeze/lift", {"stage": "moon"}, 409)
    back = act(incident, "commander", "unfreeze/refreeze", {"reason": "Errors again"})

    assert back["phase"] == "rolling_back"
    assert not any(stage["is_lifted"] for stage in state(incident)["stages"])


def test_next_cycle_owners_are_named_and_accept(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)

    act(incident, "commander", "unfreeze/owners/api_lead/name", {"person": crew[Role.API_LEAD].email})
    act(incident, "security_lead", "unfreeze/owners/api_lead/accept", status=403)
    act(incident, "api_lead", "unfreeze/owners/api_lead/accept")

    [owner] = state(incident)["next_owners"]
    assert (owner["area"], owner["person"]["email"]) == ("api_lead", crew[Role.API_LEAD].email)
    assert owner["accepted_at"] is not None


# Deliver ------------------------------------------------------------------------------------------------------------


def test_closing_is_refused_while_a_deliverable_is_missing(crew: Crew, act: Any) -> None:
    incident = make_incident(crew, at=Phase.REVIEW)

    refused = act(incident, "commander", "deliver/close", status=409)

    assert refused["blockers"] == [
        "The incident summary with its root cause is not written.",
        "No follow-up is listed, and no reason says why none is needed.",
        "No updated safeguard is recorded, and no reason says that no control gap was found.",
    ]


def test_deliverables_are_written_and_the_incident_closes(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.REVIEW)
    summary = {
        "what_happened": "Lag",
        "root_cause": "A dropped column",
        "owner": crew[Role.API_LEAD].email,
        "no_follow_ups_reason": "Fixed already",
    }
    follow_up = {
        "title": "Guard",
        "owner": "API Lead",
        "priority": "P1",
        "due_on": "2027-01-15",
        "acceptance": "CI refuses",
        "bead_id": "bd-42",
    }

    act(incident, "commander", "deliver/summary", summary)
    added = act(incident, "api_lead", "deliver/follow-ups", follow_up, 201)
    act(
        incident,
        "api_lead",
        "deliver/safeguards",
        {"gap": "None", "change": "Linter", "link": "https://x.example.test/"},
        201,
    )
    closed = act(incident, "commander", "deliver/close")

    found = state(incident)["deliverables"]
    assert (added["id"], closed["phase"]) == (1, "closed")
    assert found["summary"]["owner"]["email"] == crew[Role.API_LEAD].email
    assert found["follow_ups"] == [{"number": 1, **follow_up}]
    assert [row["link"] for row in found["safeguards"]] == ["https://x.example.test/"]
    assert found["missing"] == []


def test_a_link_is_http_or_https(crew: Crew, act: Any) -> None:
    incident = make_incident(crew, at=Phase.REVIEW)
    body = {"gap": "None", "change": "Linter", "link": "javascript:alert(1)"}

    refused = act(incident, "api_lead", "deliver/safeguards", body, 422)

    assert refused["errors"] == [{"field": "body.link", "message": "Give a whole http or https address."}]


# A phase that does not allow the act --------------------------------------------------------------------------------


def test_an_act_in_the_wrong_phase_is_409_and_says_when_it_is_possible(crew: Crew, act: Any) -> None:
    refused = act(make_incident(crew), "commander", "unfreeze/lift", {"stage": "merges"}, 409)

    assert refused["type"] == "urn:lastgood:refused"
    assert refused["blockers"] == [
        "Lift a freeze measure is possible while the incident is verifying, unfreezing; it is declared."
    ]


def test_a_proposal_about_an_action_that_is_no_longer_planned_is_refused(crew: Crew, act: Any, state: Any) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    waiver = act(incident, "data_evidence_lead", "rollback/actions/3d-preserve/waive", {"reason": "Nothing"}, 202)
    lower = act(incident, "commander", "declare/lower-level", {"level": "L1", "reason": "Small after all"}, 202)
    confirm(act, incident, lower)

    refused = act(incident, "commander", f"proposals/{waiver['id']}/confirm", status=409)

    assert refused["type"] == "urn:lastgood:refused"
    assert "3d-preserve" not in {action["key"] for action in state(incident)["actions"]}
