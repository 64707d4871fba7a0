"""A run that goes on outside is followed to its end by whichever worker comes next, and is started once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db.models.functions import Now

from incidents import clock, dispatch, tasks
from incidents.models import Attempt, Connector, EvidenceEntry, Incident, Wiring
from incidents.steps import attempts, following, rollback
from incidents.terms import ActionState, AttemptState, Kind, Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.connectors.cases import GITHUB
from tests.incidents.connectors.stubs.base import TOKEN, cut, hang, instead, lost, said
from tests.incidents.connectors.stubs.github import GitHub

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[3]
KEY = "3e-revoke"
NO_BROKER = "redis://127.0.0.1:1/0"


@pytest.fixture
def github(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    monkeypatch.setenv("FOLLOW_TOKEN", TOKEN)
    with closing(GitHub()) as stub:
        settings.OUTBOUND_HOSTS = settings.OUTBOUND_PRIVATE_HOSTS = [stub.url.removeprefix("http://")]
        yield stub


def queued(stub: GitHub, crew: Crew | None = None, **fields: Any) -> tuple[Incident, Attempt]:
    """An action that GitHub does, approved and dispatched."""
    crew = crew or make_crew()
    config = {"url": stub.url} | GITHUB.config
    connector = Connector.objects.create(
        name=f"GitHub of {crew.product}", kind="github", config=config, secret="env:FOLLOW_TOKEN", **fields
    )
    Wiring.objects.create(product=crew.product, key=KEY, connector=connector)
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    action = incident.actions.get(key=KEY)
    rollback.approve(action, by=crew.commander)
    return incident, rollback.dispatch(action, by=crew[Role(action.owner)])


def begun(stub: GitHub, **fields: Any) -> tuple[Incident, Attempt]:
    incident, attempt = queued(stub, **fields)
    dispatch.run_attempt(attempt.pk)
    attempt.refresh_from_db()
    return incident, attempt


def look(attempt: Attempt, *, after_seconds: float = 3) -> None:
    """Have the next look fall due, and take it."""
    Attempt.objects.filter(pk=attempt.pk, poll_at__isnull=False).update(poll_at=Now() - timedelta(seconds=1))
    with time_machine.travel(clock.now() + timedelta(seconds=after_seconds)):
        dispatch.follow(attempt.pk)
    attempt.refresh_from_db()


def kinds(incident: Incident) -> list[str]:
    """What the log says of actions."""
    found = EvidenceEntry.objects.filter(chain=incident.chain, kind__startswith="action.").order_by("seq")
    return [kind for kind in found.values_list("kind", flat=True) if kind != Kind.ACTION_APPROVED]


RUNNING = [Kind.ACTION_QUEUED, Kind.ACTION_STARTED, Kind.ACTION_FOLLOWED]


def test_a_run_that_was_taken_stays_started_with_all_that_a_look_needs(github: GitHub) -> None:
    incident, attempt = begun(github, deadline_seconds=600)

    entry = incident.chain.entries.latest("seq")
    assert attempt.state == AttemptState.STARTED
    assert attempt.remote == {"id": "9000", "link": "https://github.test/acme/app/actions/runs/9000"}
    assert attempt.remote_ref == "https://github.test/acme/app/actions/runs/9000"
    assert attempt.started_at
    assert attempt.lease_until == attempt.started_at + timedelta(seconds=630)
    assert attempt.poll_at
    assert (entry.kind, entry.body["remote"], entry.body["epoch"]) == (Kind.ACTION_FOLLOWED, attempt.remote_ref, 1)
    assert TOKEN not in f"{attempt.remote}{entry.body}"
    assert attempts.sweep() == (0, 0)


def test_it_is_followed_to_the_end_that_its_system_names(github: GitHub) -> None:
    incident, attempt = begun(github)
    look(attempt)
    running = (attempt.state, attempt.sentence, attempt.output)
    github.runs[0] |= {"status": "completed", "conclusion": "success"}
    look(attempt)

    assert running == (AttemptState.STARTED, "Run 9000 is queued. It waits for a runner.", GITHUB_OUTPUT)
    assert (attempt.state, attempt.sentence) == (AttemptState.SUCCEEDED, "Run 9000 ended with success.")
    assert incident.actions.get(key=KEY).state == ActionState.SUCCEEDED
    assert kinds(incident) == [*RUNNING, Kind.ACTION_SUCCEEDED]
    assert (len(github.runs), attempt.detail["status"]) == (1, 200)


def test_an_end_without_words_keeps_what_was_seen_before(github: GitHub) -> None:
    incident, attempt = begun(github)
    look(attempt)
    github.runs[0] |= {"status": "completed", "conclusion": "success"}
    github.spoiled["/jobs"] = instead(said({"jobs": []}))
    look(attempt)

    assert (attempt.state, attempt.output) == (AttemptState.SUCCEEDED, GITHUB_OUTPUT)
    assert attempt.remote_ref == "https://github.test/acme/app/actions/runs/9000"
    assert incident.chain.entries.latest("seq").body["output_sha256"] == sha256(GITHUB_OUTPUT.encode()).hexdigest()


GITHUB_OUTPUT = "roll-back: in_progress\n  Deploy: success"


def test_a_run_that_ended_badly_has_failed(github: GitHub) -> None:
    incident, attempt = begun(github)
    github.runs[0] |= {"status": "completed", "conclusion": "failure"}
    look(attempt)

    assert attempt.state == AttemptState.FAILED
    assert incident.actions.get(key=KEY).state == ActionState.FAILED


@pytest.mark.parametrize("spoil", [cut, instead(said({"message": "no"}, 401)), instead(said([], 200))])
def test_a_look_that_failed_is_tried_again_and_changes_no_state(github: GitHub, spoil: Any) -> None:
    incident, attempt = begun(github)
    github.spoiled["GET"] = spoil
    look(attempt)
    between = (attempt.state, attempt.poll_at is not None, attempt.remote["id"])
    github.spoiled.clear()
    github.runs[0] |= {"status": "completed", "conclusion": "success"}
    look(attempt)

    assert between == (AttemptState.STARTED, True, "9000")
    assert kinds(incident) == [*RUNNING, Kind.ACTION_SUCCEEDED]


def test_past_the_deadline_it_is_unknown_and_says_what_was_seen_last(github: GitHub) -> None:
    incident, attempt = begun(github, deadline_seconds=120)
    look(attempt, after_seconds=119)
    before = attempt.state
    look(attempt, after_seconds=121)

    assert (before, attempt.state) == (AttemptState.STARTED, AttemptState.UNKNOWN)
    assert attempt.sentence == ("It did not end within 120 s. Last seen: Run 9000 is queued. It waits for a runner.")
    assert incident.actions.get(key=KEY).state == ActionState.UNKNOWN
    assert attempt.poll_at


@pytest.mark.parametrize(
    ("conclusion", "state", "action"),
    [
        ("success", AttemptState.SUCCEEDED, ActionState.SUCCEEDED),
        ("failure", AttemptState.FAILED, ActionState.FAILED),
    ],
)
def test_an_unknown_outcome_turns_by_itself_when_its_system_says_how_it_was(
    github: GitHub, conclusion: str, state: AttemptState, action: ActionState
) -> None:
    incident, attempt = begun(github)
    look(attempt, after_seconds=121)
    look(attempt, after_seconds=160)
    still = attempt.state
    github.runs[0] |= {"status": "completed", "conclusion": conclusion}
    look(attempt, after_seconds=200)

    assert still == AttemptState.UNKNOWN
    assert (attempt.state, incident.actions.get(key=KEY).state) == (state, action)
    assert kinds(incident)[3] == Kind.ACTION_UNKNOWN


def test_what_two_people_decided_is_not_turned(github: GitHub) -> None:
    crew = make_crew()
    incident, attempt = queued(github, crew)
    dispatch.run_attempt(attempt.pk)
    look(attempt, after_seconds=121)
    github.runs[0] |= {"status": "completed", "conclusion": "success"}
    Attempt.objects.filter(pk=attempt.pk).update(poll_at=Now() - timedelta(seconds=1))
    claimed = following.claim(attempt.pk)
    assert claimed
    with time_machine.travel(clock.now() + timedelta(seconds=200)):
        attempts.resolve(attempt, succeeded=False, note="It hangs", by=crew.commander, second=crew[Role.API_LEAD])
        late = attempts.settle(claimed, AttemptState.SUCCEEDED, "Run 9000 ended with success.")
        look(attempt)

    assert (late, attempt.state) == (False, AttemptState.FAILED)
    assert kinds(incident)[-2:] == [Kind.ACTION_RESOLVED, Kind.ACTION_LATE]


def test_after_a_day_nobody_looks_any_more(github: GitHub) -> None:
    _, attempt = begun(github)
    look(attempt, after_seconds=121)
    look(attempt, after_seconds=86_401)

    assert (attempt.state, attempt.poll_at) == (AttemptState.UNKNOWN, None)


def test_a_start_whose_answer_was_lost_is_looked_up_and_ends_by_itself(github: GitHub) -> None:
    github.spoiled["POST"] = cut
    incident, attempt = begun(github)
    at_first = (attempt.state, attempt.remote)
    github.runs[0] |= {"status": "completed", "conclusion": "success"}
    look(attempt)

    assert at_first == (AttemptState.STARTED, {"find": str(attempt.pk)})
    assert (attempt.state, len(github.runs)) == (AttemptState.SUCCEEDED, 1)
    assert kinds(incident) == [*RUNNING, Kind.ACTION_SUCCEEDED]


def test_a_start_that_never_arrived_becomes_unknown_at_the_deadline(github: GitHub) -> None:
    github.spoiled["POST"] = lost
    _, attempt = begun(github)
    look(attempt)
    look(attempt, after_seconds=121)

    assert (attempt.state, github.runs) == (AttemptState.UNKNOWN, [])
    assert attempt.sentence.endswith("Last seen: GitHub shows no run of this attempt yet.")


def test_a_run_whose_worker_died_before_it_read_the_answer_is_found(github: GitHub) -> None:
    """The start was sent and the process killed: the row says what finds the run, and the sweep does not end it."""
    incident, attempt = queued(github)
    claimed = attempts.claim(attempt.pk, "dies")
    assert claimed
    started = attempts.start(claimed)
    assert started
    job = GITHUB.job(github, attempt_id=attempt.pk)
    following.expect(started, {"find": str(attempt.pk)})
    GITHUB.run(github, job)
    Attempt.objects.filter(pk=attempt.pk).update(lease_until=Now() - timedelta(seconds=1))
    attempts.sweep()
    look(attempt, after_seconds=40)
    between = attempt.state
    github.runs[0] |= {"status": "completed", "conclusion": "success"}
    look(attempt, after_seconds=60)

    assert (between, attempt.state, len(github.runs)) == (AttemptState.UNKNOWN, AttemptState.SUCCEEDED, 1)
    assert kinds(incident) == [Kind.ACTION_QUEUED, Kind.ACTION_STARTED, Kind.ACTION_UNKNOWN, Kind.ACTION_SUCCEEDED]


def test_a_connector_that_was_changed_meanwhile_is_not_asked_about_another_run(github: GitHub) -> None:
    _, attempt = begun(github)
    Connector.objects.update(config={"url": github.url} | GITHUB.config | {"repository": "acme/other"})
    asked = len(github.heard)
    look(attempt)

    assert (attempt.state, len(github.heard)) == (AttemptState.STARTED, asked)
    assert attempt.sentence == "Its connector was changed after the start: look in the outside system itself."


def test_one_worker_takes_a_look_and_the_others_get_nothing(github: GitHub) -> None:
    _, attempt = begun(github)
    Attempt.objects.filter(pk=attempt.pk).update(poll_at=Now() - timedelta(seconds=1))

    assert following.claim(attempt.pk) is not None
    assert following.claim(attempt.pk) is None


def test_looks_are_rung_when_they_are_due_and_not_twice(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    _, attempt = begun(github)
    early = list(following.due())
    Attempt.objects.filter(pk=attempt.pk).update(poll_at=Now() - timedelta(seconds=1))
    due = list(following.due())
    Attempt.objects.filter(pk=attempt.pk).update(rung_at=Now())

    assert (early, due, list(following.due())) == ([], [attempt], [])


def test_pauses_grow_with_the_age_of_a_run(github: GitHub) -> None:
    _, attempt = begun(github, deadline_seconds=3600)

    def pause(age: float) -> float:
        assert attempt.started_at
        return round(following._pause_seconds(attempt, attempt.started_at + timedelta(seconds=age)), 1)

    assert [pause(age) for age in (0, 30, 100, 400, 3000)] == [2, 2, 5, 20, 30]


def test_the_dispatch_of_a_refused_start_fails_at_once(github: GitHub) -> None:
    github.spoiled["POST"] = instead(said({"message": "No ref found for: main"}, 422))
    incident, attempt = begun(github)
    look(attempt)

    assert (attempt.state, kinds(incident)) == (AttemptState.FAILED, [*RUNNING[:2], Kind.ACTION_FAILED])
    assert "(No ref found for: main); nothing was started." in attempt.sentence


@contextmanager
def looping(env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker that needs no broker; whatever happens, it is gone in the end."""
    with log.open("ab") as output:
        worker = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "sweep", "--loop", "--every", "0.2"],
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait(20)


