"""Everything that matters works in a browser that runs no script."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from incidents.api import inbound
from incidents.models import Attachment, Incident
from incidents.steps import suggest, unfreeze, verify
from incidents.terms import GateOutcome, Level, Phase, Role
from tests.e2e import acts
from tests.e2e.someone import Someone
from tests.factories import Crew, confirm_target, inform, make_incident, own_next_cycle, pass_gates
from tests.incidents.connectors.given import a_notification

pytestmark = pytest.mark.browser


@pytest.fixture
def plain(seated: Callable[..., Someone]) -> Callable[..., Someone]:
    """Somebody signed in whose browser runs no script."""

    def seat(user: Any, reference: str = "") -> Someone:
        person = seated(user, reference, java_script_enabled=False)
        person.page.set_content("<noscript>no script runs here</noscript>")
        assert person.page.get_by_text("no script runs here").is_visible()
        return person

    return seat


def test_declare_accept_and_confirm(crew: Crew, plain: Callable[..., Someone]) -> None:
    mara, priya = plain(crew.commander), plain(crew[Role.DATA_EVIDENCE_LEAD])

    reference = acts.declare(mara, trigger="Security or tenancy risk", summary="Lag", level=Level.L2.label)
    priya.reference = reference
    acts.accept_role(priya, "Data and Evidence Lead")
    acts.choose_target(mara, "Build", "1181", "Ran for a week")
    acts.confirm_aspect(priya, "Migration state", "Schema at 0411")

    incident = Incident.objects.get(reference=reference)
    assert (incident.product, incident.trigger, incident.level) == (crew.product, "security_risk", Level.L2)
    assert incident.freeze.measures.filter(in_force=False).count() == 0
    assert incident.memberships.get(user=priya.user).is_accepted
    assert incident.targets.get().confirmations.get().note == "Schema at 0411"


def test_a_suggestion_is_declared_for(crew: Crew, plain: Callable[..., Someone]) -> None:
    told = inbound.of_alertmanager(a_notification())
    suggestion = suggest.receive(told, crew.product, by=crew.outsider, token="Alertmanager")
    assert suggestion
    mara = plain(crew.commander)

    page = mara.page
    page.goto("/")
    page.get_by_role("link", name="Look at it").click()
    page.get_by_role("link", name="Declare rollback mode for it").click()
    page.get_by_label(Level.L2.label).check()
    page.get_by_role("main").get_by_role("button", name="Declare rollback mode").click()

    suggestion.refresh_from_db()
    assert suggestion.incident
    assert page.url.endswith(suggestion.incident.get_absolute_url())
    assert (suggestion.incident.summary, suggestion.incident.level) == (suggestion.title, Level.L2)


def test_an_area_is_completed_with_ticks_and_files_in_one_form(crew: Crew, plain: Callable[..., Someone]) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    area = incident.book.cleanup[0]
    owner = plain(crew[area.owner], incident.reference)

    acts.clean_up(owner, area)

    assert "Complete" in owner.open("cleanup/data/").locator("#fact").inner_text()
    names = {f"{wanted.key}.log" for wanted in area.evidence}
    stored = Attachment.objects.filter(incident=incident)
    assert set(stored.values_list("name", flat=True)) == names
    assert set(stored.values_list("sha256", flat=True)) == {hashlib.sha256(acts.LOG["buffer"]).hexdigest()}


def test_lifting_is_refused_with_the_reasons_that_the_step_gives(crew: Crew, plain: Callable[..., Someone]) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)
    pass_gates(incident, crew)
    own_next_cycle(incident, crew)
    inform(incident, crew)
    mara = plain(crew.commander, incident.reference)
    mara.open("unfreeze/")
    verify.record_by_hand(incident.gates.get(key="ci"), outcome=GateOutcome.FAIL, note="Red", by=crew[Role.API_LEAD])

    mara.send("Lift Feature merges")

    incident.refresh_from_db()
    assert mara.refusals() == missing(incident) != []
    assert mara.page.get_by_role("button", name="Lift Feature merges").is_disabled()
    assert incident.phase == Phase.VERIFYING


def test_what_blocks_a_lift_is_listed_beside_the_closed_act(crew: Crew, plain: Callable[..., Someone]) -> None:
    incident = make_incident(crew)
    confirm_target(incident, crew)
    mara = plain(crew.commander, incident.reference)

    page = mara.open("unfreeze/")

    said = mara.text()
    assert page.get_by_role("button", name="Lift Feature merges").is_disabled()
    assert len(missing(incident)) > 8
    assert [reason for reason in missing(incident) if reason not in said] == []


def missing(incident: Incident) -> list[str]:
    """What the step refuses a lift with."""
    return [sentence for condition in unfreeze.preconditions(incident) for sentence in condition.missing]
