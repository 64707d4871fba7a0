"""Bad input at every form of the steps: a sentence, nothing half-done, never an error of ours."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse

from incidents.models import Attachment, Incident
from incidents.terms import GateOutcome, Phase, Role
from tests.factories import Crew, make_crew, make_incident, pass_gate
from tests.incidents.views.pages import at, refusals, told

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]

KEY = "3a-redeploy"
EXCEPTION = {"measure": "merges", "subject": "PR-1", "reason": "r", "expires_at": "2099-01-01T00:00"}
FOLLOW_UP = {"title": "t", "owner": "o", "priority": "P1", "due_on": "2099-01-15", "acceptance": "a"}
BLOCKER = {"failing_step": "lint", "kind": "other", "proof": "p", "not_executed": "n"}
MARK = {
    "runs": "run-1",
    "workspace": "ws-1",
    "correlation": "c",
    "dialect": "portarium-v1",
    "head": "0" * 64,
    "subject": "action:3d-chain",
}
ADDED = {"name": "n", "track": "3a", "owner": "api_lead", "stage": "2", "reason": "r"}

# Every form: the phase it is for, where it goes, what it takes.
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
    "mark_foreign": (Phase.ROLLING_BACK, (), MARK),
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
OPEN_TO_ALL = {"add_follow_up", "add_safeguard"}
every_phase = pytest.mark.parametrize("phase", sorted({phase for phase, _, _ in FORMS.values()}))


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def begun(crew: Crew, phase: Phase) -> Incident:
    incident = make_incident(crew, at=phase)
    if phase == Phase.VERIFYING:
        pass_gate(incident.gates.get(key="ci"), crew, GateOutcome.FAIL)
    return incident


def owner_of(name: str) -> Role:
    """Somebody who may send the form."""
    data = {"confirm_target", "cleanup_area", "waive_cleanup"}
    hands = {"complete_action", "waive_action"}
    return Role.DATA_EVIDENCE_LEAD if name in data else Role.API_LEAD if name in hands else Role.COMMANDER


def sent(incident: Incident, person: Any, name: str, given: dict[str, str]) -> HttpResponse:
    """Send the form; whatever comes of it, nothing is half-done."""
    before = state_of(incident)
    response = at(incident, person).send(name, *FORMS[name][1], **given)
    assert state_of(incident) == before, (name, given)
    return response


def state_of(incident: Incident) -> tuple[int, int, int]:
    return incident.chain.entries.count(), incident.exhibits.count(), Attachment.objects.count()


def of(phase: Phase) -> list[tuple[str, dict[str, str]]]:
    return [(name, given) for name, (its_phase, _, given) in FORMS.items() if its_phase == phase]


@every_phase
def test_missing_fields_are_asked_for(crew: Crew, phase: Phase) -> None:
    incident = begun(crew, phase)

    for name, _ in of(phase):
        response = sent(incident, crew[owner_of(name)], name, {})
        assert (response.status_code, bool(refusals(response))) == (200, True), name


@every_phase
def test_the_wrong_role_is_told_whose_act_it_is(crew: Crew, phase: Phase) -> None:
    incident = begun(crew, phase)

    for name, given in of(phase):
        if name not in OPEN_TO_ALL:
            response = sent(incident, crew[Role.COMMUNICATIONS_OWNER], name, given)
            assert " is for the " in refusals(response)[0], name


def test_an_ended_incident_refuses_every_form_with_a_sentence(crew: Crew) -> None:
    incident = begun(crew, Phase.CLOSED)

    for name, (_, _, given) in FORMS.items():
        assert "it is closed." in refusals(sent(incident, crew[owner_of(name)], name, given))[0], name


@every_phase
def test_null_characters_are_refused_in_every_field(crew: Crew, phase: Phase) -> None:
    incident = begun(crew, phase)

    for name, given in of(phase):
        for field in given:
            response = sent(incident, crew[owner_of(name)], name, given | {field: "a\x00b"})
            assert response.status_code == 404 or refusals(response), (name, field)


@every_phase
def test_ten_megabytes_are_not_read(crew: Crew, phase: Phase) -> None:
    incident = begun(crew, phase)

    for name, given in of(phase):
        response = sent(incident, crew[owner_of(name)], name, given | {list(given)[-1]: "x" * 10_000_000})
        assert (response.status_code, "larger than 2.5" in "".join(told(response))) == (302, True), name


@every_phase
def test_values_of_the_wrong_kind_never_break_it(crew: Crew, phase: Phase) -> None:
    incident = begun(crew, phase)

    for name, given in of(phase):
        visitor = at(incident, crew[owner_of(name)])
        for field in given:
            for value in ("x" * 25_000, "-1", '{"a": [1]}', "9" * 40, "0000-99-99"):
                response = visitor.send(name, *FORMS[name][1], **given | {field: value})
                assert response.status_code in (200, 302, 404), (name, field, value)


def test_a_button_of_the_wrong_role_says_whose_it_is(crew: Crew) -> None:
    incident = begun(crew, Phase.VERIFYING)

    for name, args in BUTTONS.items():
        before = state_of(incident)
        response = at(incident, crew[Role.COMMUNICATIONS_OWNER]).send(name, *args)
        assert (response.status_code, len(refusals(response)), state_of(incident)) == (403, 1, before), name


def test_the_address_of_a_button_leads_back_to_its_page(crew: Crew) -> None:
    incident = begun(crew, Phase.VERIFYING)
    visitor, before = at(incident, crew.commander), state_of(incident)

    for name, args in BUTTONS.items():
        response = visitor.client.get(visitor.url(name, *args), follow=True)
        assert (response.status_code, told(response), state_of(incident)) == (200, [], before), name


def test_an_empty_file_and_a_file_name_full_of_tricks_are_taken_for_what_they_are(crew: Crew) -> None:
    visitor = at(begun(crew, Phase.ROLLING_BACK), crew[Role.DATA_EVIDENCE_LEAD])

    empty = visitor.send("cleanup_area", "data", **{"repair-notes-file": SimpleUploadedFile("empty.txt", b"")})
    assert "empty" in refusals(empty)[0]
    visitor.send("cleanup_area", "data", **{"repair-notes-file": SimpleUploadedFile("../../a\x1b[31m.txt", b"a")})

    assert [row.name for row in Attachment.objects.all()] == ["a[31m.txt"]


def test_a_number_no_database_can_hold_is_not_found(crew: Crew) -> None:
    visitor = at(begun(crew, Phase.DECLARED), crew.commander)

    assert visitor.send("revoke_exception", 10**30, reason="x").status_code == 404
