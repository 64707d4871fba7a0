"""The state of a freeze, as a pipeline's dashboard reads it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from incidents import clock
from incidents.models import Environment
from incidents.steps import freeze
from incidents.terms import Level, Measure, Phase, Role
from tests.factories import Crew, lift, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture
def state(crew: Crew, calling: Callable[..., Any]) -> Callable[[], dict[str, Any]]:
    def read() -> dict[str, Any]:
        answer = calling(crew.outsider, scopes=("check",)).get(f"freeze/{crew.product.slug}")
        assert answer.status_code == 200, answer.content
        return answer.json()

    return read


def test_without_a_freeze_nothing_is_in_force(state: Callable[[], Any], crew: Crew) -> None:
    found = state()

    del found["checked_at"]
    assert found == {
        "product": crew.product.slug,
        "frozen": False,
        "incident": None,
        "drill": False,
        "scope_level": None,
        "scope_level_name": None,
        "commander": None,
        "since": None,
        "measures": [
            {"measure": measure, "in_force": False, "since": None}
            for measure in ("merges", "claims", "promotions", "deploys")
        ],
        "promotions": [
            {"from": None, "to": "dev", "in_force": False, "since": None},
            {"from": "dev", "to": "staging", "in_force": False, "since": None},
            {"from": "staging", "to": "prod", "in_force": False, "since": None},
        ],
        "deploys": [{"environment": name, "in_force": False, "since": None} for name in ("dev", "staging", "prod")],
        "exceptions": 0,
    }


def test_a_declared_freeze_holds_every_measure_from_its_declaration_on(state: Callable[[], Any], crew: Crew) -> None:
    incident = make_incident(crew, level=Level.L2, drill=True)
    since = incident.declared_at.isoformat().replace("+00:00", "Z")

    found = state()

    del found["checked_at"]
    assert found == {
        "product": crew.product.slug,
        "frozen": True,
        "incident": incident.reference,
        "drill": True,
        "scope_level": "L2",
        "scope_level_name": "Code, config, schema and data",
        "commander": crew.commander.name,
        "since": since,
        "measures": [
            {"measure": measure, "in_force": True, "since": since}
            for measure in ("merges", "claims", "promotions", "deploys")
        ],
        "promotions": [
            {"from": None, "to": "dev", "in_force": True, "since": since},
            {"from": "dev", "to": "staging", "in_force": True, "since": since},
            {"from": "staging", "to": "prod", "in_force": True, "since": since},
        ],
        "deploys": [{"environment": name, "in_force": True, "since": since} for name in ("dev", "staging", "prod")],
        "exceptions": 0,
    }


def test_lifted_stages_are_told_by_environment_pair(state: Callable[[], Any], crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.UNFREEZING)
    lift(incident, crew, ["staging"])

    found = state()

    assert {row["measure"]: row["in_force"] for row in found["measures"]} == {
        "merges": False,
        "claims": True,
        "promotions": True,
        "deploys": True,
    }
    assert [(row["from"], row["to"], row["in_force"]) for row in found["promotions"]] == [
        (None, "dev", True),
        ("dev", "staging", False),
        ("staging", "prod", True),
    ]


def test_only_live_exceptions_are_counted(state: Callable[[], Any], crew: Crew) -> None:
    incident = make_incident(crew)
    for subject in ("PR-1", "PR-2"):
        freeze.allow_exception(
            incident,
            measure=Measure.MERGES,
            subject=subject,
            reason="The fix",
            expires_at=clock.now() + timedelta(hours=1),
            by=crew.commander,
            second=crew[Role.API_LEAD],
        )
    freeze.revoke_exception(incident, incident.freeze.exceptions.first(), by=crew.commander, reason="Merged")

    assert state()["exceptions"] == 1


def test_an_environment_that_came_later_is_told_as_held(state: Callable[[], Any], crew: Crew) -> None:
    make_incident(crew)
    Environment.objects.create(product=crew.product, name="canary", position=9)

    last = state()["promotions"][-1]
    assert (last["from"], last["to"], last["in_force"]) == ("prod", "canary", True)


def test_a_product_with_no_environments_still_tells_its_measures(crew: Crew, state: Callable[[], Any]) -> None:
    crew.product.environments.all().delete()
    make_incident(crew)

    found = state()
    assert [row["in_force"] for row in found["measures"]] == [True] * 4
    assert (found["promotions"], found["deploys"]) == ([], [])


def test_parameters_are_refused(crew: Crew, calling: Callable[..., Any]) -> None:
    assert calling(crew.outsider).get(f"freeze/{crew.product.slug}", enforce="1").status_code == 422
