"""The war room: one incident on one screen, also without JavaScript."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from incidents.models import Action, Incident
from incidents.steps import declare, four_eyes, roles
from incidents.terms import Act, ActionState, Level, Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import at, text_of

pytestmark = pytest.mark.django_db

LIVE = ("room-head", "room-rail", "room-blockers", "room-now", "room-work", "room-log")


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def part(response: Any, name: str) -> str:
    """The markup of one part of the room, up to the next one."""
    seen = response.content.decode()
    return seen.split(f'id="{name}"', 1)[1].split("</section>", 1)[0]


class Typed(HTMLParser):
    """Which replaced parts each field that is typed into stands in."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fields: dict[str, set[str]] = {}

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        if tag == "textarea" or (tag == "input" and given.get("type") != "hidden"):
            self.fields.setdefault(given["name"], set()).update(name for name in self.open if name in LIVE)
        if tag not in ("input", "meta", "link", "br", "img"):
            self.open.append(given.get("id") or "")

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()


def typed_into(markup: str) -> dict[str, set[str]]:
    parser = Typed()
    parser.feed(markup)
    return parser.fields


def test_it_says_what_is_frozen_since_when_at_which_level_and_who_leads(crew: Crew) -> None:
    incident = make_incident(crew, level=Level.L3, summary="Hash-chain gap")

    seen = text_of(at(incident, crew.commander).open("war_room"))

    assert "Hash-chain gap" in seen
    assert "L3 Code, data, evidence and credentials" in seen
    assert f"led by {crew.commander}" in seen
    assert f"Freeze since {incident.freeze.since:%H:%M} UTC" in seen


def test_the_target_stands_with_its_three_confirmations(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.TARGETED)

    seen = part(at(incident, crew.commander).open("war_room"), "target")

    assert "dbe79f1" in seen
    assert seen.count('class="ok"') == 3


