"""/check against committed rows: the truth table of each operation, with exceptions and lifted stages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents import clock
from incidents.models import Environment, Incident
from incidents.steps import freeze, roles, unfreeze
from incidents.terms import Level, Measure, Phase, Role
from portal.accounts.models import ApiToken
from tests.factories import Crew, ProductFactory, UserFactory, lift, make_crew, make_incident

pytestmark = pytest.mark.django_db

OPERATIONS = ("merge", "claim", "promote", "deploy")


@pytest.fixture
def check(crew: Crew, calling: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Ask as a pipeline: `check("merge", subject="PR-12")` is the answer's JSON, always with status 200."""
    pipeline = calling(UserFactory(), scopes=("check",))

    def ask(operation: str, **query: str) -> dict[str, Any]:
        answer = pipeline.get(f"freeze/{crew.product.slug}/check", operation=operation, **query)
        assert answer.status_code == 200, answer.content
        return answer.json()

    return ask


def allow(incident: Incident, crew: Crew, measure: Measure, subject: str, **fields: Any) -> int:
    return freeze.allow_exception(
        incident,
        measure=measure,
        subject=subject,
        reason="The fix itself",
        expires_at=fields.pop("expires_at", clock.now() + timedelta(hours=1)),
        by=crew.commander,
        second=crew[Role.API_LEAD],
        **fields,
    ).pk


def test_without_a_freeze_the_answer_is_allow(check: Callable[..., dict[str, Any]], crew: Crew) -> None:
    answer = check("merge", subject="PR-12")

    checked_at = answer.pop("checked_at")
    assert checked_at.endswith("Z")
    assert answer == {
        "decision": "allow",
        "operation": "merge",
        "product": crew.product.slug,
        "incident": None,
        "reason": "No freeze is active.",
        "scope_level": None,
        "since": None,
        "exception": None,
    }


def test_a_declared_incident_denies_with_the_facts_of_the_freeze(check: Callable[..., Any], crew: Crew) -> None:
    incident = make_incident(crew, level=Level.L3, summary="secret customer name")

    answer = check("merge", subject="PR-12")

    del answer["checked_at"]
    assert answer == {
        "decision": "deny",
        "operation": "merge",
        "product": crew.product.slug,
        "incident": incident.reference,
        "reason": (
            f"Feature merges are frozen by {incident.reference} "
            f"(L3 Code, data, evidence and credentials, {crew.commander.name})."
        ),
        "scope_level": "L3",
        "since": incident.declared_at.isoformat().replace("+00:00", "Z"),
        "exception": None,
    }


@pytest.mark.parametrize("phase", [Phase.DECLARED, Phase.TARGETED, Phase.ROLLING_BACK, Phase.VERIFYING])
def test_every_operation_is_denied_until_the_freeze_is_lifted(
    check: Callable[..., Any], crew: Crew, phase: Phase
) -> None:
    make_incident(crew, at=phase)

    assert {operation: check(operation)["decision"] for operation in OPERATIONS} == dict.fromkeys(OPERATIONS, "deny")


@pytest.mark.parametrize("phase", [Phase.REVIEW, Phase.CLOSED, Phase.STOOD_DOWN])
def test_every_operation_is_allowed_after_the_freeze_ended(check: Callable[..., Any], crew: Crew, phase: Phase) -> None:
    make_incident(crew, at=phase)

    for operation in OPERATIONS:
        assert check(operation) | {"checked_at": ""} == {
            "decision": "allow",
            "operation": operation,
            "product": crew.product.slug,
            "incident": None,
            "reason": "No freeze is active.",
            "scope_level": None,
            "since": None,
            "exception": None,
            "checked_at": "",
        }


