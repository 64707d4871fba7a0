"""What is taken from somebody is gone on their very next request, in a session that was open all the time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from incidents import tasks
from incidents.models import Attempt, Connector, Incident, Wiring
from incidents.steps import roles, rollback
from incidents.terms import Act, AttemptState, Phase, Role
from portal.accounts.models import ApiToken, Scope
from portal.demo.processes import wait_until
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import at, refusals, text_of
from tests.servers.portal import Process

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("static_folder")]


def test_a_role_that_was_handed_over_does_nothing_on_the_very_next_request() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.UNFREEZING)
    visitor = at(incident, crew.commander)
    assert visitor.open("unfreeze").status_code == 200

    roles.hand_over(incident, Role.COMMANDER, to=crew.deputy, by=crew.commander, reason="Off shift")
    before = incident.chain.entries.count()
    answer = visitor.send("refreeze", reason="Once more")

    assert answer.status_code in (200, 403, 404)
    assert incident.chain.entries.count() == before
    assert refusals(answer) or answer.status_code != 200, (Act.REFREEZE, text_of(answer))


def test_a_deactivated_person_and_their_token_are_refused_on_the_very_next_request() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    visitor = at(incident, crew.commander)
    _, secret = ApiToken.issue(crew.commander, name="ci", scopes=[Scope.READ.value])
    path, header = f"/api/v1/incidents/{incident.reference}", {"authorization": f"Bearer {secret}"}
    assert (visitor.open("war_room").status_code, visitor.client.get(path, headers=header).status_code) == (200, 200)

    crew.commander.is_active = False
    crew.commander.save(update_fields=["is_active"])

    assert visitor.open("war_room").status_code == 302
    assert visitor.client.get(path, headers=header).status_code == 401


def _nothing(crew: Crew) -> None:
    pass


def _role(crew: Crew) -> None:
    incident = Incident.objects.get(product=crew.product)
    roles.assign(incident, Role.SECURITY_LEAD, user=crew.deputy, by=crew.commander)


def _account(crew: Crew) -> None:
    crew[Role.SECURITY_LEAD].is_active = False
    crew[Role.SECURITY_LEAD].save(update_fields=["is_active"])


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("taken_away", "state"),
    [(_nothing, AttemptState.SUCCEEDED), (_role, AttemptState.CANCELLED), (_account, AttemptState.CANCELLED)],
)
def test_a_real_worker_does_not_start_what_waited_when_it_was_taken_away(
    taken_away: Callable[[Crew], None], state: str, start_worker: Callable[..., Process], tmp_path: Path
) -> None:
    crew, mark = make_crew(), tmp_path / "it-ran"
    connector = Connector.objects.create(name="touch", kind="command", config={"command": "touch"})
    Wiring.objects.create(product=crew.product, key="3e-revoke", connector=connector)
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = incident.actions.get(key="3e-revoke")
    rollback.approve(action, by=crew.commander)
    attempt = rollback.dispatch(action, by=crew[Role.SECURITY_LEAD])

    taken_away(crew)
    start_worker(LASTGOOD_COMMANDS=json.dumps({"touch": {"argv": ["/usr/bin/touch", str(mark)]}}))
    tasks.sweep.apply_async()

    assert wait_until(lambda: Attempt.objects.filter(pk=attempt.pk, state=state).exists(), seconds=20, every=0.1)
    assert mark.exists() is (state == AttemptState.SUCCEEDED)
