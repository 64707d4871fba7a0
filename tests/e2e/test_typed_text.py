"""What somebody typed in a hurry is not lost: not by a refusal, a lost session, or a closed tab."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from incidents.models import Incident
from incidents.terms import Level, Phase, Role
from tests.e2e.someone import PASSWORD, Someone
from tests.factories import Crew, make_incident

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
SUMMARY = "Projection lag since 13:02, writers “stuck” at entry 48211 & growing"


def type_declaration(person: Someone) -> Page:
    person.page.goto("/declare/")
    fill_in(person.page)
    return person.page


def fill_in(page: Page) -> None:
    page.get_by_role("radio", name="Evidence chain uncertain").check()
    page.get_by_label("What is failing, in a sentence").fill(SUMMARY)
    page.get_by_role("radio", name=Level.L3.label).check()
    page.get_by_role("radio", name="Drill").check()


def expect_as_typed(page: Page) -> None:
    expect(page.get_by_label("What is failing, in a sentence")).to_have_value(SUMMARY)
    for choice in ("Evidence chain uncertain", Level.L3.label, "Drill"):
        expect(page.get_by_role("radio", name=choice)).to_be_checked()


def test_a_refusal_keeps_what_was_typed_and_leads_to_the_incident_that_holds_the_freeze(
    crew: Crew, seated: Callable[..., Someone]
) -> None:
    mara = seated(crew.deputy)
    page = type_declaration(mara)
    first = make_incident(crew)

    mara.send("Declare rollback mode")

    assert any(first.reference in sentence for sentence in mara.refusals())
    expect_as_typed(page)
    page.get_by_role("link", name=f"Open {first.reference}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(first.summary)
    assert Incident.objects.count() == 1


def test_a_lost_session_keeps_what_was_typed_until_it_was_sent(crew: Crew, seated: Callable[..., Someone]) -> None:
    mara = seated(crew.commander)
    page = type_declaration(mara)
    Session.objects.all().delete()

    mara.send("Declare rollback mode")
    page.get_by_label("Email").fill(crew.commander.email)
    page.get_by_label("Password").fill(PASSWORD)
    mara.press("Sign in")

    expect(page).to_have_url(re.compile("/declare/$"))
    expect_as_typed(page)
    expect(page.get_by_text("What you typed at")).to_be_visible()
    mara.press("Declare rollback mode")
    incident = Incident.objects.get()
    assert (incident.summary, incident.drill, incident.phase) == (SUMMARY, True, Phase.DECLARED)
    page.goto("/declare/")
    expect(page.get_by_label("What is failing, in a sentence")).to_have_value("")


def test_a_reload_keeps_what_was_typed_and_can_discard_it(crew: Crew, seated: Callable[..., Someone]) -> None:
    mara = seated(crew.commander)
    page = type_declaration(mara)

    page.reload()
    expect_as_typed(page)
    page.get_by_role("button", name="Discard it").click()

    expect(page.get_by_label("What is failing, in a sentence")).to_have_value("")
    page.reload()
    expect(page.get_by_label("What is failing, in a sentence")).to_have_value("")


def test_more_than_is_read_leads_back_to_the_form_with_a_sentence(crew: Crew, seated: Callable[..., Someone]) -> None:
    mara = seated(crew.commander)
    page = type_declaration(mara)
    field = page.get_by_label("What is failing, in a sentence")
    field.evaluate("field => { field.removeAttribute('maxlength'); field.value = 'x'.repeat(10_000_000) }")

    mara.send("Declare rollback mode")

    expect(page).to_have_url(re.compile("/declare/$"))
    assert ["nothing was changed" in sentence for sentence in mara.refusals()] == [True]
    expect(page.get_by_role("radio", name="Evidence chain uncertain")).to_be_checked()
    assert not Incident.objects.exists()


def test_what_one_person_typed_is_not_shown_to_the_next_at_the_same_device(
    crew: Crew, seated: Callable[..., Someone]
) -> None:
    mara = seated(crew.commander)
    page = type_declaration(mara)
    page.get_by_role("group").filter(has_text="Signed in as").locator("summary").click()
    mara.press("Sign out")

    page.get_by_label("Email").fill(crew[Role.API_LEAD].email)
    page.get_by_label("Password").fill(PASSWORD)
    mara.press("Sign in")
    page.goto("/declare/")

    expect(page.get_by_label("What is failing, in a sentence")).to_have_value("")
