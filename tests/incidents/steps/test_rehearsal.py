"""A dry run says what an action would do, changes nothing, and counts only for exactly what would run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from incidents import dispatch, tasks
from incidents.models import Action, Connector, Incident, Rehearsal, Wiring
from incidents.steps import kill_switch, lease, rollback
from incidents.steps.base import Denied, Refused
from incidents.terms import ActionState, AttemptState, ConnectorKind, Kind, Level, Phase, Role
from portal.demo.processes import wait_until
from tests.factories import Crew, UserFactory, make_crew, make_incident
from tests.incidents.steps.at_once import at_once
from tests.incidents.views.pages import at, refusals, text_of, told

pytestmark = pytest.mark.django_db
KEY = "3e-revoke"
PRINT = "import os, sys; print('would revoke', *sys.argv[1:], 'dry', os.environ.get('LASTGOOD_DRY_RUN'))"


@pytest.fixture(autouse=True)
def _allowed(settings: Any) -> None:
    settings.COMMANDS = {
        "revoke": {
            "argv": [sys.executable, "-c", "raise SystemExit('it ran')", "{accounts}"],
            "dry_run": [sys.executable, "-c", PRINT, "{accounts}"],
            "arguments": {"accounts": {"pattern": "[a-z-]+"}},
        },
        "blind": {"argv": [sys.executable, "-c", "raise SystemExit('it ran')"]},
    }


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def wired(crew: Crew, command: str = "revoke", **fields: Any) -> tuple[Incident, Action]:
    arguments = {"accounts": "svc-a"} if command == "revoke" else {}
    runner = Connector.objects.create(
        name=f"Runner of {crew.product}", kind=ConnectorKind.COMMAND, config={"command": command}, **fields
    )
    Wiring.objects.create(product=crew.product, key=KEY, connector=runner, arguments=arguments)
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    return incident, incident.actions.get(key=KEY)


def test_it_shows_what_would_happen_and_changes_nothing(crew: Crew) -> None:
    incident, action = wired(crew)
    changes = incident.change_number
    asked = dispatch.ask_for_rehearsal(action, by=crew[Role.API_LEAD])

    dispatch.run_rehearsal(asked.pk)

    asked.refresh_from_db()
    action.refresh_from_db()
    incident.refresh_from_db()
    first, last = incident.chain.entries.filter(kind=Kind.ACTION_REHEARSED).order_by("seq")
    assert (asked.state, asked.output) == (AttemptState.SUCCEEDED, "would revoke svc-a dry 1\n")
    assert (action.state, action.attempts.count(), incident.change_number) == (ActionState.PLANNED, 0, changes)
    assert (first.body["state"], last.body["state"]) == ("queued", "succeeded")
    assert last.body["output_sha256"] == asked.output_sha256
    assert first.body["digest"] == rollback.spec_digest(action, incident.targets.get())


def test_the_page_shows_it_before_anybody_approves_and_calls_it_stale_when_the_action_changes(crew: Crew) -> None:
    incident, action = wired(crew)
    lead = at(incident, crew[Role.API_LEAD])
    assert "Show what it would do" in text_of(lead.open("action", KEY))

    lead.send("rehearse_action", KEY)
    page = lead.open("action", KEY)
    assert b'hx-select="#rehearsal"' in page.content
    assert "HX-Refresh" not in lead.open("action", KEY, HTTP_HX_REQUEST="true")
    dispatch.run_rehearsal(action.rehearsals.get().pk)

    assert lead.open("action", KEY, HTTP_HX_REQUEST="true")["HX-Refresh"] == "true"
    assert "would revoke svc-a dry 1" in text_of(lead.open("action", KEY))
    assert "Stale" not in text_of(lead.open("action", KEY))
    Action.objects.filter(pk=action.pk).update(arguments={"accounts": "svc-b"})
    assert "Stale: the action or its target has changed since." in text_of(lead.open("action", KEY))


def test_a_failed_dry_run_stands_in_nobodys_way(crew: Crew, settings: Any) -> None:
    incident, action = wired(crew)
    settings.COMMANDS["revoke"]["dry_run"] = [sys.executable, "-c", "raise SystemExit(3)", "{accounts}"]
    asked = dispatch.ask_for_rehearsal(action, by=crew.commander)

    dispatch.run_rehearsal(asked.pk)

    asked.refresh_from_db()
    assert (asked.state, asked.sentence) == (AttemptState.FAILED, "revoke ended with exit code 3.")
    assert "Dry run failed" in text_of(at(incident, crew.commander).open("action", KEY))
    rollback.approve(action, by=crew.commander)
    assert rollback.dispatch(action, by=crew[Role.SECURITY_LEAD]).state == AttemptState.QUEUED


def test_a_connector_without_one_offers_none(crew: Crew) -> None:
    incident, action = wired(crew, "blind")
    lead = at(incident, crew[Role.API_LEAD])

    assert "What would it do?" not in text_of(lead.open("action", KEY))
    refused = f"“{action.connector}” cannot say beforehand what it would do."
    assert told(lead.send("rehearse_action", KEY)) == [refused]
    assert not Rehearsal.objects.exists()


def test_by_hand_there_is_nothing_to_ask(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)

    with pytest.raises(Refused, match="is done by hand: there is nothing"):
        dispatch.ask_for_rehearsal(incident.actions.get(key=KEY), by=crew.commander)


@pytest.mark.parametrize("who", ["outsider", Role.COMMUNICATIONS_OWNER])
def test_only_who_leads_may_ask(crew: Crew, who: Any) -> None:
    _, action = wired(crew)

    with pytest.raises(Denied):
        dispatch.ask_for_rehearsal(action, by=crew.outsider if who == "outsider" else crew[who])


def _stop(crew: Crew, action: Action) -> None:
    kill_switch.stop(by=UserFactory(is_staff=True), reason="Vault is wrong")


def _switch_off(crew: Crew, action: Action) -> None:
    Connector.objects.update(enabled=False)


def _edit(crew: Crew, action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(arguments={"accounts": "svc-b"})


@pytest.mark.parametrize(
    ("meanwhile", "said"),
    [
        (_stop, "Dispatch is stopped: Vault is wrong."),
        (_switch_off, "Nothing was asked: the connector has been switched off."),
        (_edit, "Nothing was asked: the action or its target has changed since."),
    ],
)
def test_what_changed_while_it_waited_is_not_asked(crew: Crew, meanwhile: Any, said: str) -> None:
    _, action = wired(crew)
    asked = dispatch.ask_for_rehearsal(action, by=crew.commander)
    meanwhile(crew, action)

    dispatch.run_rehearsal(asked.pk)

    asked.refresh_from_db()
    assert (asked.state, asked.sentence, asked.output) == (AttemptState.FAILED, said, "")


def test_a_lost_one_is_made_again_and_the_late_worker_writes_nothing(crew: Crew) -> None:
    _, action = wired(crew)
    asked = dispatch.ask_for_rehearsal(action, by=crew.commander)
    claimed = rollback.claim_rehearsal(asked.pk, "lost")
    assert claimed
    Rehearsal.objects.update(lease_until=Now() - timedelta(seconds=1))
    tasks.sweep()

    dispatch.run_rehearsal(asked.pk)
    with pytest.raises(lease.TakenOver):
        rollback.settle_rehearsal(*claimed, succeeded=True, sentence="Late")

    asked.refresh_from_db()
    assert (asked.epoch, asked.sentence) == (2, "revoke ended with exit code 0.")


@pytest.mark.django_db(transaction=True)
def test_it_is_asked_once_and_made_once(crew: Crew) -> None:
    _, action = wired(crew)

    asked = at_once(*[lambda: dispatch.ask_for_rehearsal(action, by=crew.commander)] * 3)
    rehearsal = Rehearsal.objects.get()
    claimed = at_once(*[lambda: rollback.claim_rehearsal(rehearsal.pk, "worker") is not None] * 5)

    assert sorted(asked) == ["done", "refused", "refused"]
    assert sorted(claimed) == ["done"] + ["refused"] * 4


def test_a_refusal_is_shown_where_it_was_asked(crew: Crew) -> None:
    incident, action = wired(crew, enabled=False)

    answer = at(incident, crew.commander).send("rehearse_action", KEY)

    assert told(answer) == [f"The connector “{action.connector}” is switched off."]
    assert refusals(answer) == []


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_a_real_worker_makes_it(crew: Crew, settings: Any, start_worker: Callable[..., Any]) -> None:
    start_worker(LASTGOOD_COMMANDS=json.dumps(settings.COMMANDS), LASTGOOD_SWEEP_SECONDS="1")
    incident, action = wired(crew)
    lead = at(incident, crew[Role.API_LEAD])

    lead.send("rehearse_action", KEY)

    assert wait_until(lambda: action.rehearsals.get().finished_at is not None, seconds=20)
    assert "would revoke svc-a dry 1" in text_of(lead.open("action", KEY))