def test_actions_stand_by_owner_with_their_state(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    Action.objects.filter(incident=incident, key="3b-drift").update(state=ActionState.FAILED)

    seen = part(at(incident, crew.commander).open("war_room"), "lane-infrastructure_lead")

    assert re.search(r'class="bad".*?3b Revert platform and config drift.*?failed', seen, re.DOTALL)


def test_every_blocker_is_one_tap_from_its_remedy(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    visitor = at(incident, crew.commander)
    shown = visitor.open("war_room").context["shown"]
    every = [*shown.first, *(b for _, found in shown.rest for b in found)]

    for blocker in every:
        assert visitor.client.get(blocker.url.split("#")[0]).status_code == 200, blocker


def test_blockers_come_before_the_next_update_and_that_before_the_rest(crew: Crew) -> None:
    """The order of the phone is the order of the markup."""
    seen = at(make_incident(crew), crew.commander).open("war_room").content.decode()

    places = [seen.index(f'id="{name}"') for name in ("blockers", "next-update", "target", "roles", "timeline")]
    assert places == sorted(places)


def test_a_role_that_is_mine_to_accept_is_one_tap(crew: Crew) -> None:
    incident = make_incident(crew, accepted=False)
    lead = at(incident, crew[Role.API_LEAD])

    assert "You are asked to be the API Lead." in text_of(lead.open("war_room"))
    response = lead.send("roles", act="accept", role="api_lead", from_war_room="1")

    assert response.url == lead.url("war_room")
    assert roles.holder(incident, Role.API_LEAD).is_accepted


def test_a_proposal_waits_with_confirm_and_decline_for_those_who_may(crew: Crew) -> None:
    incident = make_incident(crew)
    four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="A broken probe")

    lead, commander, outsider_of_it = (
        at(incident, person).open("war_room")
        for person in (crew[Role.API_LEAD], crew.commander, crew[Role.COMMUNICATIONS_OWNER])
    )

    assert 'value="confirm"' in part(lead, "proposals")
    assert "You proposed this yourself: another person confirms it." in text_of(commander)
    assert "Withdraw it" in text_of(commander)
    assert "The commander or a lead of this incident confirms it." in text_of(outsider_of_it)


def test_the_timeline_shows_the_last_entries_and_the_head_of_the_chain(crew: Crew) -> None:
    incident = make_incident(crew)
    declare.add_note(incident, by=crew.commander, text="Lag is <b>back</b> in `runs_view`")
    incident.refresh_from_db()

    seen = part(at(incident, crew.commander).open("war_room"), "timeline")

    assert "Lag is &lt;b&gt;back&lt;/b&gt; in <code>runs_view</code>" in seen
    assert f"entry {incident.chain.seq}" in seen
    assert incident.chain.hash in seen


def test_the_timeline_can_show_one_group_alone(crew: Crew) -> None:
    incident = make_incident(crew)
    declare.add_note(incident, by=crew.commander, text="Seen in the logs")

    seen = part(at(incident, crew.commander).open("war_room", query_params={"show": "notes"}), "timeline")

    assert "Seen in the logs" in seen
    assert "Rollback mode declared" not in seen


def test_an_ended_incident_shows_outcome_deliverables_and_report_in_place_of_blockers(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.CLOSED)

    response = at(incident, crew.commander).open("war_room")

    seen = text_of(response)
    assert "Outcome" in seen
    assert "Recovered" in seen
    assert "Incident summary with root cause and timeline." in seen
    assert f'href="/incidents/{incident.reference}/report/"' in response.content.decode()
    assert "What blocks unfreeze" not in seen


def test_a_false_alarm_shows_that_it_was_stood_down(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.STOOD_DOWN)

    assert "Stood down after" in text_of(at(incident, crew.commander).open("war_room"))


def test_a_drill_is_marked_on_its_page(crew: Crew) -> None:
    seen = at(make_incident(crew, drill=True), crew.commander).open("war_room").content.decode()

    assert 'class="banner drill"' in seen


def test_htmx_gets_the_room_alone_and_the_same(crew: Crew) -> None:
    incident = make_incident(crew)
    visitor = at(incident, crew.commander)

    whole = visitor.open("war_room").content.decode()
    live = visitor.open("war_room", headers={"HX-Request": "true"}).content.decode()

    assert "<html" not in live
    for name in LIVE:
        assert f'id="{name}"' in live
        assert f"#{name}" in whole


def test_htmx_is_told_nothing_while_nothing_has_changed(crew: Crew) -> None:
    incident = make_incident(crew)
    visitor = at(incident, crew.commander)
    url = visitor.open("war_room").context["live_url"]

    unchanged = visitor.client.get(url, headers={"HX-Request": "true"})
    declare.add_note(incident, by=crew.commander, text="Seen in the logs")
    changed = visitor.client.get(url, headers={"HX-Request": "true"})

    assert (unchanged.status_code, unchanged.content) == (204, b"")
    assert "Seen in the logs" in text_of(changed)
    assert changed.context["live_url"] != url


def test_an_update_that_becomes_overdue_is_a_change(crew: Crew) -> None:
    incident = make_incident(crew)
    visitor = at(incident, crew.commander)
    url = visitor.open("war_room").context["live_url"]
    Incident.objects.filter(pk=incident.pk).update(declared_at=incident.declared_at - timedelta(hours=2))

    assert "is overdue" in text_of(visitor.client.get(url, headers={"HX-Request": "true"}))


def test_nobody_polls_a_form_away(crew: Crew) -> None:
    """What somebody types in stands outside the parts that are replaced."""
    incident = make_incident(crew)
    four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="A broken probe")

    seen = at(incident, crew[Role.API_LEAD]).open("war_room").content.decode()

    assert typed_into(seen) == {"note": set(), "text": set(), "happened_at": set(), "personal": set()}


def test_one_who_may_not_know_of_it_finds_nothing(crew: Crew) -> None:
    incident = make_incident(crew)

    response = at(incident, crew.outsider).open("war_room")

    assert response.status_code == 404
    assert incident.summary not in text_of(response)


@pytest.mark.parametrize("reference", ["RB-2026-9999", "rb-0", "x" * 200, "RB-2026-0001%00"])
def test_an_unknown_reference_is_not_found(crew: Crew, reference: str) -> None:
    visitor = at(make_incident(crew), crew.commander)

    assert visitor.client.get(f"/incidents/{reference}/").status_code == 404


def test_no_page_of_it_holds_inline_style_or_script(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="A broken probe")
    visitor = at(incident, crew[Role.API_LEAD])

    for page in ("war_room", "roles", "level", "stand_down", "evidence"):
        seen = visitor.open(page).content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\bsrc=)", seen), page
