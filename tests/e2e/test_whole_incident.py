"""The key path: six people take one L3 incident from the declaration to its PDF, each in a browser of their own."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from playwright.sync_api import expect

from incidents.models import Connector, Incident, Wiring
from incidents.steps import target, unfreeze
from incidents.terms import Aspect, ConnectorKind, Kind, Level, Phase, Role
from portal.demo import outside
from tests.comms.reports.reading import text_of
from tests.e2e import acts
from tests.e2e.conftest import STAKEHOLDERS
from tests.factories import Crew

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
ROOT_CAUSE = "The column drop shipped one release before its last reader was removed"
LEADS = (Role.API_LEAD, Role.INFRASTRUCTURE_LEAD, Role.DATA_EVIDENCE_LEAD, Role.SECURITY_LEAD)


@pytest.fixture
def wired(crew: Crew, served: Any, start_worker: Any, smtp_sink: Any) -> None:
    """A worker that may run the demo's redeploy command and ask the portal's own health."""
    portal = served.url.removeprefix("http://")
    start_worker(**outside.settings(portal, portal, outside.new_secret()))
    for key, kind, config in (
        ("3a-redeploy", ConnectorKind.COMMAND, {"command": outside.COMMAND}),
        ("health", ConnectorKind.PROBE, {"url": f"{served.url}/healthz"}),
    ):
        connector = Connector.objects.create(name=f"{key} connector", kind=kind, config=config, deadline_seconds=30)
        Wiring.objects.create(product=crew.product, key=key, connector=connector)


def test_six_people_take_an_incident_from_declared_to_closed_with_its_report(
    crew: Crew, company: Any, wired: None, smtp_sink: Any
) -> None:
    mara, aiko = company[Role.COMMANDER], company[Role.COMMUNICATIONS_OWNER]

    reference = acts.declare(
        mara, trigger="Evidence chain uncertain", summary="Hash-chain gap after 0412", level=Level.L3.label
    )
    incident = Incident.objects.get(reference=reference)
    for person in company.values():
        person.reference = reference
    for role in Role:
        if role != Role.COMMANDER:
            acts.accept_role(company[role], role.label)
    acts.send_update(aiko, "A")
    find_target(incident, company)
    roll_back(incident, company)
    acts.send_update(aiko, "B")
    for area in incident.book.cleanup:
        acts.clean_up(company[area.owner], area)
    run_gates(incident, company)
    for role in LEADS:
        acts.name_owner(mara, company[role], role.label)
    acts.send_update(aiko, "C")
    open_again(incident, mara)
    acts.deliver(mara, ROOT_CAUSE)
    mara.press("Close the incident")
    pdf = acts.take_report(mara)

    incident.refresh_from_db()
    assert incident.phase == Phase.CLOSED
    said = text_of(pdf)
    assert [word for word in (reference, ROOT_CAUSE, "dbe79f1", *names(crew)) if word not in said] == []
    copies = Counter((mail["Delivered-To"], mail["Subject"]) for mail in smtp_sink.messages)
    told = [subject for recipient, subject in copies if recipient in STAKEHOLDERS]
    assert (len(told), set(copies.values())) == (6, {1})


def find_target(incident: Incident, company: Any) -> None:
    acts.choose_target(company[Role.COMMANDER], "Commit", "dbe79f1", "Green in prod for six days")
    for aspect in Aspect:
        owner = target.owner_of(incident, aspect)
        acts.confirm_aspect(company[owner], aspect.label, f"{aspect.label} looked at")


def roll_back(incident: Incident, company: Any) -> None:
    """Every action is approved by a second person and started by its owner; one of them runs in the worker."""
    mara = company[Role.COMMANDER]
    mara.open("rollback/")
    mara.press("Make the plan")
    for action in incident.actions.order_by("stage", "key"):
        acts.approve(mara, action.key)
        if action.connector_id:
            acts.run_by_connector(company[action.owner], action.key)
        else:
            acts.run_by_hand(company[action.owner], action.key, "Done and looked at")
    expect(mara.open("rollback/").locator("#fact")).to_contain_text("13 of 13 actions settled")


def run_gates(incident: Incident, company: Any) -> None:
    mara = company[Role.COMMANDER]
    mara.open("verify/")
    mara.press("Begin verification")
    acts.record_gate(company[Role.API_LEAD], "ci", "Fail", "ci:gates: hash_mismatch package.json")
    acts.carry_baseline(mara, company[Role.SECURITY_LEAD], "ci")
    acts.run_gate(company[Role.INFRASTRUCTURE_LEAD], "health")
    acts.record_gate(company[Role.API_LEAD], "smoke", "Pass", "Twelve workflows ran through")
    acts.record_gate(company[Role.DATA_EVIDENCE_LEAD], "evidence", "Pass", "Entries arrive and link")
    expect(mara.open("verify/").locator("#fact")).to_contain_text("4 of 4 gates are clear")


def open_again(incident: Incident, commander: Any) -> None:
    for stage in unfreeze.stages(incident):
        commander.open("unfreeze/")
        commander.press(f"Lift {stage.name}")
    assert incident.chain.entries.filter(kind=Kind.LIFTED).count() == len(unfreeze.stages(incident))


def names(crew: Crew) -> list[str]:
    return [person.name for person in crew.people.values()]
