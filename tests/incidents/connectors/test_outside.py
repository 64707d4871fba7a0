"""Systems that nobody here has written: Ansible by the command connector, a Buildbot by the webhook, from the index.

They are installed into an environment of their own, as they would stand beside Lastgood and not inside it.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from incidents.connectors import command, webhook
from incidents.connectors.base import Job, Limits, Outcome
from portal.bootstrap.environment import apart
from portal.bootstrap.places import OUTSIDE
from portal.demo import ports
from tests.incidents.connectors.given import KEY, a_job, always, census, here, reached

pytestmark = pytest.mark.thorough
HERE = Path(__file__).parent / "outside"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the programs of the environment."""
    return apart(OUTSIDE, tmp_path_factory.mktemp("outside") / "venv").parent


# Ansible ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def playing(programs: Path, tmp_path: Path) -> Callable[..., tuple[Job, Outcome]]:
    """Run the playbook through the command connector: `playing("4f1c2d9")`."""
    folder = tmp_path / "runner"
    (folder / "project").mkdir(parents=True)
    (folder / "inventory").mkdir()
    (folder / "project" / "rollback.yml").write_bytes((HERE / "rollback.yml").read_bytes())
    python = f"ansible_python_interpreter={programs / 'python'}"
    (folder / "inventory" / "hosts").write_text(f"localhost ansible_connection=local {python}\n")
    path = f"PATH={programs}:/usr/bin:/bin"
    variables = f"-e target={{target}} -e place={tmp_path}"
    start = ["/usr/bin/env", path, f"HOME={tmp_path}", str(programs / "ansible-runner"), "run", str(folder)]
    argv = [*start, "--playbook", "rollback.yml", "--cmdline", variables]
    entry = {"argv": argv, "arguments": {"target": {"pattern": "[a-z0-9]+"}}, "timeout_seconds": 60}
    limits = Limits(commands={"roll-back": entry}, alive_every_seconds=0.2)

    def play(target: str, **changes: Any) -> tuple[Job, Outcome]:
        job = a_job(config={"command": "roll-back"}, target=target, **({"deadline_seconds": 60.0} | changes))
        return job, command.run(job, limits, always)

    return play


def test_ansible_rolls_back_and_its_words_are_kept(playing: Callable[..., Any], tmp_path: Path) -> None:
    job, outcome = playing("4f1c2d9")

    assert outcome.state == "succeeded", outcome.output
    assert "TASK [Roll back once an attempt]" in outcome.output
    assert "failed=0" in outcome.output
    assert (tmp_path / "deployed").read_text() == f"4f1c2d9 {job.attempt_id}\n"


def test_ansible_that_says_no_has_failed(playing: Callable[..., Any], tmp_path: Path) -> None:
    _, outcome = playing("missing")

    assert outcome.state == "failed", outcome.output
    assert "There is no release missing." in outcome.output
    assert not (tmp_path / "deployed").exists()


def test_ansible_is_ended_with_all_its_processes_at_the_deadline(playing: Callable[..., Any], tmp_path: Path) -> None:
    _, outcome = playing("slow", deadline_seconds=6.0)

    assert outcome.state == "unknown", outcome.output
    assert "TASK [Wait as long as the target is slow]" in outcome.output
    assert reached(lambda: census(str(tmp_path)) == 0)


# Buildbot -----------------------------------------------------------------------------------------------------------


