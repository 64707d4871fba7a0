from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from incidents import clock
from incidents.models import Attachment, Connector, Wiring
from incidents.steps import attempts, cleanup, kill_switch, rollback
from incidents.terms import ActionState, AttemptState, Kind, Level, Phase, Role
from tests.factories import Crew, UserFactory, make_crew, make_incident
from tests.incidents.views.pages import Visitor, at, refusals, text_of, told

pytestmark = pytest.mark.django_db
KEY = "3e-revoke"  # of stage 1, destructive, owned by the Security Lead


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def wired(crew: Crew) -> Crew:
    """The product's credentials are revoked by a webhook."""
    hook = Connector.objects.create(
        name="Vault", kind="webhook", config={"url": "https://vault.example.org/revoke"}, deadline_seconds=60
    )
    Wiring.objects.create(product=crew.product, key=KEY, connector=hook, arguments={"accounts": ["svc-a"]})
    return crew


def rolling(crew: Crew, level: Level = Level.L3) -> Any:
    return make_incident(crew, at=Phase.ROLLING_BACK, level=level)


def digest_on(visitor: Visitor) -> str:
    return visitor.open("action", KEY).context["digest"]


def approve(incident: Any, crew: Crew) -> None:
    visitor = at(incident, crew.commander)
    visitor.send("approve_action", KEY, digest=digest_on(visitor))


def test_a_token_that_was_once_typed_into_an_address_is_masked(wired: Crew) -> None:
    hook = Connector.objects.get(name="Vault")
    hook.config = {"url": "https://me:pw@vault.example.org/revoke?token=s3cr3t&team=ops"}
    hook.save()
    Wiring.objects.update(arguments={"next": "https://x.example.org/?api_key=s3cr3t"})
    visitor = at(rolling(wired), wired.commander)

    page = text_of(visitor.open("action", KEY))

    assert "https://[masked]@vault.example.org/revoke?token=[masked]&team=ops" in page
    assert "api_key=[masked]" in page
    assert "s3cr3t" not in page


