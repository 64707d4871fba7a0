"""A foreign log checked, kept and marked by a person whose browser runs no scripts; and the same pages read aloud."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from incidents.evidence.foreign import Code, check
from incidents.models import Incident
from incidents.terms import Level, Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.evidence.foreign.writing import v1

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Any]


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def incident(crew: Crew) -> Incident:
    return make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)


def test_a_log_is_kept_and_marked_without_javascript(
    crew: Crew, incident: Incident, open_page: OpenPage, tmp_path: Path
) -> None:
    log = tmp_path / "workspace.jsonl"
    log.write_text("\n".join(map(json.dumps, v1(6))))
    page = open_page(crew[Role.DATA_EVIDENCE_LEAD], java_script_enabled=False)

    page.goto(f"{incident.get_absolute_url()}cleanup/evidence/")
    page.get_by_role("link", name="Check a foreign log").click()
    page.set_input_files("input[name=file]", str(log))
    page.get_by_role("button", name="Verify and keep").click()
    assert "This log is whole and unchanged." in page.content()
    page.get_by_role("link", name="Mark what is affected").click()
    page.check("input[name=found_runs][value=run-1]")
    page.get_by_role("button", name="Make manifest and entry").click()

    with page.expect_download() as download:
        page.get_by_role("link", name="The entry").click()
    with log.open("ab") as appended:
        appended.write(b"\n" + Path(download.value.path()).read_bytes())
    with log.open("rb") as whole:
        found = check(whole)
    assert (found.code, found.entries) == (Code.INTACT, 7)
    assert incident.exhibits.count() == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_bad_verdict_can_be_read_aloud(
    crew: Crew, incident: Incident, open_page: OpenPage, tmp_path: Path, scheme: str
) -> None:
    entries = v1(6)
    entries[1] |= {"summary": "Other"}
    del entries[3]
    log = tmp_path / "workspace.json"
    log.write_text(json.dumps(entries))
    page = open_page(crew.commander, scheme=scheme, bypass_csp=True, width=390)
    page.goto(f"{incident.get_absolute_url()}foreign/")

    page.set_input_files("input[name=file]", str(log))
    page.get_by_role("button", name="Only look").click()
    page.get_by_text("Nothing was kept.").wait_for()
    looked = faults(page)
    page.set_input_files("input[name=file]", str(log))
    page.get_by_role("button", name="Verify and keep").click()
    page.get_by_text("Kept as evidence").first.wait_for()
    page.reload()

    assert (looked, faults(page)) == ([], [])


def faults(page: Any) -> list[Any]:
    """What axe finds, and whether the page is wider than the phone."""
    found = [(violation["id"], violation["nodes"][0]["html"]) for violation in Axe().run(page).response["violations"]]
    return found + ["too wide"] * (page.locator("html").evaluate("html => html.scrollWidth") > 390)
