"""Measures commit → start of an action against a bare Celery task and raw Redis: `python -m tests.bench.dispatching`.

Run in a process of its own, on the database of DATABASE_URL, which has the portal's tables, and the broker of
REDIS_URL. Prints one JSON object. An action has started when `started` is committed; its connector then refuses at
once, so that what is left of the time is ours. Worker processes run as `python -m tests.bench.dispatching worker …`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
import redis
from celery import Celery

PROCESSES = 2
PACED, BURST, AFTER_AN_ACT = 300, 2000, 100
WHOLE = 500
# An action is seen to its end by the worker that starts it; the next one comes when that is over.
PAUSE_SECONDS, PAUSE_OF_ACTIONS = 0.006, 0.03
ACTIONS_OF_AN_INCIDENT = 20
START_ONLY = "bench.start"
BEGAN = time.monotonic()
PLACE = Path(os.environ.get("BENCH_PLACE", "/tmp"))

bare = Celery("bare", broker=os.environ.get("REDIS_URL", "").replace("unix://", "redis+socket://"))
bare.conf.update(
    task_ignore_result=True, worker_prefetch_multiplier=1, task_default_queue="bare", worker_hijack_root_logger=False
)


@bare.task(name="bare")
def note(name: str) -> None:
    _note("bare", name)


def main() -> None:
    """`worker bare|portal|started` is one of the processes measured; without it, measure."""
    if sys.argv[1:2] == ["worker"]:
        _work(sys.argv[2])
        return
    django.setup()
    found: dict[str, Any] = {"raw": _raw(), "celery": _celery(), "action": _actions()}
    found["p50_of_celery"] = round(found["action"]["p50_ms"] / found["celery"]["p50_ms"], 2)
    found["p50_of_celery_after_an_act"] = round(found["action"]["p50_ms"] / found["celery"]["after_an_act_p50_ms"], 2)
    found["p50_of_raw"] = round(found["action"]["p50_ms"] / found["raw"]["p50_ms"], 2)
    found["profile"] = _profile()
    sys.stdout.write(json.dumps(found) + "\n")


# What is measured ----------------------------------------------------------------------------------------------------


def _raw() -> dict[str, float]:
    """LPUSH and BRPOP, two consumers."""
    consumers = [_process("raw") for _ in range(PROCESSES)]
    with _broker() as line:
        sent = _paced(lambda name: line.lpush("raw", name), "raw")
        figures = _figures(sent, "raw") | _burst(lambda name: line.lpush("raw", name), "raw")
    _end(consumers)
    _say("raw", figures)
    return figures


def _celery() -> dict[str, float]:
    """A task that does nothing, acknowledged early, two processes.

    `after_an_act` is one sent as an action's bell is: by a process that has just committed a dispatch, and as seldom.
    """
    worker = _process("bare")
    _until(lambda: bool(bare.control.ping(timeout=0.3)))
    figures = _figures(_paced(lambda name: note.delay(name), "bare"), "bare")
    figures |= {f"after_an_act_{name}": value for name, value in _figures(_after_acts(), "bare").items()}
    figures |= _burst(note.delay, "bare")
    _end([worker])
    _say("celery", figures)
    return figures


def _after_acts() -> dict[str, float]:
    """Bare tasks, each sent where the bell of an action would ring."""
    sent = {}
    with _no_bells():
        for action in _planned(AFTER_AN_ACT):
            name, sent_at = f"after-{action.pk}", _dispatched(action)[1]
            note.delay(name)
            sent[name] = sent_at
            time.sleep(PAUSE_OF_ACTIONS)
    return sent


def _actions() -> dict[str, float]:
    """From the commit of `rollback.dispatch` to that of `started`, then all at once; one worker of two processes.

    `whole_per_second` is a burst with each attempt seen to its end: claimed, started, refused, settled.
    """
    from portal.celery import app

    worker = _process("portal")
    _until(lambda: bool(app.control.ping(timeout=0.3)))
    actions = _planned(PACED)
    sent = {}
    for action in actions[:20]:
        _dispatched(action)
    _until(lambda: len(_noted("portal")) == 20)
    for action in actions[20:]:
        name, at = _dispatched(action)
        sent[name] = at
        time.sleep(PAUSE_OF_ACTIONS)
    figures = _figures(sent, "portal")
    _say("action", figures)
    figures["whole_per_second"] = _burst_of_actions("portal", _ring, WHOLE)
    _end([worker])
    worker = _process("started")
    _until(lambda: bool(app.control.ping(timeout=0.3)))
    figures["starts_per_second"] = _burst_of_actions("started", _ring_start_only, BURST)
    _end([worker])
    return figures


def _burst_of_actions(name: str, ring: Callable[[str], Any], number: int) -> float:
    with _no_bells():
        waiting = {_dispatched(action)[0] for action in _planned(number)}
    _say("queued", len(waiting))
    began = time.time()
    for one in waiting:
        ring(one)
    _until(lambda: waiting <= set(_noted(name)), seconds=120)
    rate = round(number / (max(at for one, at in _noted(name).items() if one in waiting) - began))
    _say(f"burst {name}", rate)
    return rate


def _ring(attempt: str) -> None:
    from incidents import tasks

    tasks.run_attempt.apply_async([attempt])


def _ring_start_only(attempt: str) -> None:
    from portal.celery import app

    app.send_task(START_ONLY, [attempt], queue="actions")


def _profile() -> dict[str, Any]:
    """Statements and time of claim and start, in this process."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from incidents.models import Attempt
    from incidents.steps import attempts

    with _no_bells():
        waiting = [_dispatched(action)[0] for action in _planned(220)]
    claims: list[float] = []
    starts: list[float] = []
    for one in waiting[:-1]:
        began = time.perf_counter()
        claimed = attempts.claim(one, "bench")
        claims.append(time.perf_counter() - began)
        began = time.perf_counter()
        assert claimed
        assert attempts.start(claimed)
        starts.append(time.perf_counter() - began)
        Attempt.objects.filter(pk=one).update(state="failed")
    with CaptureQueriesContext(connection) as asked:
        claimed = attempts.claim(waiting[-1], "bench")
        number = len(asked)
        assert claimed
        attempts.start(claimed)
    return {
        "claim_ms": round(1000 * statistics.median(claims[20:]), 2),
        "start_ms": round(1000 * statistics.median(starts[20:]), 2),
        "claim_statements": number,
        "start_statements": len(asked) - number,
        "statements": [f"{1000 * float(q['time']):.0f} {str(q['sql'])[:150]}" for q in asked.captured_queries],
    }


