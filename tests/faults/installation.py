"""One whole portal in a folder: database, broker, web server, worker groups, clock and mail sink, each a real process.

Everything in it can be killed, frozen and started again while the others work on.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import redis

from portal.bootstrap.places import ROOT
from portal.demo import ports, services, valkey
from portal.demo.processes import Child, wait_until
from tests.faults import misbehaving, stubborn
from tests.faults.target import Target
from tests.servers import migrated
from tests.servers.nursery import Nursery

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SETTINGS = {
    "LASTGOOD_ATTEMPT_LEASE_SECONDS": "6",
    "LASTGOOD_SWEEP_SECONDS": "1",
    "LASTGOOD_RING_AGAIN_SECONDS": "5",
    "LASTGOOD_MAIL_LEASE_SECONDS": "4",
    "LASTGOOD_DATABASE_PATIENCE_SECONDS": "20",
    "LASTGOOD_LOG_LEVEL": "INFO",
    "FAULTS_SECRET": SECRET,
}
GROUPS, PROCESSES = 2, 4
TRACEBACK = "Traceback (most recent call last)"
# One that was raised while another was handled is one with it. In our own logs a line break is written as such.
CHAINED = re.compile(r"(another exception occurred|direct cause of the following exception):\s*(\\n)*Traceback")


def seed() -> int:
    """What chance follows in this run; printed, so that a failed run can be repeated."""
    given = os.environ.get("LASTGOOD_FAULT_SEED")
    chosen = int(given) if given else random.SystemRandom().randrange(10**6)
    os.environ["LASTGOOD_FAULT_SEED"] = str(chosen)
    return chosen


@dataclass(frozen=True)
class Answer:
    """What the portal said; status 0 is no answer."""

    status: int
    value: Any
    seconds: float


class Lines:
    """A process that is asked by lines of JSON and answers each by one."""

    def __init__(self, module: str, env: dict[str, str], log: Path) -> None:
        self._lock = threading.Lock()
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            env=env,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        with self._lock:
            print(json.dumps(asked), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        said: dict[str, Any] = json.loads(line) if line else {"error": "The process has ended."}
        assert "error" not in said, said["error"]
        return said

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate()
        self._log.close()


class Stagehand(Lines):
    """The process that sets the stage and reads rows, from the test's side."""

    def do(self, name: str, *arguments: Any, **asked: Any) -> Any:
        """Call one of its functions and return what that returns."""
        return self.ask({"do": name, "arguments": arguments, **asked})["value"]

    def rows(self, model: str, *fields: str, **where: Any) -> list[list[Any]]:
        return self.all_rows(f"incidents.{model}", *fields, **where)

    def all_rows(self, model: str, *fields: str, **where: Any) -> list[list[Any]]:
        found: list[list[Any]] = self.do("rows", model=model, fields=fields, where=where)
        return found


