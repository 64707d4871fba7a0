"""Who gets which answer from every operation: a reviewed table that no operation may be missing from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from incidents import clock
from incidents.evidence import attachments, checkpoints
from incidents.models import AuditGrant, Incident
from incidents.steps import declare, four_eyes, freeze, roles
from incidents.terms import Act, Measure, Phase, Role
from portal.api import api
from tests.factories import Crew, UserFactory, make_crew, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]

WHY = {"reason": "Because"}
UPLOAD = object()
# Every operation below an incident with a body of the right shape; `{…}` is filled from the world.
READING = [
    "",
    "proposals",
    "evidence.jsonl",
    "evidence/checkpoint",
    "evidence/personal",
    "evidence/timeline",
    "evidence/verify",
    "attachments/{attachment_id}",
]
# Asked with a body, and nothing is changed.
ASKING: dict[str, Any] = {"evidence/verify": {"checkpoints": []}}
ACTING: dict[str, Any] = {
    "declare/need-to-know": WHY | {"need_to_know": True},
    "declare/raise-level": WHY | {"level": "L3"},
    "declare/lower-level": WHY | {"level": "L1"},
    "declare/stand-down": WHY,
    "declare/correct": WHY | {"row": "incident", "field": "summary", "value": "Other"},
    "evidence/personal/erase": WHY | {"entry": 1, "path": "owner"},
    "evidence/{seq}/correct": WHY | {"text": "Other words"},
    "roles/{role}/assign": {"person": "{lead}"},
    "roles/{role}/accept": None,
    "roles/{role}/hand-over": WHY | {"to": "{lead}"},
    "roles/{role}/take-over": WHY,
    "freeze/exceptions": WHY | {"measure": "merges", "subject": "PR-1", "expires_at": "2099-01-01T00:00:00Z"},
    "freeze/exceptions/{exception_id}/revoke": WHY,
    "target/choose": WHY | {"kind": "commit", "identifier": "abc"},
    "target/confirm": {"aspect": "migration_state", "note": "Looked"},
    "rollback/plan": None,
    "rollback/actions": WHY | {"track": "3a", "name": "More", "owner": "api_lead", "stage": 1, "destructive": False},
    "rollback/actions/{action}/approve": None,
    "rollback/actions/{action}/rehearse": None,
    "rollback/actions/{action}/dispatch": None,
    "rollback/actions/{action}/complete": {"succeeded": True, "result": "Done"},
    "rollback/actions/{action}/abort": WHY,
    "rollback/actions/{action}/waive": WHY,
    "rollback/actions/{action}/resolve": WHY | {"succeeded": True},
    "rollback/actions/{action}/evidence": {"text": "Output"},
    "rollback/actions/{action}/evidence/file": UPLOAD,
    "cleanup/tick": {"items": ["data-revert"], "note": "Done"},
    "cleanup/items/{item}/waive": WHY,
    "cleanup/evidence/{evidence}": {"text": "Output"},
    "cleanup/evidence/{evidence}/file": UPLOAD,
    "foreign/verify": UPLOAD,
    "foreign/fetch": {"url": "https://portarium.example.org/evidence"},
    "foreign/annotate": {"workspace": "ws-1", "runs": ["run-1"], "dialect": "portarium-v1", "head": "0" * 64},
    "verify/begin": None,
    "verify/reopen": WHY,
    "verify/gates/{gate}/run": None,
    "verify/gates/{gate}/record": {"outcome": "pass", "note": "Green"},
    "verify/gates/{gate}/baseline": {"failing_step": "lint", "kind": "other", "proof": "Old"},
    "verify/gates/{gate}/risk": WHY,
    "verify/gates/{gate}/evidence": {"text": "Output"},
    "verify/gates/{gate}/evidence/file": UPLOAD,
    "unfreeze/owners/{area}/name": {"person": "{lead}"},
    "unfreeze/owners/{area}/accept": None,
    "unfreeze/lift": {"stage": "merges"},
    "unfreeze/refreeze": WHY,
    "deliver/summary": {"what_happened": "Lag"},
    "deliver/close": None,
    "proposals/{proposal_id}/confirm": None,
    "proposals/{proposal_id}/decline": WHY,
}
# What every role of the incident may do.
FOR_ALL_ROLES: dict[str, Any] = {
    "declare/note": {"text": "Noted"},
    "deliver/follow-ups": {
        "title": "Guard",
        "owner": "API Lead",
        "priority": "P1",
        "due_on": "2027-01-15",
        "acceptance": "CI",
    },
    "deliver/safeguards": {"gap": "None", "change": "Linter"},
}


@dataclass
class World:
    """One incident with something of everything, and the addresses into it."""

    incident: Incident
    names: dict[str, Any]

    def path(self, template: str) -> str:
        return f"incidents/{self.incident.reference}/{template}".rstrip("/").format(**self.names)

    def body(self, body: Any) -> Any:
        return (
            {key: self.names["lead"] if value == "{lead}" else value for key, value in body.items()} if body else None
        )


@pytest.fixture
def world(crew: Crew) -> World:
    return build(crew)


def build(crew: Crew) -> World:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    exception = freeze.allow_exception(
        incident,
        measure=Measure.CLAIMS,
        subject="bd-1",
        reason="The fix",
        expires_at=clock.now() + timedelta(hours=1),
        by=crew.commander,
        second=crew[Role.API_LEAD],
    )
    checkpoints.sign(incident.chain, "test")
    proposal = four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="False alarm")
    attachment = attachments.store(incident, SimpleUploadedFile("a.txt", b"bytes"), crew.commander)
    names = {
        "role": "api_lead",
        "area": "api_lead",
        "lead": crew[Role.SECURITY_LEAD].email,
        "action": "3a-redeploy",
        "item": "data-revert",
        "evidence": "repair-notes",
        "gate": "ci",
        "exception_id": exception.pk,
        "proposal_id": proposal.pk,
        "seq": 1,
        "attachment_id": attachment.pk,
    }
    return World(incident, names)


def statuses(world: World, caller: Any, wanted: dict[str, Any]) -> dict[str, int]:
    found = {}
    for template, body in wanted.items():
        if body is UPLOAD:
            answer = caller.upload(world.path(template), SimpleUploadedFile("a.txt", b"bytes"))
        else:
            answer = caller.post(world.path(template), world.body(body))
        found[template] = answer.status_code
    return found


def readings(world: World, caller: Any) -> dict[str, int]:
    return {template: caller.get(world.path(template)).status_code for template in READING}


EVERYTHING = ACTING | FOR_ALL_ROLES


def all_answers(world: World, caller: Any) -> set[int]:
    return {*readings(world, caller).values(), *statuses(world, caller, EVERYTHING | ASKING).values()}


def test_every_operation_of_the_incidents_app_is_in_the_table() -> None:
    aliases = {"key": {"rollback": "action", "cleanup": "item", "verify": "gate"}}
    found = set()
    for path, operations in api.get_openapi_schema(path_prefix="/")["paths"].items():
        for method, operation in operations.items():
            if operation["operationId"].startswith("incidents_api") and "{ref}" in path:
                word = path.split("/")[3] if len(path.split("/")) > 3 else ""
                name = "evidence" if "cleanup/evidence" in path else aliases["key"].get(word, "key")
                found.add((method, path.removeprefix("/incidents/{ref}").lstrip("/").replace("{key}", f"{{{name}}}")))

    assert found == {("get", path) for path in READING} | {("post", path) for path in EVERYTHING | ASKING}


def test_nobody_gets_anything_without_a_token(world: World) -> None:
    class Nobody:
        client = Client()

        def get(self, path: str) -> Any:
            return self.client.get(f"/api/v1/{path}")

        def post(self, path: str, body: Any) -> Any:
            return self.client.post(f"/api/v1/{path}", body or {}, content_type="application/json")

        def upload(self, path: str, file: Any) -> Any:
            return self.client.post(f"/api/v1/{path}", {"file": file})

    assert all_answers(world, Nobody()) == {401}


def test_a_session_cookie_is_no_token(world: World, crew: Crew) -> None:
    client = Client()
    client.force_login(crew.commander)

    answer = client.get(f"/api/v1/incidents/{world.incident.reference}")

    assert answer.status_code == 401
    assert not answer.cookies


def test_an_outsider_finds_no_incident(world: World, crew: Crew, calling: Callable[..., Any]) -> None:
    assert all_answers(world, calling(crew.outsider)) == {404}


def test_the_commander_of_another_incident_finds_none(world: World, calling: Callable[..., Any]) -> None:
    other = make_crew()
    make_incident(other)

    assert all_answers(world, calling(other.commander)) == {404}


def test_a_superuser_without_a_part_finds_none(world: World, calling: Callable[..., Any]) -> None:
    assert all_answers(world, calling(UserFactory(is_superuser=True, is_staff=True))) == {404}


def test_a_token_bound_to_another_product_finds_none(world: World, crew: Crew, calling: Callable[..., Any]) -> None:
    assert all_answers(world, calling(crew.commander, product=make_crew().product)) == {404}


def test_an_auditor_reads_everything_and_changes_nothing(world: World, calling: Callable[..., Any]) -> None:
    auditor = UserFactory()
    AuditGrant.objects.create(user=auditor, reason="Audit", expires_at=clock.now() + timedelta(days=1))
    before = world.incident.chain.entries.count()

    assert set(readings(world, calling(auditor)).values()) == {200}
    assert set(statuses(world, calling(auditor), ASKING).values()) == {200}
    assert set(statuses(world, calling(auditor), EVERYTHING).values()) == {403}
    assert world.incident.chain.entries.count() == before
    assert world.incident.attachments.count() == 1


def test_a_role_that_does_not_carry_the_act_is_403(world: World, by_role: Callable[..., Any]) -> None:
    informer = by_role("communications_owner")

    assert set(readings(world, informer).values()) == {200}
    assert set(statuses(world, informer, ACTING).values()) == {403}
    assert set(statuses(world, informer, FOR_ALL_ROLES).values()) == {201}


def test_a_role_that_is_not_accepted_carries_nothing(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew, accepted=False)

    answer = by_role("api_lead").post(f"incidents/{incident.reference}/declare/note", {"text": "Hello"})

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("scopes", "reads", "acts"),
    [((), 403, 403), (("check",), 403, 403), (("read",), 200, 403), (("act",), 403, 201), (("read", "act"), 200, 201)],
)
def test_scopes_bound_what_a_token_may(
    world: World, crew: Crew, calling: Callable[..., Any], scopes: tuple[str, ...], reads: int, acts: int
) -> None:
    caller = calling(crew.commander, scopes=scopes)

    assert set(readings(world, caller).values()) == {reads}
    assert set(statuses(world, caller, FOR_ALL_ROLES).values()) == {acts}


def test_ids_of_another_incident_are_not_found(
    world: World, crew: Crew, by_role: Callable[..., Any], calling: Callable[..., Any]
) -> None:
    other = build(make_crew())
    ids = ("exception_id", "proposal_id", "attachment_id")
    mixed = World(world.incident, world.names | {name: other.names[name] for name in ids})
    caller = by_role("commander")
    below = [path for path in ACTING if any(name in path for name in ids)]

    assert set(statuses(mixed, caller, {path: ACTING[path] for path in below}).values()) == {404}
    assert caller.get(mixed.path("attachments/{attachment_id}")).status_code == 404
    correction = WHY | {"row": "target", "id": other.incident.targets.get().pk, "field": "reason", "value": "x"}
    assert caller.post(mixed.path("declare/correct"), correction).status_code == 404


@pytest.mark.parametrize(
    "template",
    [
        "rollback/actions/nothing/dispatch",
        "rollback/actions/%00/dispatch",
        "rollback/actions/a%2Fb/dispatch",
        "verify/gates/nothing/run",
        "roles/king/accept",
        "unfreeze/owners/king/accept",
        "proposals/999999/confirm",
        "proposals/99999999999999999999999999/confirm",
        f"proposals/{'9' * 5000}/confirm",
        "proposals/-1/confirm",
        "proposals/x/confirm",
        "nothing",
    ],
)
def test_what_is_not_there_is_a_problem_document_of_404(
    world: World, by_role: Callable[..., Any], template: str
) -> None:
    answer = by_role("commander").post(f"incidents/{world.incident.reference}/{template}")

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "reference", ["RB-2026-9999", "rb-2026-0001", "%00", "RB-2026-0001%00", "RB-2026-" + "1" * 400]
)
def test_a_reference_that_is_none_is_404(world: World, by_role: Callable[..., Any], reference: str) -> None:
    assert by_role("commander").get(f"incidents/{reference}").status_code == 404


def test_a_method_an_address_does_not_know_is_405(world: World, by_role: Callable[..., Any]) -> None:
    caller = by_role("commander")

    answer = caller.client.delete(f"/api/v1/incidents/{world.incident.reference}", headers=caller.headers)

    assert (answer.status_code, answer["Allow"], answer["Content-Type"]) == (405, "GET", "application/problem+json")


def test_rights_end_with_the_role(world: World, crew: Crew, calling: Callable[..., Any]) -> None:
    lead = calling(crew[Role.API_LEAD])
    path = world.path("declare/note")
    before = lead.post(path, {"text": "Here"}).status_code
    roles.assign(world.incident, Role.API_LEAD, user=crew.deputy, by=crew.commander)

    assert (before, lead.post(path, {"text": "Still here"}).status_code) == (201, 403)


def test_a_stood_down_incident_is_still_read(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew)
    declare.stand_down(incident, by=crew.commander, second=crew[Role.API_LEAD], reason="False alarm")

    answer = by_role("security_lead").get(f"incidents/{incident.reference}")

    assert (answer.status_code, answer.json()["phase"], answer.json()["blockers"]) == (200, "stood_down", [])