# The world -----------------------------------------------------------------------------------------------------------


def _say(what: str, value: Any) -> None:
    """Figures as they come, for who waits."""
    sys.stderr.write(f"{time.monotonic() - BEGAN:4.0f} s {what}: {value}\n")
    sys.stderr.flush()


def _planned(number: int) -> list[Any]:
    """Actions of confirmed plans that are ready to be dispatched, the incidents taking turns."""
    from incidents.models import Action, Connector, Product, Wiring
    from incidents.terms import ConnectorKind, Phase
    from tests.factories import make_incident
    from tests.faults import stagehand

    connector, _ = Connector.objects.get_or_create(
        name="Nobody", defaults={"kind": ConnectorKind.COMMAND, "config": {"command": "none"}, "max_parallel": 30_000}
    )
    keys = stagehand.publish(ACTIONS_OF_AN_INCIDENT)
    found = []
    for _ in range(number // ACTIONS_OF_AN_INCIDENT):
        crew = stagehand.crew_of(Product.objects.create(slug=f"bench-{Product.objects.count()}", name="Bench"))
        Wiring.objects.bulk_create(Wiring(product=crew.product, key=key, connector=connector) for key in keys)
        incident = make_incident(crew, at=Phase.ROLLING_BACK)
        found.append(list(Action.objects.filter(incident=incident, key__in=keys).select_related("incident")))
    return [action for turn in zip(*found, strict=True) for action in turn]


@contextmanager
def _no_bells() -> Iterator[None]:
    """What is dispatched in here waits."""
    from incidents import tasks

    tasks._quiet_until = time.monotonic() + 600
    yield
    tasks._quiet_until = 0.0


def _dispatched(action: Any) -> tuple[str, float]:
    """The attempt, and when it was committed: before its bell is rung."""
    from django.db import transaction

    from incidents.models import Membership
    from incidents.steps import rollback

    committed: list[float] = []
    lead = Membership.objects.select_related("user").get(incident=action.incident, role=action.owner).user
    with transaction.atomic():
        transaction.on_commit(lambda: committed.append(time.time()))
        attempt = rollback.dispatch(action, by=lead)
    return str(attempt.pk), committed[0]


# Times and processes -------------------------------------------------------------------------------------------------


def _paced(send: Callable[[str], Any], name: str) -> dict[str, float]:
    for number in range(20):
        send(f"warm-{name}-{number}")
    _until(lambda: len(_noted(name)) == 20)
    sent = {}
    for number in range(PACED):
        sent[f"{name}-{number}"] = time.time()
        send(f"{name}-{number}")
        time.sleep(PAUSE_SECONDS)
    return sent


def _burst(send: Callable[[str], Any], name: str) -> dict[str, float]:
    names = {f"burst-{name}-{number}" for number in range(BURST)}
    began = time.time()
    for one in names:
        send(one)
    _until(lambda: names <= set(_noted(name)), seconds=60)
    return {"per_second": round(BURST / (max(at for one, at in _noted(name).items() if one in names) - began))}


def _figures(sent: dict[str, float], name: str) -> dict[str, float]:
    _until(lambda: set(sent) <= set(_noted(name)))
    noted = _noted(name)
    waits = sorted(1000 * (noted[one] - at) for one, at in sent.items())
    return {"p50_ms": round(statistics.median(waits), 2), "p99_ms": round(waits[int(0.99 * len(waits))], 2)}


def _note(name: str, what: str) -> None:
    """Write down that it began, now; one short write to a shared file is one line."""
    at = time.time()
    with (PLACE / name).open("ab", buffering=0) as file:
        file.write(f"{what} {at!r}\n".encode())


def _noted(name: str) -> dict[str, float]:
    file = PLACE / name
    lines = file.read_text().splitlines() if file.exists() else []
    return {what: float(at) for what, _, at in (line.partition(" ") for line in lines)}


def _until(holds: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)


def _broker() -> redis.Redis:
    return redis.Redis.from_url(os.environ["REDIS_URL"])


def _process(kind: str) -> subprocess.Popen[bytes]:
    log = (PLACE / f"{kind}.log").open("ab")
    return subprocess.Popen([sys.executable, "-m", __spec__.name, "worker", kind], stdout=log, stderr=log)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(30)


def _work(kind: str) -> None:
    if kind == "raw":
        with _broker() as line:
            while True:
                _note("raw", line.brpop("raw")[1].decode())
    options = ["-l", "warning", "-c", str(PROCESSES), "--without-gossip", "--without-mingle", "--without-heartbeat"]
    if kind == "bare":
        bare.worker_main(["worker", *options, "-Q", "bare"])
        return
    django.setup()
    from incidents.evidence.signals import entry_recorded
    from incidents.models import Attempt
    from incidents.steps import attempts
    from portal.celery import app

    def tell(kind: str, body: dict[str, Any], **_: Any) -> None:
        if kind == "action.started":
            _note(sys.argv[2], body["attempt"])

    @app.task(name=START_ONLY)
    def start(attempt: str) -> None:
        if claimed := attempts.claim(attempt, "bench"):
            attempts.start(claimed)
            # A connector never has thousands in work, and a claim counts them.
            Attempt.objects.filter(pk=attempt).update(state="failed")

    entry_recorded.connect(tell)
    app.worker_main(["worker", *options, "-Q", "celery,actions"])


if __name__ == "__main__":
    main()
