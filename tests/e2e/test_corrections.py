"""A slip in the log is put right in a browser, with scripts and without, and the log is read as it was known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from incidents import clock
from incidents.evidence import log
from incidents.models import Incident
from incidents.steps import declare
from incidents.terms import Role
from tests.e2e.someone import Someone
from tests.factories import Crew, make_incident

pytestmark = pytest.mark.browser


@pytest.fixture
def incident(crew: Crew) -> Incident:
    incident = make_incident(crew)
    declare.add_note(incident, by=crew[Role.API_LEAD], text="Lag is bakc")
    return incident


@pytest.mark.parametrize("scripts", [True, False])
def test_a_note_is_put_right_from_the_log(
    crew: Crew, incident: Incident, seated: Callable[..., Someone], scripts: bool
) -> None:
    mara = seated(crew.commander, incident.reference, java_script_enabled=scripts)
    page = mara.open("evidence/")
    line = page.locator("#entry-7")
    line.locator("summary").click()
    with page.expect_navigation():
        line.get_by_role("link", name="Correct").click()
    earlier = f"{clock.now() - timedelta(minutes=9):%Y-%m-%dT%H:%M}"

    page.get_by_label("What it should say").fill("Lag is back")
    page.get_by_label("When it happened").fill(earlier)
    page.get_by_label("Why").fill("Typing error")
    mara.press("Correct entry 7")

    expect(page.get_by_text("Entry 7 is corrected by entry 8.")).to_be_visible()
    expect(page.locator("#entry-7 > div > p")).to_have_text("Lag is back")
    page.locator("#entry-7 summary").click()
    expect(page.locator("#entry-7 del").first).to_have_text("Lag is bakc")
    assert log.verify(incident.chain).is_intact


def test_what_was_typed_outlives_a_refusal_and_a_reload(
    crew: Crew, incident: Incident, seated: Callable[..., Someone]
) -> None:
    mara = seated(crew.commander, incident.reference)
    page = mara.open("evidence/7/correct/")
    page.get_by_label("What it should say").fill("Lag is back")
    page.get_by_label("When it happened").fill("2999-01-01T00:00")
    page.get_by_label("Why").fill("Typing error")

    mara.send("Correct entry 7")

    assert [refusal for refusal in mara.refusals() if "is still to come" in refusal]
    mara.open("evidence/7/correct/")
    expect(page.get_by_label("What it should say")).to_have_value("Lag is back")
    expect(page.get_by_label("Why")).to_have_value("Typing error")


def test_the_log_is_read_as_it_was_known(crew: Crew, incident: Incident, seated: Callable[..., Someone]) -> None:
    mara = seated(crew.commander, incident.reference, java_script_enabled=False)
    page = mara.open("evidence/?show=notes")
    known = clock.stamp(incident.declared_at)

    page.get_by_label("As known at").fill(known)
    mara.press("Show")

    said = mara.text()
    assert "Nothing of this kind was on record at that moment." in said
    assert "6 entries were recorded since" in said
    assert f"known={known.replace(':', '%3A')}" in page.url
    page.get_by_label("As known at").fill("half past two")
    mara.press("Show")
    assert "“half past two” is no time: write 14:30 or 2026-11-24 14:30, in UTC." in mara.text()
    expect(page.get_by_label("As known at")).to_have_value("half past two")
    expect(page.locator("#entry-7")).to_be_visible()
