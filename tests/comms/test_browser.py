"""Updates and report in a real browser: they fit a phone, have one primary act, and are sent with two taps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from comms.models import Notice
from comms.reports import queue
from incidents.terms import Level, NoticeKind, Phase, Role
from tests.comms.world import arrive, issue, told_crew
from tests.factories import make_incident
from tests.servers.portal import Process

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_fit_and_have_one_primary_act(open_page: Callable[..., Page], served: Process, width: int) -> None:
    crew = told_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    notice = issue(incident, crew, NoticeKind.A)
    arrive(notice)
    missed = notice.deliveries.first()
    notice.deliveries.filter(pk=missed.pk).update(
        state="failed", answer="550 5.1.1 " + "no.such.person@example.test " * 3
    )
    queue.ask(incident.pk)
    page = open_page(crew[Role.COMMUNICATIONS_OWNER], width=width)

    for path, primary in (("notices/", 1), (f"notices/{notice.pk}/", 0), ("report/", 0)):
        page.goto(f"{served.url}/incidents/{incident.reference}/{path}")

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("main .act.primary:visible").count() == primary


def test_a_missed_copy_leads_from_any_page_to_its_corrected_address(
    open_page: Callable[..., Page], served: Process
) -> None:
    crew = told_crew()
    notice = issue(make_incident(crew), crew, NoticeKind.A)
    arrive(notice)
    notice.deliveries.filter(name="Reader 1").update(state="failed", answer="550 5.1.1 no such person")
    page = open_page(crew[Role.COMMUNICATIONS_OWNER], width=390)
    page.goto(f"{served.url}/runbook/")

    page.get_by_role("link", name="Send again").click()
    page.get_by_label("Address of Reader 1").fill("operations@example.test")
    page.get_by_role("button", name="Send again to Reader 1").click()

    page.get_by_text("The copy for Reader 1 goes out again, to operations@example.test.").wait_for()
    assert page.get_by_role("link", name="Send again").count() == 0
    assert notice.deliveries.filter(email="operations@example.test").count() == 1


def test_an_update_is_previewed_and_sent(open_page: Callable[..., Page], served: Process) -> None:
    crew = told_crew()
    incident = make_incident(crew)
    page = open_page(crew[Role.COMMUNICATIONS_OWNER], width=390)
    page.goto(f"{served.url}/incidents/{incident.reference}/notices/")
    page.get_by_label("Text").first.fill("We roll back build 1182.")

    page.get_by_role("button", name="Preview").first.click()
    page.get_by_text("This is how it will arrive.").wait_for()
    assert not Notice.objects.exists()
    page.get_by_role("button", name="Send to 2 recipients").first.click()
    page.get_by_text("Update A is on its way.").wait_for()

    assert Notice.objects.get().body.startswith("We roll back build 1182.\n")
