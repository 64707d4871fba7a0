"""The page of an action that runs outside: where it runs, how it goes, what it has printed."""

from __future__ import annotations

from typing import Any

import pytest

from incidents.models import Connector, Wiring
from incidents.steps import attempts, following, rollback
from incidents.terms import Phase, Role
from tests.factories import make_crew, make_incident
from tests.incidents.views.pages import at, text_of

pytestmark = pytest.mark.django_db
KEY = "3e-revoke"
LINK = "https://github.test/acme/app/actions/runs/9000"


def running(ref: str) -> Any:
    crew = make_crew()
    connector = Connector.objects.create(name="GitHub", kind="github", config={})
    Wiring.objects.create(product=crew.product, key=KEY, connector=connector)
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = incident.actions.get(key=KEY)
    rollback.approve(action, by=crew.commander)
    attempt = rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])
    claimed = attempts.claim(attempt.pk, "worker")
    assert claimed
    started = attempts.start(claimed)
    assert started
    seen = following.Seen("Run 9000 is queued.", {"id": "9000"}, ref, "roll-back: in_progress", 0)
    assert following.begin(started, seen, {"status": 200})
    return at(incident, crew.commander).open("action", KEY)


def test_it_leads_to_the_run_and_shows_how_it_goes() -> None:
    page = running(LINK)

    assert f'<a href="{LINK}" rel="noopener noreferrer">{LINK}</a>'.encode() in page.content
    assert b'hx-trigger="every 2s"' in page.content
    assert "Run 9000 is queued." in text_of(page)
    assert "roll-back: in_progress" in text_of(page)


@pytest.mark.parametrize("ref", ["javascript:alert(1)", "http://plain.test/", 'https://x.test/"><script>', "job 500"])
def test_what_an_outside_system_calls_its_run_is_no_way_into_the_page(ref: str) -> None:
    page = running(ref)

    assert b"<script>" not in page.content
    assert b'href="javascript' not in page.content
    assert b'href="http://plain' not in page.content
    assert ref in text_of(page)
