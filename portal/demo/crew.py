"""The children of one demo: started in an order, watched, stopped in an order."""

from collections.abc import Callable
from http.client import HTTPConnection, HTTPException

from portal.demo import folder, ports, services, valkey
from portal.demo.guard import Guard
from portal.demo.processes import Child, wait_until

READY_SECONDS = 60
# What talks stops before what it talks to.
STOP_ORDER = ("prepare", "web", "worker", "beat", "mail", "receiver", "broker")


class Failed(Exception):
    """A part did not start or did not stay; the sentence says which, with its last lines."""


class Crew:
    """Every process of one demo."""

    def __init__(self, places: services.Places, guard: Guard) -> None:
        """Make ready to start them in these places."""
        self.places = places
        self.env = services.environment(places)
        self.children: list[Child] = []
        self.guard = guard
        if places.socket.parent != places.data:
            self.guard.over_folder(str(places.socket.parent))

    def start_all(self, smtp: int, receiver: int) -> None:
        """Start every part; returns once `/readyz` answers 200. Raises Failed."""
        self._start(services.mail(self.places, self.env, smtp))
        self._start(services.receiver(self.places, self.env, receiver))
        broker = self._start(services.broker(self.places))
        self._start(services.web(self.places, self.env))
        if not valkey.wait(self.places.socket, broker):
            raise Failed(f"The broker does not answer.\n{broker.tail()}")
        self._prepare()
        self._start(services.worker(self.places, self.env))
        self._start(services.beat(self.places, self.env))
        self._wait_until(lambda: _readiness(self.places.port)[0] == 200, "The portal is not ready", self.children)

    def watch(self) -> int:
        """Wait for the first part to end, which none should. Raises Failed."""
        wait_until(lambda: _any_ended(self.children), seconds=float("inf"), every=0.5)
        _raise_for_ended(self.children)
        return 1

    def stop_all(self) -> None:
        """Stop each part in its turn."""
        for child in sorted(self.children, key=lambda child: STOP_ORDER.index(child.name)):
            child.stop()
            self.guard.release(child.process.pid)

    def kill_all(self) -> None:
        """End every part at once."""
        for child in self.children:
            child.strike()

    def _start(self, child: Child) -> Child:
        self.children.append(child.start())
        self.guard.over_group(child.process.pid)
        return child

    def _prepare(self) -> None:
        """Migrations and seed, unless nothing that they depend on has changed since."""
        done = self.places.data / "prepared"
        wanted = f"{folder.fingerprint()} {self.places.port} {self.places.receiver_port}"
        if self.places.users_file.exists() and done.exists() and done.read_text() == wanted:
            return
        done.unlink(missing_ok=True)
        others = list(self.children)
        child = self._start(services.prepare(self.places, self.env))
        self._wait_until(lambda: child.has_ended, "The database is not prepared", others)
        self.children.remove(child)
        self.guard.release(child.process.pid)
        if child.process.returncode:
            raise Failed(f"Preparing the database failed.\n{child.tail()}")
        self.places.users_file.chmod(0o600)
        folder.write_privately(done, wanted)

    def _wait_until(self, holds: Callable[[], bool], sentence: str, watched: list[Child]) -> None:
        # Seldom: `/readyz` costs the web process time that the others need to start.
        if not wait_until(lambda: _any_ended(watched) or holds(), seconds=READY_SECONDS, every=0.2):
            raise Failed(f"{sentence} after {READY_SECONDS} s: {_readiness(self.places.port)[1]}")
        _raise_for_ended(watched)


def _any_ended(watched: list[Child]) -> bool:
    return any(child.has_ended for child in watched)


def _raise_for_ended(watched: list[Child]) -> None:
    for child in watched:
        if child.has_ended:
            raise Failed(f"{child.name} ended with {child.process.returncode}. Its log ends:\n{child.tail()}")


def _readiness(port: int) -> tuple[int, str]:
    line = HTTPConnection(ports.HOST, port, timeout=5)
    try:
        line.request("GET", "/readyz")
        answer = line.getresponse()
        return answer.status, answer.read().decode(errors="replace")[:2000]
    except (OSError, HTTPException) as why:
        return 0, str(why)
    finally:
        line.close()