@contextmanager
def running(argv: list[Any], env: dict[str, str], folder: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen([str(part) for part in argv], cwd=folder, env=env, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait(10)


def answers(port: int) -> bool:
    line = HTTPConnection(ports.HOST, port, timeout=5)
    try:
        line.request("GET", "/api/v2/workers?name=runner")
        workers = json.load(line.getresponse())["workers"]
    except (OSError, HTTPException):
        return False
    finally:
        line.close()
    return any(worker["connected_to"] for worker in workers)


@pytest.fixture(scope="module")
def buildbot(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A master and a worker that has found it: the master's address, and the folder that it writes to."""
    folder = tmp_path_factory.mktemp("buildbot")
    www, pb = ports.any_free(), ports.any_free()
    env = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8", "BUILDBOT_KEY": KEY}
    env |= {"BUILDBOT_PLACE": str(folder), "BUILDBOT_WWW": str(www), "BUILDBOT_PB": str(pb)}
    env |= {"BUILDBOT_WORKER_PASSWORD": uuid4().hex}
    master, worker, log = folder / "master", folder / "worker", folder / "log"

    def once(*argv: object) -> None:
        done = subprocess.run([str(part) for part in argv], env=env, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    once(programs / "buildbot", "create-master", master)
    (master / "master.cfg").write_bytes((HERE / "master.cfg").read_bytes())
    once(programs / "buildbot", "upgrade-master", master)
    password = env["BUILDBOT_WORKER_PASSWORD"]
    once(programs / "buildbot-worker", "create-worker", worker, f"127.0.0.1:{pb}", "runner", password)
    with (
        running([programs / "buildbot", "start", "--nodaemon", master], env, folder, log),
        running([programs / "buildbot-worker", "start", "--nodaemon", worker], env, folder, log),
    ):
        assert reached(lambda: answers(www), 60), log.read_text()[-3000:]
        yield f"http://127.0.0.1:{www}", folder


def rolling(url: str, target: str) -> Job:
    status = {
        "url": f"{url}/api/v2/buildsets?external_idstring={{attempt}}",
        "field": "buildsets.0.results",
        "running": ["-1", "null"],
        "succeeded": ["0"],
        "failed": ["2", "4", "6"],
    }
    config = {"url": f"{url}/change_hook/lastgood", "wait_for": "status", "status": status}
    return a_job(config=config, secret=KEY, target=target)


def followed(job: Job, outcome: Outcome) -> tuple[Outcome, set[str]]:
    """Look until it ends; what was seen on the way."""
    seen, limits, until = set(), here(job.config["url"]), time.monotonic() + 60
    while outcome.state == "running":
        assert time.monotonic() < until, outcome
        seen.add(outcome.sentence)
        outcome = webhook.poll(job, limits, outcome.remote)
        time.sleep(0.1)
    return outcome, seen


@pytest.mark.parametrize(("target", "state"), [("4f1c2d9", "succeeded"), ("missing", "failed")])
def test_buildbot_takes_the_hook_and_is_asked_until_its_build_ends(
    buildbot: tuple[str, Path], target: str, state: str
) -> None:
    url, folder = buildbot
    job = rolling(url, target)

    begun = webhook.run(job, here(url), always)
    ended, seen = followed(job, begun)

    assert begun.state == "running", begun.sentence
    assert ended.state == state, ended.sentence
    assert seen & {"Its state is “-1”.", "Its state is “null”."}
    assert f"{target} {job.attempt_id}\n" in (folder / "deployed").read_text()


def test_buildbot_runs_a_repeated_hook_once(buildbot: tuple[str, Path]) -> None:
    url, folder = buildbot
    job = rolling(url, "4f1c2d9")

    first, again = webhook.run(job, here(url), always), webhook.run(job, here(url), always)
    followed(job, first)
    followed(job, again)

    assert (folder / "deployed").read_text().count(str(job.attempt_id)) == 1


def test_buildbot_refuses_a_hook_that_another_key_signed(buildbot: tuple[str, Path]) -> None:
    url, _ = buildbot
    job = rolling(url, "4f1c2d9")
    forged = a_job(attempt_id=job.attempt_id, config=job.config, secret="whsec_" + "QUJD" * 10)

    outcome = webhook.run(forged, here(url), always)

    assert (outcome.state, outcome.detail["status"]) == ("failed", 400)


def test_a_buildbot_whose_answer_is_lost_is_asked_what_it_did(buildbot: tuple[str, Path]) -> None:
    """The deadline passes before the master answers; what it has done is found by the attempt's id."""
    url, _ = buildbot
    job = rolling(url, "4f1c2d9")
    webhook.run(job, here(url), always)

    ended, _ = followed(job, Outcome(state="running", sentence="Lost", remote=webhook.thread(job)))

    assert ended.state == "succeeded"
