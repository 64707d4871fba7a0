"""The rule of the freeze, by itself: every operation, held and lifted, with and without what lets it through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incidents.freeze_check import Decision, Facts, Operation, Question, decide
from incidents.terms import Level, Role

NOW = datetime(2026, 11, 24, 14, 30, tzinfo=UTC)
SINCE = NOW - timedelta(hours=1)


def facts(**changed: Any) -> Facts:
    given: dict[str, Any] = {
        "incident": "RB-2026-0007",
        "level": Level.L2,
        "level_name": "Code, config, schema and data",
        "commander": "Ada Lovelace",
        "drill": False,
        "held_since": SINCE,
        "allowed_labels": frozenset({"rollback", "incident"}),
        "allowed_roles": frozenset({Role.API_LEAD, Role.SECURITY_LEAD}),
    }
    return Facts(**{**given, **changed})


@pytest.mark.parametrize("operation", Operation)
def test_without_a_freeze_everything_goes_ahead(operation: Operation) -> None:
    assert decide(Question(operation), None, NOW) == Decision(True, "No freeze is active.")


@pytest.mark.parametrize(
    ("operation", "what"),
    [
        (Operation.MERGE, "Feature merges"),
        (Operation.CLAIM, "Bead claims"),
        (Operation.PROMOTE, "Environment promotions"),
        (Operation.DEPLOY, "Deployments"),
    ],
)
def test_a_denial_names_measure_reference_level_and_commander(operation: Operation, what: str) -> None:
    decided = decide(Question(operation, subject="<b>free text</b>"), facts(), NOW)

    assert decided == Decision(
        False, f"{what} are frozen by RB-2026-0007 (L2 Code, config, schema and data, Ada Lovelace).", SINCE
    )


def test_a_drill_says_so() -> None:
    decided = decide(Question(Operation.MERGE), facts(drill=True), NOW)

    assert "(drill, L2 Code, config, schema and data, Ada Lovelace)" in decided.reason


@pytest.mark.parametrize("operation", Operation)
def test_a_lifted_measure_goes_ahead(operation: Operation) -> None:
    decided = decide(Question(operation), facts(held_since=None), NOW)

    assert decided == Decision(True, f"{operation.measure.label} are lifted in RB-2026-0007.")


@pytest.mark.parametrize("operation", Operation)
def test_a_live_exception_lets_any_operation_through(operation: Operation) -> None:
    decided = decide(Question(operation), facts(exception=4, exception_until=NOW + timedelta(hours=1)), NOW)

    assert decided == Decision(
        True, "Exception 4 of RB-2026-0007 lets this through until 2026-11-24 15:30 UTC.", SINCE, 4
    )


def test_an_exception_ends_at_the_very_moment_it_expires() -> None:
    assert not decide(Question(Operation.MERGE), facts(exception=4, exception_until=NOW), NOW).allowed


@pytest.mark.parametrize(
    ("labels", "allowed"),
    [
        ((), False),
        (("feature",), False),
        (("rollback",), True),
        (("feature", "incident"), True),
        (("Rollback",), False),
    ],
)
def test_a_claim_needs_one_of_the_runbooks_labels(labels: tuple[str, ...], allowed: bool) -> None:
    assert decide(Question(Operation.CLAIM, labels=frozenset(labels)), facts(), NOW).allowed is allowed


@pytest.mark.parametrize(
    ("roles", "allowed"),
    [
        ((), False),
        ((Role.COMMANDER,), False),
        ((Role.COMMUNICATIONS_OWNER,), False),
        ((Role.API_LEAD,), True),
        ((Role.COMMANDER, Role.SECURITY_LEAD), True),
    ],
)
def test_a_deploy_needs_a_rollback_owner(roles: tuple[Role, ...], allowed: bool) -> None:
    assert decide(Question(Operation.DEPLOY), facts(actor_roles=frozenset(roles)), NOW).allowed is allowed


@pytest.mark.parametrize("operation", [Operation.MERGE, Operation.PROMOTE])
def test_neither_labels_nor_roles_open_merges_and_promotions(operation: Operation) -> None:
    question = Question(operation, labels=frozenset({"rollback"}))

    assert not decide(question, facts(actor_roles=frozenset({Role.API_LEAD})), NOW).allowed