class Installation:
    """The processes of one portal, and what a test does to them."""

    def __init__(self, engine: str, folder: Path, stack: ExitStack, **settings: str) -> None:
        self.engine, self.folder, self._stack = engine, folder, stack
        self.random = random.Random(seed())
        self.target = Target(self.random.randrange(10**6))
        stack.callback(self.target.close)
        self.odd = misbehaving.servers(stack)
        # A number used once, by which a census knows what our commands have started.
        self.token = f"3{self.random.randrange(10**5)}.{self.random.randrange(10**9):09}"
        self.places = services.Places(
            folder / "data", stack.enter_context(ports.claimed(ports.any_free())), 0, 0, folder / "valkey.sock"
        )
        (self.places.data / "static").mkdir(parents=True)
        (folder / "scratch").mkdir()
        self.database, self.env = self._database(), {}
        self.env = self._environment() | settings
        self.workers: list[Child] = []
        self.started = 0

    def _database(self) -> Child | None:
        if self.engine == "sqlite":
            self.url = migrated.sqlite(self.places.data / "lastgood.sqlite3")
            return None
        cluster = self.folder / "pg"
        cluster.mkdir()
        child, self.url = migrated.postgresql(cluster, self.folder / "postgresql.log")
        self._stack.callback(child.stop)
        return child

    def _environment(self) -> dict[str, str]:
        sink, port = ports.listening()
        self.mail = Child(
            "mail",
            [sys.executable, "-m", "portal.demo.sink", str(sink.fileno()), str(self.folder / "mail")],
            self.places.log("mail"),
            os.environ | {"PYTHONPATH": str(ROOT)},
            [sink.fileno()],
        ).start()
        self._stack.callback(self.mail.kill)
        sink.close()
        hosts = ",".join([self.target.place, *(odd.place for odd in self.odd.values())])
        return (
            os.environ
            | SETTINGS
            | {
                "DJANGO_SETTINGS_MODULE": "portal.settings",
                "DATABASE_URL": self.url,
                "REDIS_URL": f"unix://{self.places.socket}",
                "EMAIL_URL": f"smtp://{ports.HOST}:{port}",
                "SECRET_KEY": "only-for-tests-" + "x" * 40,
                "ALLOWED_HOSTS": "127.0.0.1,localhost",
                "PUBLIC_URL": self.places.url,
                "LASTGOOD_DATA_DIR": str(self.places.data),
                "LASTGOOD_OUTBOUND_HOSTS": hosts,
                "LASTGOOD_OUTBOUND_PRIVATE_HOSTS": hosts,
                "LASTGOOD_COMMANDS": json.dumps(stubborn.commands(self.token)),
                "TMPDIR": str(self.folder / "scratch"),
                "PYTHONPATH": str(ROOT),
                "PYTHONUNBUFFERED": "1",
                "CELERY_SKIP_CHECKS": "true",
                "C_FORCE_ROOT": "1",
            }
        )

    def start(self) -> None:
        """Start every part; the portal is ready then."""
        self.broker = services.broker(self.places)
        self.start_broker()
        self._stack.callback(lambda: self.broker.kill())
        self.web = services.web(self.places, self.env).start()
        self._stack.callback(lambda: self.web.kill())
        self.hand = Stagehand("tests.faults.stagehand", self.env, self.places.log("stagehand"))
        self._stack.callback(self.hand.close)
        self._nursery = Nursery(self.places.log("nursery"), self.env)
        self._stack.callback(self._nursery.close)
        self._stack.callback(self.stop_workers)
        self.beat = services.beat(self.places, self.env).start()
        self._stack.callback(lambda: self.beat.kill())
        self.tokens: dict[str, str] = self.hand.do("tokens")
        for _ in range(GROUPS):
            self.start_worker()
        assert wait_until(lambda: self.ask("GET", "/readyz").status == 200, seconds=60, every=0.2), self.tails()

    # What stands and falls -----------------------------------------------------------------------------------------

    def start_worker(self, *, processes: int = PROCESSES, cold: bool = False, **env: str) -> Child:
        """Start one group: a main process and its children, who take what the broker offers.

        Args:
            cold: from nothing, as with settings of its own; else from a process that has imported the portal.
        """
        self.started += 1
        name = f"worker{self.started}"
        options = ["-l", "info", "-n", f"{name}@faults", "-c", str(processes), "-Q", "celery,actions,mail,reports"]
        command = ["worker", *options, "--without-gossip", "--without-mingle"]
        if cold or env:
            celery = [sys.executable, "-m", "celery", "-A", "portal.celery"]
            group = Child(name, [*celery, *command], self.places.log(name), self.env | env).start()
        else:
            group = self._nursery.start(Child(name, command, self.places.log(name), self.env))
        self.workers.append(group)
        return group

    def stop_workers(self) -> None:
        for group in self.workers:
            group.kill()
        self.workers.clear()

    def kill_group(self, group: Child) -> set[str]:
        """Kill -9 everything of one group. Returns the attempts that it had started."""
        dead = {group.process.pid, *children(group.process.pid)}
        group.kill()
        self.workers.remove(group)
        assert wait_until(lambda: not any(map(is_running, dead)), seconds=5)
        return self.in_work_of(dead)

    def kill_child(self, group: Child) -> set[str]:
        """Kill -9 one child, as the kernel does that runs out of memory. Returns the attempts that it had started.

        Celery gives up a whole group that loses a child while it starts: that is a supervisor's work, not meant here.
        """
        if not self._is_ready(group):
            assert wait_until(lambda: self._is_ready(group), seconds=20), group.tail()
            time.sleep(0.2)
        found = children(group.process.pid)
        if not found:
            return set()
        pid = self.random.choice(found)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not is_running(pid), seconds=5)
        return self.in_work_of({pid})

    def _is_ready(self, group: Child) -> bool:
        return b" ready." in group.log.read_bytes()

    def in_work_of(self, dead: set[int]) -> set[str]:
        """The attempts that these processes had taken: of one that is still leased, the start may be on its way."""
        found = self.hand.rows("Attempt", "id", "lease_owner", state__in=["leased", "started"])
        return {str(key) for key, owner in found if int(owner.rpartition(":")[2] or 0) in dead}

    @contextmanager
    def asleep(self, group: Child) -> Iterator[set[str]]:
        """Stop a whole group in its tracks. Gives the attempts that this may leave unknown.

        Besides its own these are everybody's, of an incident that it has locked: they cannot renew their leases.
        """
        pids = {*children(group.process.pid), group.process.pid}
        with stopped(*pids):
            held_up = self.hand.do("held_up")
            waiting = self.hand.rows("Attempt", "id", state="started", action__incident__reference__in=held_up)
            yield self.in_work_of(pids) | {str(key) for [key] in waiting}

    def flush(self) -> None:
        """Forget every message."""
        with suppress(redis.RedisError), redis.Redis(unix_socket_path=str(self.places.socket)) as broker:
            broker.flushall()

    def start_database(self) -> None:
        """Start PostgreSQL again where it was stopped."""
        assert self.database
        seen = len(self.database.tail(10_000))
        self.database.start()
        ready = "ready to accept connections"
        assert wait_until(lambda: ready in self.database.tail(10_000)[seen:], seconds=60), self.database.tail()

    def start_broker(self) -> None:
        self.broker.start()
        assert valkey.wait(self.places.socket, self.broker), self.broker.tail()

    def stop_broker(self) -> None:
        self.broker.kill()

    def broker_away(self, seconds: float) -> None:
        """Kill the broker, wait, start it again with what its file has kept."""
        self.stop_broker()
        time.sleep(seconds)
        self.start_broker()

    def broker_frozen(self, seconds: float) -> None:
        """Stop the broker in its tracks: it is there and says nothing."""
        with stopped(self.broker.process.pid):
            time.sleep(seconds)

    def restart_web(self) -> None:
        self.web.kill()
        self.web.start()
        assert wait_until(lambda: self.ask("GET", "/healthz").status == 200, seconds=30, every=0.05), self.tails()

    # What people see -----------------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, role: str = "", body: Any = None, *, seconds: float = 30) -> Answer:
        """Ask the portal, over a connection of its own; in a role, below /api/v1."""
        line = HTTPConnection(ports.HOST, self.places.port, timeout=seconds)
        headers = {"Authorization": f"Bearer {self.tokens[role]}", "Content-Type": "application/json"} if role else {}
        began = time.monotonic()
        try:
            line.request(method, f"/api/v1/{path}" if role else path, json.dumps(body) if body else None, headers)
            answer = line.getresponse()
            content = answer.read()
        except (OSError, HTTPException):
            return Answer(0, None, time.monotonic() - began)
        finally:
            line.close()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return Answer(answer.status, json.loads(content) if is_json else content, time.monotonic() - began)

    def page(self, path: str, role: str) -> str:
        """A page as its reader sees it, signed in."""
        cookie = self.hand.do("session", role)
        line = HTTPConnection(ports.HOST, self.places.port, timeout=30)
        line.request("GET", path, headers={"Cookie": f"session={cookie}"})
        answer = line.getresponse()
        text = answer.read().decode()
        line.close()
        assert answer.status == 200, text[:2000]
        return text

    def attempts(self, keys: set[str]) -> dict[str, str]:
        """The states of these attempts."""
        return {key: state for key, state in self.hand.rows("Attempt", "id", "state") if key in keys}

    def tails(self) -> str:
        logs = sorted((self.places.data / "logs").glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)

    def logs(self) -> dict[Path, int]:
        """Every log with its size now."""
        return {log: log.stat().st_size for log in sorted((self.places.data / "logs").glob("*.log"))}

    def tracebacks(self, expected: str, since: dict[Path, int]) -> list[str]:
        """What the processes logged after that moment and nobody expected; each with the log's name."""
        found = []
        for log in self.logs():
            text = CHAINED.sub("", log.read_bytes()[since.get(log, 0) :].decode(errors="replace"))
            parts = text.split(TRACEBACK)[1:]
            found += [f"{log.name}: {part[-3000:]}" for part in parts if not re.search(expected, part)]
        return found


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Processes that do not move, for a while."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    # The signal is on its way when it has been sent: until it arrives a process may still commit.
    assert wait_until(lambda: all(map(stands_still, pids)), seconds=10)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def stands_still(pid: int) -> bool:
    """Whether each of its threads has stopped, or is gone."""
    with suppress(OSError):
        return all(_state(stat) in "TZX" for stat in Path(f"/proc/{pid}/task").glob("*/stat"))
    return True


def is_running(pid: int) -> bool:
    """Whether it can still do anything: a zombie cannot."""
    with suppress(OSError):
        return _state(Path(f"/proc/{pid}/stat")) not in "ZX"
    return False


def _state(stat: Path) -> str:
    return stat.read_text().rpartition(")")[2].split()[0]


@contextmanager
def installed(engine: str, kind: type[Installation] = Installation, **settings: str) -> Iterator[Any]:
    """A running installation, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="lg-", ignore_cleanup_errors=True) as place, ExitStack() as stack:
        Path(place).chmod(0o755)
        portal = kind(engine, Path(place), stack, **settings)
        sys.stderr.write(f"\n{engine}: LASTGOOD_FAULT_SEED={seed()}\n")
        portal.start()
        yield portal