def test_by_hand_it_is_approved_begun_and_recorded_with_what_shows_it(crew: Crew, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    incident = rolling(crew)
    owner = at(incident, crew[Role.SECURITY_LEAD])
    assert "waits for a second person's approval" in text_of(owner.open("action", KEY))

    approve(incident, crew)
    owner.send("dispatch_action", KEY)
    assert "How did it end?" in text_of(owner.open("action", KEY))
    owner.send(
        "complete_action",
        KEY,
        succeeded="yes",
        result="Three accounts revoked",
        text="svc-a, svc-b, svc-c",
        link="https://vault.example.org/audit/1",
        file=SimpleUploadedFile("revoked.log", b"revoked svc-a\n"),
    )

    action = incident.actions.get(key=KEY)
    exhibit = incident.exhibits.get(subject=f"action:{KEY}")
    assert (action.state, action.result) == (ActionState.SUCCEEDED, "Three accounts revoked")
    assert (exhibit.text, exhibit.attachment.name) == ("svc-a, svc-b, svc-c", "revoked.log")
    page = text_of(owner.open("action", KEY))
    assert "revoked.log" in page
    assert "approved by" in page


def test_the_page_shows_what_will_run_and_the_digest_that_an_approval_is_bound_to(wired: Crew) -> None:
    incident = rolling(wired)
    page = at(incident, wired.commander).open("action", KEY)

    action = incident.actions.get(key=KEY)
    assert page.context["digest"] == rollback.spec_digest(action, incident.targets.get())
    for word in ("Vault", "signed webhook", "svc-a", "https://vault.example.org/revoke", "Cannot be undone"):
        assert word in text_of(page)


def test_an_approval_of_what_has_changed_since_is_refused(crew: Crew) -> None:
    incident = rolling(crew)
    visitor = at(incident, crew.commander)

    response = visitor.send("approve_action", KEY, digest="0" * 64)

    assert told(response) == ["The action has changed since you looked: read it again."]
    assert not incident.actions.get(key=KEY).approvals.exists()


def test_an_approval_that_says_nothing_of_what_was_seen_is_refused(crew: Crew) -> None:
    incident = rolling(crew)

    at(incident, crew.commander).send("approve_action", KEY)

    assert not incident.actions.get(key=KEY).approvals.exists()


def test_the_owner_is_told_that_somebody_else_approves(crew: Crew) -> None:
    page = text_of(at(rolling(crew), crew[Role.SECURITY_LEAD]).open("action", KEY))

    assert "You own this action and start it" in page
    assert "Approve what will run" not in page


def test_dispatch_is_for_the_owner_and_refuses_with_the_sentences_of_the_page(crew: Crew) -> None:
    incident = rolling(crew)
    owner, other = at(incident, crew[Role.SECURITY_LEAD]), at(incident, crew[Role.API_LEAD])

    assert refusals(other.send("dispatch_action", KEY)) == [
        "Dispatch an action is for the Security Lead of this incident."
    ]
    refused = told(owner.send("dispatch_action", KEY))
    assert refused == ["“3e Revoke exposed or potentially impacted credentials” waits for a second person's approval."]
    assert refused[0] in text_of(owner.open("action", KEY))


def test_while_a_connector_has_it_the_page_follows_along_and_reloads_when_it_ended(wired: Crew) -> None:
    incident = rolling(wired)
    approve(incident, wired)
    owner = at(incident, wired[Role.SECURITY_LEAD])
    owner.send("dispatch_action", KEY)
    page = owner.open("action", KEY)
    assert b'hx-trigger="every 2s"' in page.content
    assert "HX-Refresh" not in owner.open("action", KEY, HTTP_HX_REQUEST="true")

    run(incident, AttemptState.SUCCEEDED, "The receiver answered 200.")

    assert owner.open("action", KEY, HTTP_HX_REQUEST="true")["HX-Refresh"] == "true"
    page = owner.open("action", KEY)
    assert b"hx-trigger" not in page.content
    for words in ("The receiver answered 200.", "first line", "12 bytes were not kept", "status", "200"):
        assert words in text_of(page)


def test_a_queued_action_is_called_back(wired: Crew) -> None:
    incident = rolling(wired)
    approve(incident, wired)
    owner = at(incident, wired[Role.SECURITY_LEAD])
    owner.send("dispatch_action", KEY)

    owner.send("abort_action", KEY, reason="Wrong accounts")

    assert incident.actions.get(key=KEY).state == ActionState.PLANNED
    assert "Wrong accounts" in text_of(owner.open("action", KEY))


def test_what_has_left_the_portal_is_not_called_back(wired: Crew) -> None:
    incident = rolling(wired)
    approve(incident, wired)
    owner = at(incident, wired[Role.SECURITY_LEAD])
    owner.send("dispatch_action", KEY)
    attempts.start(attempts.claim(incident.actions.get(key=KEY).attempts.get().pk, "worker"))

    response = owner.send("abort_action", KEY, reason="Too late")

    assert "has left the portal and cannot be called back" in refusals(response)[0]


def test_an_unknown_outcome_is_decided_by_two_people(wired: Crew) -> None:
    incident = rolling(wired)
    approve(incident, wired)
    owner = at(incident, wired[Role.SECURITY_LEAD])
    owner.send("dispatch_action", KEY)
    run(incident, AttemptState.UNKNOWN, "The worker was lost.")
    page = text_of(owner.open("action", KEY))
    assert "Outcome unknown" in page
    assert "Wait until" in page

    with time_machine.travel(clock.now() + timedelta(minutes=10)):
        owner = at(incident, wired[Role.SECURITY_LEAD])
        assert owner.send("resolve_action", KEY, succeeded="yes", reason="The audit shows it").status_code == 302
        assert "Decide “3e Revoke" in text_of(owner.open("action", KEY))
        at(incident, wired.commander).send("proposal_confirm", incident.proposals.get().pk)

    assert incident.actions.get(key=KEY).state == ActionState.SUCCEEDED


def test_deciding_what_is_not_unknown_is_refused(crew: Crew) -> None:
    incident = rolling(crew)
    approve(incident, crew)
    owner = at(incident, crew[Role.SECURITY_LEAD])
    owner.send("dispatch_action", KEY)

    response = owner.send("resolve_action", KEY, succeeded="no", reason="I think so")

    assert refusals(response) == ["The outcome of this attempt is not unknown."]


def test_a_waiver_of_what_is_due_waits_for_a_second_person(crew: Crew) -> None:
    incident = rolling(crew)
    owner = at(incident, crew[Role.SECURITY_LEAD])

    owner.send("waive_action", KEY, reason="No credential was exposed")
    assert incident.actions.get(key=KEY).state == ActionState.PLANNED
    at(incident, crew.commander).send("proposal_confirm", incident.proposals.get().pk)

    assert incident.actions.get(key=KEY).state == ActionState.WAIVED


def test_what_the_level_leaves_open_is_waived_by_its_owner_alone(crew: Crew) -> None:
    incident = rolling(crew, Level.L1)

    at(incident, crew[Role.SECURITY_LEAD]).send("waive_action", KEY, reason="Code only")

    assert incident.actions.get(key=KEY).state == ActionState.WAIVED


def test_a_record_that_is_refused_leaves_nothing_behind(crew: Crew, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    incident = rolling(crew)
    before = incident.chain.entries.count()

    response = at(incident, crew[Role.SECURITY_LEAD]).send(
        "complete_action", KEY, succeeded="yes", result="Done", file=SimpleUploadedFile("a.log", b"a")
    )

    assert "waits for a second person's approval" in refusals(response)[0]
    assert "Done</textarea>" in response.content.decode()
    assert (incident.exhibits.count(), Attachment.objects.count(), incident.chain.entries.count()) == (0, 0, before)


def test_a_file_of_somebody_who_may_not_attach_is_not_even_stored(crew: Crew, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    incident = rolling(crew)

    response = at(incident, crew[Role.API_LEAD]).send(
        "complete_action", KEY, succeeded="yes", result="Done", file=SimpleUploadedFile("a.log", b"a")
    )

    assert refusals(response) == ["Record an action done by hand is for the Security Lead of this incident."]
    assert list(tmp_path.rglob("*")) == []


def test_an_action_that_is_not_there_is_not_found(crew: Crew) -> None:
    visitor = at(rolling(crew), crew.commander)

    assert visitor.open("action", "nonsense").status_code == 404
    assert visitor.send("dispatch_action", "nonsense").status_code == 404
    assert visitor.send("resolve_action", KEY, succeeded="yes", reason="x").status_code == 404


def run(incident: Any, state: AttemptState, sentence: str) -> None:
    """What a worker does with the queued attempt."""
    with transaction.atomic():
        claimed = attempts.start(attempts.claim(incident.actions.get(key=KEY).attempts.last().pk, "worker"))
        facts = {"output": "first line", "output_dropped": 12, "output_sha256": "ab" * 32, "detail": {"status": 200}}
        attempts.settle(claimed, state, sentence, **facts)
    assert incident.chain.entries.filter(kind__in=[Kind.ACTION_SUCCEEDED, Kind.ACTION_UNKNOWN]).exists()


# Ways out -----------------------------------------------------------------------------------------------------------


def failed(crew: Crew) -> Any:
    incident = rolling(crew)
    approve(incident, crew)
    at(incident, crew[Role.SECURITY_LEAD]).send("dispatch_action", KEY)
    attempt = incident.actions.get(key=KEY).attempts.get()
    attempts.settle(attempts.start(attempts.claim(attempt.pk, "worker")), AttemptState.FAILED, "Vault said no.")
    return incident


def test_a_failed_action_is_run_again_as_a_new_attempt(wired: Crew) -> None:
    incident = failed(wired)
    owner = at(incident, wired[Role.SECURITY_LEAD])
    assert "Run it again" in text_of(owner.open("action", KEY))

    owner.send("dispatch_action", KEY)

    found = incident.actions.get(key=KEY).attempts.order_by("number")
    assert [(attempt.number, attempt.state) for attempt in found] == [(1, "failed"), (2, "queued")]
    assert len({attempt.pk for attempt in found}) == 2
    entry = incident.chain.entries.filter(kind=Kind.ACTION_QUEUED).latest("seq")
    assert (entry.body["number"], entry.body["old"]) == (2, ActionState.FAILED)


@pytest.mark.parametrize("down", ["switched off", "stopped"])
def test_what_its_connector_cannot_do_is_done_by_hand_and_shown(
    wired: Crew, down: str, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    incident = failed(wired)
    if down == "switched off":
        Connector.objects.update(enabled=False)
    else:
        kill_switch.stop(by=UserFactory(is_staff=True), reason="Vault is wrong")
    owner = at(incident, wired[Role.SECURITY_LEAD])
    page = text_of(owner.open("action", KEY))
    assert ("is switched off" if down == "switched off" else "Dispatch is stopped: Vault is wrong.") in page
    assert "Done by hand instead?" in page

    refused = owner.send("complete_action", KEY, succeeded="yes", result="Revoked in the console")
    name = "“3e Revoke exposed or potentially impacted credentials”"
    assert refusals(refused) == [f"{name} is done by hand instead of by “Vault”: show it by a file, a link or a text."]
    owner.send("complete_action", KEY, succeeded="yes", result="Revoked in the console", text="svc-a: revoked 14:02")

    action = incident.actions.get(key=KEY)
    assert (action.state, action.attempts.last().by_hand) == (ActionState.SUCCEEDED, True)
    assert incident.chain.entries.latest("seq").body["by_hand"] is True


def test_what_was_shown_of_an_earlier_attempt_does_not_show_the_next(wired: Crew) -> None:
    incident = failed(wired)
    owner = wired[Role.SECURITY_LEAD]
    with time_machine.travel(clock.now() - timedelta(minutes=5)):
        cleanup.attach(incident, f"action:{KEY}", owner=Role.SECURITY_LEAD, by=owner, text="From before")

    response = at(incident, owner).send("complete_action", KEY, succeeded="yes", result="Revoked in the console")

    assert "is done by hand instead of by “Vault”" in refusals(response)[0]


def test_a_queued_action_says_what_it_waits_for(wired: Crew) -> None:
    first = rolling(wired)
    approve(first, wired)
    owner = wired[Role.SECURITY_LEAD]
    at(first, owner).send("dispatch_action", KEY)
    attempt = first.actions.get(key=KEY).attempts.get()
    begun = attempts.start(attempts.claim(attempt.pk, "worker"))
    other = make_crew()
    hook = Connector.objects.get()
    Wiring.objects.create(product=other.product, key=KEY, connector=hook, target_key=attempt.target_key)
    second = rolling(other)
    approve(second, other)
    theirs = at(second, other[Role.SECURITY_LEAD])
    theirs.send("dispatch_action", KEY)

    name = f"“3e Revoke exposed or potentially impacted credentials” of {first}"
    assert f"{name} runs on the same target: one act at a time." in text_of(theirs.open("action", KEY))
    attempts.settle(begun, AttemptState.UNKNOWN, "No answer")
    unknown = f"The outcome of {name} on the same target is unknown: two people decide it first."
    assert unknown in text_of(theirs.open("action", KEY))
    assert "after “It was not done” its owner can run it again" in text_of(at(first, owner).open("action", KEY))


def test_a_queued_action_says_when_its_connector_is_busy_and_when_it_is_tried_again(wired: Crew) -> None:
    Connector.objects.update(max_parallel=1)
    incident = rolling(wired)
    approve(incident, wired)
    owner = at(incident, wired[Role.SECURITY_LEAD])
    owner.send("dispatch_action", KEY)
    attempt = incident.actions.get(key=KEY).attempts.get()
    attempts.send_again(attempts.start(attempts.claim(attempt.pk, "w")), "Nothing was sent: connection refused.")

    page = text_of(owner.open("action", KEY))
    assert "Nothing was sent: connection refused. It is tried again from" in page
    assert "waits its turn" not in page
    Connector.objects.update(max_parallel=0)
    assert "“Vault” runs as many actions as it may at once (0): it waits its turn." in text_of(
        owner.open("action", KEY)
    )