def until(holds: Callable[[], object], log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.05)


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_workers_are_killed_between_and_during_looks_and_nothing_is_lost_or_doubled(
    tmp_path: Path, process_env: dict[str, str], github: GitHub
) -> None:
    incident, attempt = queued(github, deadline_seconds=600)
    place, log = github.url.removeprefix("http://"), tmp_path / "log"
    env = process_env | {"REDIS_URL": NO_BROKER, "FOLLOW_TOKEN": TOKEN, "LASTGOOD_FOLLOW_SECONDS": "1"}
    env |= {"LASTGOOD_OUTBOUND_HOSTS": place, "LASTGOOD_OUTBOUND_PRIVATE_HOSTS": place}

    def looks() -> int:
        return sum(heard.path.endswith("/jobs?per_page=50") for heard in list(github.heard))

    with looping(env, log) as first:
        until(lambda: looks() >= 1, log)
        first.send_signal(signal.SIGKILL)
        first.wait(20)
    seen = looks()
    github.spoiled["/actions/runs/9000"] = hang
    with looping(env, log) as second:
        asked = len(github.heard)
        until(lambda: len(github.heard) > asked, log)
        second.send_signal(signal.SIGKILL)  # in the middle of a look
        second.wait(20)
    github.spoiled.clear()
    with ExitStack() as workers:
        for _ in range(2):
            workers.enter_context(looping(env, log))
        until(lambda: looks() > seen, log)
        github.runs[0] |= {"status": "completed", "conclusion": "success"}
        until(lambda: Attempt.objects.get(pk=attempt.pk).state != AttemptState.STARTED, log)

    attempt.refresh_from_db()
    assert (attempt.state, attempt.epoch, len(github.runs)) == (AttemptState.SUCCEEDED, 1, 1)
    assert kinds(incident) == [*RUNNING, Kind.ACTION_SUCCEEDED]


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_while_it_starts_leaves_a_run_that_is_found(
    tmp_path: Path, process_env: dict[str, str], github: GitHub
) -> None:
    incident, attempt = queued(github, deadline_seconds=600)
    place, log = github.url.removeprefix("http://"), tmp_path / "log"
    env = process_env | {"REDIS_URL": NO_BROKER, "FOLLOW_TOKEN": TOKEN, "LASTGOOD_ATTEMPT_LEASE_SECONDS": "3"}
    env |= {"LASTGOOD_OUTBOUND_HOSTS": place, "LASTGOOD_OUTBOUND_PRIVATE_HOSTS": place}
    github.spoiled["POST"] = hang

    with looping(env, log) as first:
        until(lambda: github.runs, log)
        first.send_signal(signal.SIGKILL)
        first.wait(20)
    github.runs[0] |= {"status": "completed", "conclusion": "success"}
    Attempt.objects.filter(pk=attempt.pk).update(poll_at=Now() + timedelta(seconds=5))  # instead of a minute
    with looping(env, log):
        until(lambda: Attempt.objects.get(pk=attempt.pk).state == AttemptState.SUCCEEDED, log)

    assert len(github.runs) == 1
    assert kinds(incident) == [Kind.ACTION_QUEUED, Kind.ACTION_STARTED, Kind.ACTION_UNKNOWN, Kind.ACTION_SUCCEEDED]


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_a_celery_worker_starts_and_follows_by_what_is_rung(github: GitHub, start_worker: Callable[..., Any]) -> None:
    place = github.url.removeprefix("http://")
    start_worker(LASTGOOD_OUTBOUND_HOSTS=place, LASTGOOD_OUTBOUND_PRIVATE_HOSTS=place, FOLLOW_TOKEN=TOKEN)
    incident, attempt = queued(github)
    deadline = time.monotonic() + 30

    while Attempt.objects.get(pk=attempt.pk).state not in (AttemptState.SUCCEEDED, AttemptState.UNKNOWN):
        assert time.monotonic() < deadline
        tasks.follow_all()
        if len(github.heard) > 2:
            github.runs[0] |= {"status": "completed", "conclusion": "success"}
        time.sleep(0.1)

    assert kinds(incident) == [*RUNNING, Kind.ACTION_SUCCEEDED]
    assert len(github.runs) == 1


def test_the_beat_rings_for_looks(settings: Any) -> None:
    entry = settings.CELERY_BEAT_SCHEDULE["follow-actions"]

    assert (entry["task"], entry["schedule"]) == (tasks.follow_all.name, settings.FOLLOW_SECONDS)
    assert settings.CELERY_TASK_ROUTES[tasks.follow.name] == {"queue": "actions"}