@pytest.mark.parametrize(
    ("measure", "operation"),
    [
        (Measure.MERGES, "merge"),
        (Measure.CLAIMS, "claim"),
        (Measure.PROMOTIONS, "promote"),
        (Measure.DEPLOYS, "deploy"),
    ],
)
def test_an_exception_lets_exactly_its_subject_through_exactly_its_measure(
    check: Callable[..., Any], crew: Crew, measure: Measure, operation: str
) -> None:
    exception = allow(make_incident(crew), crew, measure, "PR-12")

    allowed = {
        asked: check(asked, subject=subject)["exception"]
        for asked in OPERATIONS
        for subject in ("PR-12",)
        if check(asked, subject=subject)["decision"] == "allow"
    }
    assert allowed == {operation: exception}
    assert [
        check(operation, subject=subject)["decision"] for subject in ("PR-1", "PR-123", "pr-12", "", "%", "PR-12 ")
    ] == [
        *["deny"] * 5,
        "allow",
    ]


def test_a_revoked_exception_lets_nothing_through(check: Callable[..., Any], crew: Crew) -> None:
    incident = make_incident(crew)
    allow(incident, crew, Measure.MERGES, "PR-12")
    exception = incident.freeze.exceptions.get()
    freeze.revoke_exception(incident, exception, by=crew.commander, reason="Done")

    assert check("merge", subject="PR-12")["decision"] == "deny"


def test_an_expired_exception_lets_nothing_through_and_a_newer_one_does(check: Callable[..., Any], crew: Crew) -> None:
    incident = make_incident(crew)
    allow(incident, crew, Measure.MERGES, "PR-12", expires_at=clock.now() + timedelta(minutes=5))
    with time_machine.travel(clock.now() + timedelta(minutes=6)):
        assert check("merge", subject="PR-12")["decision"] == "deny"
        newer = allow(incident, crew, Measure.MERGES, "PR-12")
        assert check("merge", subject="PR-12")["exception"] == newer


def test_an_exception_for_one_environment_opens_only_that(check: Callable[..., Any], crew: Crew) -> None:
    staging = crew.product.environments.get(name="staging")
    allow(make_incident(crew), crew, Measure.PROMOTIONS, "build-7", environment=staging)

    found = {
        name: check("promote", subject="build-7", environment=name)["decision"]
        for name in ("dev", "staging", "prod", "")
    }
    assert found == {"dev": "deny", "staging": "allow", "prod": "deny", "": "deny"}


@pytest.mark.parametrize(
    ("labels", "decision"),
    [
        ("", "deny"),
        ("feature", "deny"),
        ("rollback", "allow"),
        ("incident", "allow"),
        (" feature , rollback ", "allow"),
        ("rollbacks", "deny"),
    ],
)
def test_only_rollback_and_incident_beads_are_claimed(
    check: Callable[..., Any], crew: Crew, labels: str, decision: str
) -> None:
    make_incident(crew)

    assert check("claim", subject="bd-1", labels=labels)["decision"] == decision


def test_only_rollback_owners_of_this_incident_deploy(check: Callable[..., Any], crew: Crew) -> None:
    make_incident(crew)
    other = make_crew()
    make_incident(other)

    found = {role: check("deploy", actor=crew[role].email, environment="prod")["decision"] for role in Role}
    assert found == {
        Role.COMMANDER: "deny",
        Role.API_LEAD: "allow",
        Role.INFRASTRUCTURE_LEAD: "allow",
        Role.DATA_EVIDENCE_LEAD: "allow",
        Role.SECURITY_LEAD: "allow",
        Role.COMMUNICATIONS_OWNER: "deny",
    }
    strangers = [crew.outsider.email, crew.deputy.email, other[Role.API_LEAD].email, "", "nobody@example.test"]
    assert {check("deploy", actor=email)["decision"] for email in strangers} == {"deny"}


def test_an_actor_is_known_whatever_the_case_of_the_address(check: Callable[..., Any], crew: Crew) -> None:
    make_incident(crew)

    assert check("deploy", actor=crew[Role.API_LEAD].email.upper())["decision"] == "allow"


def test_a_role_counts_for_deploys_once_it_is_accepted_and_until_it_ends(check: Callable[..., Any], crew: Crew) -> None:
    incident, lead = make_incident(crew, accepted=False), crew[Role.API_LEAD]
    before = check("deploy", actor=lead.email)["decision"]
    roles.accept(incident, Role.API_LEAD, by=lead)
    accepted = check("deploy", actor=lead.email)["decision"]
    roles.hand_over(incident, Role.API_LEAD, to=crew.deputy, by=lead, reason="Off shift")
    after = check("deploy", actor=lead.email)["decision"], check("deploy", actor=crew.deputy.email)["decision"]

    assert (before, accepted, after) == ("deny", "allow", ("deny", "deny"))


