"""One incident of the third level from target to closed, each act at its page by the person whose act it is."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from incidents.evidence import log
from incidents.models import Incident
from incidents.steps import target
from incidents.terms import Aspect, Level, Phase, Role
from tests.factories import Crew, inform, make_crew, make_incident
from tests.incidents.views.pages import Visitor, at, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def test_a_whole_incident_is_led_through_its_pages(crew: Crew) -> None:
    incident = make_incident(crew, level=Level.L3)
    commander = at(incident, crew.commander)

    done(commander, "target", kind="commit", identifier="dbe79f1", reason="Last green build")
    for aspect in Aspect:
        lead = at(incident, crew[target.owner_of(incident, aspect)])
        done(lead, "confirm_target", aspect.value, note=f"{aspect.label} looked at")
    done(commander, "make_plan")
    for action in incident.actions.all():
        roll_back(incident, crew, action)
    for area in incident.book.cleanup:
        clean_up(incident, crew, area)
    done(commander, "begin_verification")
    for gate in incident.gates.all():
        lead = at(incident, crew[Role(gate.owner)])
        done(lead, "record_gate", gate.key, outcome="pass", note="Ran it on dbe79f1", text="exit 0")
    for role in (Role.API_LEAD, Role.INFRASTRUCTURE_LEAD, Role.DATA_EVIDENCE_LEAD, Role.SECURITY_LEAD):
        done(commander, "name_owner", role.value, person=crew[role].pk)
        done(at(incident, crew[role]), "accept_ownership", role.value)
    inform(incident, crew)
    for stage in ("merges", "claims", "dev", "staging", "prod"):
        done(commander, "lift", stage)
    done(commander, "write_summary", what_happened="A gap", root_cause="Migration 0412", impact="None seen")
    done(
        at(incident, crew[Role.API_LEAD]),
        "add_follow_up",
        title="Guard it",
        owner="API Lead",
        priority="P1",
        due_on="2099-01-15",
        acceptance="CI refuses it",
    )
    done(at(incident, crew[Role.SECURITY_LEAD]), "add_safeguard", gap="No check", change="Linter added")
    done(commander, "close")

    incident.refresh_from_db()
    verdict = log.verify(incident.chain)
    assert (incident.phase, verdict.is_intact, verdict.reason) == (Phase.CLOSED, True, "")
    assert "Closed" in text_of(commander.open("deliver"))


def roll_back(incident: Incident, crew: Crew, action: Any) -> None:
    """At the third level every action is approved by somebody else, then begun and recorded by its owner."""
    second, owner = at(incident, crew.commander), at(incident, crew[Role(action.owner)])
    done(second, "approve_action", action.key, digest=second.open("action", action.key).context["digest"])
    done(owner, "dispatch_action", action.key)
    done(owner, "complete_action", action.key, succeeded="yes", result="Done and looked at", text="exit 0")


def clean_up(incident: Incident, crew: Crew, area: Any) -> None:
    """One form for the whole area: every tick, and a file for each piece of evidence."""
    files = {f"{wanted.key}-file": SimpleUploadedFile(f"{wanted.key}.log", b"fine") for wanted in area.evidence}
    ticks = [item.key for item in area.items]
    done(at(incident, crew[area.owner]), "cleanup_area", area.key, items=ticks, note="Looked at each", **files)


def done(visitor: Visitor, page: str, *args: Any, **given: Any) -> None:
    """Send a form that has to be taken: it leads on, and the log is longer."""
    before = visitor.incident.chain.entries.count()
    response = visitor.send(page, *args, **given)
    assert (response.status_code, visitor.incident.chain.entries.count() > before) == (302, True), (page, args)
