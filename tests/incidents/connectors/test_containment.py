"""Nothing that a command started outlives its deadline, its worker or its attempt: a census of real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import randrange

import pytest

from incidents.connectors import command
from incidents.connectors.wrapper import processes
from tests.incidents.connectors.given import a_command, a_run, always, census, known, reached

ROOT = Path(__file__).parents[3]

# Each starts processes that sleep for `{token}` seconds, a number used once, by which the census knows them.
PLAIN = "exec sleep {token}"
IGNORES_TERM = "trap '' TERM INT HUP; sleep {token}; sleep {token}"
CHILDREN = "sleep {token} & (sleep {token} & sleep {token}) & sleep {token}"
OWN_SESSIONS = "setsid sleep {token} & setsid setsid sleep {token} & sleep {token}"
DAEMONS = "(setsid sh -c 'sleep {token} & sleep {token} &' &); (setsid sleep {token} >/dev/null 2>&1 &); sleep {token}"
MANY = "for i in $(seq 60); do (setsid sleep {token} &); done; sleep {token}"
WIPED = "env -i sleep {token} & env -i sh -c 'sleep {token} & sleep {token}' & sleep {token}"
SHAPES = [PLAIN, IGNORES_TERM, CHILDREN, OWN_SESSIONS, DAEMONS, MANY, WIPED]
SHAPE_NAMES = ["plain", "ignores term", "children", "own sessions", "daemons", "many", "wiped environment"]


@pytest.fixture
def token():
    name = f"3{randrange(10**5)}.{randrange(10**9):09}"
    yield name
    for pid in known(name):
        os.kill(pid, signal.SIGKILL)


def script(shape, token):
    return ["/bin/sh", "-c", shape.replace("{token}", token)]


@pytest.mark.thorough(keep=3)
@pytest.mark.parametrize("shape", SHAPES, ids=SHAPE_NAMES)
def test_at_the_deadline_everything_is_dead_and_the_end_is_unknown(shape, token):
    began = time.monotonic()

    outcome = command.run(a_run(), a_command(*script(shape, token), timeout_seconds=0.5), always)

    assert (outcome.state, outcome.detail["reason"], outcome.detail["survivors"]) == ("unknown", "deadline", 0)
    assert outcome.sentence.startswith("it was stopped at its deadline of 0.5 s; how far it came is not known.")
    assert time.monotonic() - began < 2.5
    assert census(token) == 0


def test_the_shorter_of_the_two_deadlines_holds(token):
    began = time.monotonic()

    command.run(a_run(deadline_seconds=0.3), a_command(*script(PLAIN, token), timeout_seconds=60), always)

    assert time.monotonic() - began < 2.3


@pytest.mark.parametrize("shape", [CHILDREN, DAEMONS], ids=["children", "daemons"])
def test_what_a_command_leaves_behind_is_ended_with_it_and_counted(shape, token):
    ends = shape.rpartition("sleep {token}")[0] + "exit 0"

    outcome = command.run(a_run(), a_command(*script(ends, token), timeout_seconds=20), always)

    assert (outcome.state, outcome.detail["survivors"]) == ("succeeded", 0)
    assert int(outcome.detail["left"]) >= 2
    assert "Processes that it left running were ended:" in outcome.sentence
    assert census(token) == 0


@pytest.mark.parametrize("shape", SHAPES, ids=SHAPE_NAMES)
def test_an_attempt_that_is_taken_back_is_stopped_at_once(shape, token):
    began = time.monotonic()

    outcome = command.run(a_run(), a_command(*script(shape, token)), lambda: not sleepers(token))

    assert (outcome.state, outcome.detail["reason"]) == ("unknown", "let_go")
    assert time.monotonic() - began < 5
    assert census(token) == 0


def test_a_heartbeat_that_breaks_leaves_nothing_running(token):
    def breaks():
        if sleepers(token):
            raise LookupError("the database is gone")
        return True

    with pytest.raises(LookupError):
        command.run(a_run(), a_command(*script(DAEMONS, token)), breaks)

    assert census(token) == 0


def sleepers(token):
    """Tell whether the command is under way: the worker and the wrapper only quote its script."""
    return any(text.startswith(b"sleep") for text in known(token).values())


WORKER = """
import os, signal, sys
from incidents.connectors import command
from tests.incidents.connectors.given import a_command, a_run

def alive(calls=[]):
    calls.append(os.getpid())
    if FORKS and len(calls) == 2 and os.fork() == 0:  # the first call comes before anything is started
        signal.pause()
    return True

