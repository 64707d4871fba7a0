"""The checklist by its endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from incidents.terms import Level, Phase
from tests.factories import Crew, make_incident
from tests.incidents.api.calling import confirm

pytestmark = pytest.mark.django_db


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
