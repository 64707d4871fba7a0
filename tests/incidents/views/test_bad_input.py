"""Bad input at every form of the steps: a sentence, nothing half-done, never an error of ours."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse

from incidents.models import Attachment
from incidents.terms import GateOutcome, Phase, Role
from tests.factories import Crew, make_crew, make_incident, pass_gate
from tests.incidents.views.pages import Visitor, at, refusals, told

pytestmark = pytest.mark.django_db

KEY = "3a-redeploy"
EXCEPTION = {"measure": "merges", "subject": "PR-1", "reason": "r", "expires_at": "2099-01-01T00:00"}
FOLLOW_UP = {"title": "t", "owner": "o", "priority": "P1", "due_on": "2099-01-15", "acceptance": "a"}
BLOCKER = {"failing_step": "lint", "kind": "other", "proof": "p", "not_executed": "n"}
ADDED = {"name": "n", "track": "3a", "owner": "api_lead", "stage": "2", "reason": "r"}

# Every form: the phase it is for, where it goes, what it takes, and somebody who may not send it.
FORMS: dict[str, tuple[Phase, tuple[Any, ...], dict[str, str]]] = {
    "propose_exception": (Phase.DECLARED, (), EXCEPTION),
    "target": (Phase.DECLARED, (), {"kind": "commit", "identifier": "abc", "reason": "r"}),
    "confirm_target": (Phase.DECLARED, ("migration_state",), {"note": "n"}),
    "add_action": (Phase.ROLLING_BACK, (), ADDED),
    "complete_action": (Phase.ROLLING_BACK, (KEY,), {"succeeded": "yes", "result": "r", "text": "t"}),
    "abort_action": (Phase.ROLLING_BACK, (KEY,), {"reason": "r"}),
    "waive_action": (Phase.ROLLING_BACK, (KEY,), {"reason": "r"}),
    "cleanup_area": (Phase.ROLLING_BACK, ("data",), {"items": "data-revert", "note": "n", "repair-notes-text": "t"}),
    "waive_cleanup": (Phase.ROLLING_BACK, ("data",), {"item": "data-revert", "reason": "r"}),
    "reopen_rollback": (Phase.VERIFYING, (), {"reason": "r"}),
    "record_gate": (Phase.VERIFYING, ("ci",), {"outcome": "pass", "note": "n", "text": "t"}),
    "accept_baseline": (Phase.VERIFYING, ("ci",), BLOCKER),
    "accept_risk": (Phase.VERIFYING, ("ci",), {"reason": "r"}),
    "refreeze": (Phase.UNFREEZING, (), {"reason": "r"}),
    "write_summary": (Phase.REVIEW, (), {"what_happened": "w", "root_cause": "c"}),
    "add_follow_up": (Phase.REVIEW, (), FOLLOW_UP),
    "add_safeguard": (Phase.REVIEW, (), {"gap": "g", "change": "c"}),
}
BUTTONS: dict[str, tuple[Any, ...]] = {
    "make_plan": (),
    "approve_action": (KEY,),
    "dispatch_action": (KEY,),
    "begin_verification": (),
    "run_gate": ("ci",),
    "lift": ("merges",),
    "accept_ownership": ("api_lead",),
    "close": (),
}
every_form = pytest.mark.parametrize("name", list(FORMS))


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def visit(crew: Crew, phase: Phase, person: Any = None) -> Visitor:
    incident = make_incident(crew, at=phase)
    if phase == Phase.VERIFYING:
        pass_gate(incident.gates.get(key="ci"), crew, GateOutcome.FAIL)
    return at(incident, person or crew.commander)


def owner_of(name: str) -> Role:
    """Somebody who may send the form."""
    data = {"confirm_target", "cleanup_area", "waive_cleanup"}
    hands = {"complete_action", "waive_action"}
    return Role.DATA_EVIDENCE_LEAD if name in data else Role.API_LEAD if name in hands else Role.COMMANDER


def state_of(visitor: Visitor) -> tuple[int, int, int]:
    incident = visitor.incident
    return incident.chain.entries.count(), incident.exhibits.count(), Attachment.objects.count()


@every_form
def test_missing_fields_are_asked_for(crew: Crew, name: str) -> None:
    phase, args, _ = FORMS[name]
    visitor = visit(crew, phase, crew[owner_of(name)])
    before = state_of(visitor)

    response = visitor.send(name, *args)

    assert response.status_code == 200
    assert refusals(response)
    assert state_of(visitor) == before


@every_form
def test_the_wrong_role_is_told_whose_act_it_is(crew: Crew, name: str) -> None:
    phase, args, given = FORMS[name]
    if name in ("add_follow_up", "add_safeguard"):
        pytest.xfail("open to every role")
    visitor = visit(crew, phase, crew[Role.COMMUNICATIONS_OWNER])
    before = state_of(visitor)

    response = visitor.send(name, *args, **given)

    assert " is for the " in refusals(response)[0]
    assert state_of(visitor) == before


@every_form
def test_an_ended_incident_refuses_with_a_sentence(crew: Crew, name: str) -> None:
    _, args, given = FORMS[name]
    visitor = visit(crew, Phase.CLOSED, crew[owner_of(name)])
    before = state_of(visitor)

    response = visitor.send(name, *args, **given)

    assert "it is closed." in refusals(response)[0]
    assert state_of(visitor) == before


@every_form
def test_null_characters_are_refused_in_every_field(crew: Crew, name: str) -> None:
    phase, args, given = FORMS[name]
    visitor = visit(crew, phase, crew[owner_of(name)])
    before = state_of(visitor)

    for field in given:
        response = visitor.send(name, *args, **given | {field: "a\x00b"})
        assert is_answered(response), field

    assert state_of(visitor) == before


@every_form
def test_ten_megabytes_are_not_read(crew: Crew, name: str) -> None:
    phase, args, given = FORMS[name]
    visitor = visit(crew, phase, crew[owner_of(name)])
    before = state_of(visitor)

    response = visitor.send(name, *args, **given | {next(reversed(given)): "x" * 10_000_000})

    assert response.status_code == 400
    assert "too large" in response.content.decode()
    assert state_of(visitor) == before


@every_form
@pytest.mark.parametrize("value", ["x" * 25_000, "-1", "NaN", "[]", '{"a": 1}', "'; --", "9" * 40, "0000-99-99", "\ud83d\ude00"])
def test_values_of_the_wrong_kind_never_break_it(crew: Crew, name: str, value: str) -> None:
    phase, args, given = FORMS[name]
    visitor = visit(crew, phase, crew[Role.COMMUNICATIONS_OWNER])
    before = state_of(visitor)

    for field in given:
        response = visitor.send(name, *args, **given | {field: value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")})
        assert response.status_code in (200, 302, 404), field

    if name not in ("add_follow_up", "add_safeguard"):
        assert state_of(visitor) == before


@pytest.mark.parametrize("name", list(BUTTONS))
def test_a_button_of_the_wrong_role_says_whose_it_is(crew: Crew, name: str) -> None:
    visitor = visit(crew, Phase.VERIFYING, crew[Role.COMMUNICATIONS_OWNER])
    before = state_of(visitor)

    response = visitor.send(name, *BUTTONS[name])

    assert response.status_code == 302
    assert len(told(response)) == 1
    assert state_of(visitor) == before


@pytest.mark.parametrize("name", list(BUTTONS))
def test_the_address_of_a_button_leads_back_to_its_page(crew: Crew, name: str) -> None:
    visitor = visit(crew, Phase.VERIFYING)
    before = state_of(visitor)

    response = visitor.client.get(visitor.url(name, *BUTTONS[name]), follow=True)

    assert (response.status_code, told(response)) == (200, [])
    assert state_of(visitor) == before


def test_an_empty_file_and_a_file_name_full_of_tricks_are_taken_for_what_they_are(crew: Crew) -> None:
    visitor = visit(crew, Phase.ROLLING_BACK, crew[Role.DATA_EVIDENCE_LEAD])

    empty = visitor.send("cleanup_area", "data", **{"repair-notes-file": SimpleUploadedFile("empty.txt", b"")})
    assert "empty" in refusals(empty)[0]
    visitor.send("cleanup_area", "data", **{"repair-notes-file": SimpleUploadedFile("../../a\x1b[31m.txt", b"a")})

    assert [row.name for row in Attachment.objects.all()] == ["a [31m.txt"]


def test_a_number_no_database_can_hold_is_not_found(crew: Crew) -> None:
    visitor = visit(crew, Phase.DECLARED)

    assert visitor.send("revoke_exception", 10**30, reason="x").status_code == 404


def is_answered(response: HttpResponse) -> bool:
    return response.status_code == 404 or (response.status_code == 200 and bool(refusals(response)))