command.run(a_run(deadline_seconds=60), a_command(*sys.argv[1:]), alive)
"""


def a_worker(shape, token, *, forks=False):
    """A process of its own that runs the command, as a worker does."""
    program = WORKER.replace("FORKS", str(forks))
    argv = [sys.executable, "-c", program, *script(shape, token)]
    return subprocess.Popen(argv, cwd=ROOT, start_new_session=True)


@pytest.mark.faults
@pytest.mark.parametrize("shape", SHAPES, ids=SHAPE_NAMES)
@pytest.mark.parametrize("whole_group", [False, True], ids=["worker", "worker group"])
def test_when_the_worker_is_killed_everything_dies_with_it(shape, whole_group, token):
    with a_worker(shape, token) as worker:
        assert reached(lambda: sleepers(token))
        (os.killpg if whole_group else os.kill)(worker.pid, signal.SIGKILL)

    assert reached(lambda: census(token) == 0, 3)


@pytest.mark.faults
def test_when_the_worker_is_killed_a_fork_of_it_does_not_keep_the_command_alive(token):
    """The fork still holds the lifeline; the wrapper sees that its parent has changed."""
    with a_worker(CHILDREN, token, forks=True) as worker:
        assert reached(lambda: sleepers(token) and forks_of(worker.pid))
        fork = forks_of(worker.pid)[0]
        os.kill(worker.pid, signal.SIGKILL)

    assert reached(lambda: not sleepers(token), 3)
    os.kill(fork, signal.SIGKILL)


@pytest.mark.faults
def test_when_worker_and_wrapper_are_killed_at_once_the_command_itself_dies(token):
    with a_worker(PLAIN, token) as worker:
        assert reached(lambda: sleepers(token))
        os.kill(worker.pid, signal.SIGSTOP)
        os.kill(the_wrapper(token), signal.SIGKILL)
        os.kill(worker.pid, signal.SIGKILL)

    assert reached(lambda: census(token) == 0, 3)


def forks_of(worker):
    """The children of the worker that are no wrapper."""
    return [pid for pid, parent, session in processes() if parent == worker and session == worker]


def the_wrapper(token):
    return next((pid for pid, text in known(token).items() if b"wrapper.py" in text), 0)


LOST = [(signal.SIGKILL, shape) for shape in SHAPES] + [(signal.SIGSTOP, shape) for shape in (PLAIN, DAEMONS)]


@pytest.mark.faults
@pytest.mark.parametrize(("blow", "shape"), LOST)
def test_when_the_wrapper_is_lost_the_worker_clears_up_and_says_unknown(shape, blow, token):
    def strike():
        if reached(lambda: the_wrapper(token) and sleepers(token)):
            os.kill(the_wrapper(token), blow)

    assassin = threading.Thread(target=strike)
    assassin.start()
    began = time.monotonic()

    outcome = command.run(a_run(), a_command(*script(shape, token), timeout_seconds=1.5), always)

    assassin.join()
    assert (outcome.state, outcome.detail["reason"]) == ("unknown", "lost")
    assert time.monotonic() - began < 4.0
    assert census(token) == 0


def test_a_command_cannot_forge_its_ending(token):
    """It has no descriptor of ours, so it can only print."""
    forged = """printf '{"event": "ended", "reason": "exited", "code": 0, "left": 0, "survivors": 0}\\n'; exit 4"""

    outcome = command.run(a_run(), a_command(*script(forged, token)), always)

    assert (outcome.state, outcome.detail["exit_code"]) == ("failed", 4)


@pytest.mark.faults
def test_a_flood_of_output_does_not_hold_up_the_deadline(token):
    began = time.monotonic()

    outcome = command.run(a_run(), a_command("/usr/bin/yes", token, timeout_seconds=0.5), always)

    assert (outcome.state, outcome.detail["reason"]) == ("unknown", "deadline")
    assert outcome.output_dropped > 0
    assert time.monotonic() - began < 2.5
    assert census(token) == 0


@pytest.mark.faults
def test_forty_commands_at_once_do_not_disturb_each_other(token):
    outcomes = []
    limits = a_command("/bin/sh", "-c", f"echo $LASTGOOD_FENCE; : {token}")
    threads = [
        threading.Thread(target=lambda n=n: outcomes.append((n, command.run(a_run(fence=n), limits, always))))
        for n in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted((n, o.state, o.output) for n, o in outcomes) == [(n, "succeeded", f"{n}\n") for n in range(40)]
    assert census(token) == 0