def test_an_inactive_rollback_owner_does_not_deploy(check: Callable[..., Any], crew: Crew) -> None:
    make_incident(crew)
    lead = crew[Role.API_LEAD]
    lead.is_active = False
    lead.save()

    assert check("deploy", actor=lead.email)["decision"] == "deny"


def test_stages_open_one_environment_after_the_other(check: Callable[..., Any], crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.UNFREEZING)
    asked = [
        ("merge", ""),
        ("claim", ""),
        ("promote", "dev"),
        ("promote", "dev->staging"),
        ("promote", "staging->prod"),
        ("promote", ""),
        ("deploy", "prod"),
    ]

    def opened() -> list[tuple[str, str]]:
        return [
            (operation, env) for operation, env in asked if check(operation, environment=env)["decision"] == "allow"
        ]

    assert opened() == [("merge", "")]
    lift(incident, crew, ["staging"])
    assert opened() == [("merge", ""), ("promote", "dev->staging")]
    lift(incident, crew, ["claims", "dev"])
    assert opened() == [("merge", ""), ("claim", ""), ("promote", "dev"), ("promote", "dev->staging")]
    lift(incident, crew, ["prod"])
    assert opened() == asked


def test_a_refreeze_denies_again_with_its_own_since(check: Callable[..., Any], crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.UNFREEZING)
    unfreeze.refreeze(incident, by=crew.commander, reason="Errors are back")

    answer = check("merge")
    assert answer["decision"] == "deny"
    assert answer["since"] > incident.declared_at.isoformat()


def test_an_environment_that_came_after_the_declaration_is_held(check: Callable[..., Any], crew: Crew) -> None:
    make_incident(crew)
    Environment.objects.create(product=crew.product, name="canary", position=9)

    assert check("promote", environment="canary")["decision"] == "deny"
    assert check("deploy", environment="canary")["decision"] == "deny"


def test_a_product_without_environments_is_held_as_a_whole(calling: Callable[..., Any]) -> None:
    product = ProductFactory(environments=[])
    product.environments.all().delete()
    crew = make_crew(product)
    make_incident(crew)

    answer = calling(crew.outsider).get(f"freeze/{product.slug}/check", operation="promote", environment="anywhere")
    assert answer.json()["decision"] == "deny"


def test_another_products_freeze_changes_nothing_here(check: Callable[..., Any]) -> None:
    make_incident(make_crew())

    assert check("merge")["decision"] == "allow"


def test_the_reason_holds_no_text_that_people_wrote(check: Callable[..., Any], crew: Crew) -> None:
    crew.commander.name = "Eve\n\x1b[31m"
    crew.commander.save()
    make_incident(crew, summary="<script>alert(1)</script>")

    reason = check("merge", subject="<img src=x>")["reason"]
    assert "script" not in reason
    assert "img" not in reason
    assert "\n" not in reason


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_check_is_one_statement(crew: Crew, calling: Callable[..., Any], operation: str) -> None:
    incident = make_incident(crew)
    allow(incident, crew, Measure.MERGES, "PR-12")
    pipeline = calling(crew.outsider)
    pipeline.get(f"freeze/{crew.product.slug}/check", operation=operation)  # notes when the token was last used

    for _ in range(3):
        with CaptureQueriesContext(connection) as queries:
            answer = pipeline.get(
                f"freeze/{crew.product.slug}/check",
                operation=operation,
                subject="PR-12",
                actor=crew[Role.API_LEAD].email,
                environment="prod",
            )
        assert answer.status_code == 200
        assert len(queries) == 1


def test_a_token_stops_working_with_the_next_request(crew: Crew, calling: Callable[..., Any]) -> None:
    pipeline = calling(crew.outsider)
    path = f"freeze/{crew.product.slug}/check"
    before = pipeline.get(path, operation="merge").status_code
    ApiToken.objects.filter(user=crew.outsider).update(revoked_at=clock.now())

    assert (before, pipeline.get(path, operation="merge").status_code) == (200, 401)
