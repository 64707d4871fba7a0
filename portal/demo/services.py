"""The processes a portal is made of, as the demo runs them."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from portal.bootstrap.places import ROOT
from portal.demo import folder, outside, ports, valkey
from portal.demo.processes import Child


@dataclass(frozen=True)
class Places:
    """Where one demo keeps and offers what."""

    data: Path
    port: int
    smtp_port: int
    receiver_port: int
    socket: Path

    @property
    def url(self) -> str:
        """The address to open."""
        return f"http://{ports.HOST}:{self.port}"

    @property
    def mailbox_url(self) -> str:
        """Where the mail it sends can be read."""
        return f"{self.url}/mailbox/"

    @property
    def users_file(self) -> Path:
        """The demo people with their sign-ins, as the seed wrote them."""
        return self.data / "users.json"

    def log(self, name: str) -> Path:
        """The file that one child's output goes to."""
        return self.data / "logs" / f"{name}.log"


def environment(places: Places) -> dict[str, str]:
    """The settings of the demo's portal, over what the terminal has set."""
    scratch = folder.scratch(places.data)
    portal, receiver = f"{ports.HOST}:{places.port}", f"{ports.HOST}:{places.receiver_port}"
    acted_on = outside.settings(portal, receiver, outside.new_secret())
    return (
        os.environ
        | acted_on
        | {
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DATABASE_URL": f"sqlite:///{places.data / 'lastgood.sqlite3'}",
            "REDIS_URL": f"unix://{places.socket}",
            "EMAIL_URL": f"smtp://{ports.HOST}:{places.smtp_port}",
            "SECRET_KEY": folder.secret_key(places.data),
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "PUBLIC_URL": places.url,
            "LASTGOOD_DATA_DIR": str(places.data),
            "LASTGOOD_MAILBOX": str(places.data / "mail"),
            "LASTGOOD_DEMO": "1",
            # Nobody who tries the demo waits two minutes to see the reminder.
            "LASTGOOD_OVERDUE_GRACE_SECONDS": "5",
            "TMPDIR": str(scratch),
            "PYTHONUNBUFFERED": "1",
            # The worker and beat would check what the preparation has checked.
            "CELERY_SKIP_CHECKS": "true",
            "PYTHONPATH": str(ROOT),
            # Celery refuses to run as root unless told; here root owns every file the worker touches.
            "C_FORCE_ROOT": "1",
        }
    )


def broker(places: Places) -> Child:
    """The message broker, which keeps its messages over a restart."""
    return valkey.server(places.data / "valkey", places.socket, places.log("broker"), keeps=True)


def mail(places: Places, env: dict[str, str], listening: int) -> Child:
    """The mail server behind the mailbox page."""
    return _python("mail", places, env, ["portal.demo.sink", str(listening), str(places.data / "mail")], [listening])


def receiver(places: Places, env: dict[str, str], listening: int) -> Child:
    """The outside system that webhooks go to."""
    options = ["portal.demo.receiver", str(listening), str(places.data / "receiver")]
    return _python("receiver", places, env, options, [listening])


def prepare(places: Places, env: dict[str, str]) -> Child:
    """Migrations and demo data; ends by itself."""
    return _python("prepare", places, env, ["portal.demo.prepare", str(places.users_file)])


def web(places: Places, env: dict[str, str]) -> Child:
    """The web server, on loopback only."""
    options = ["--host", ports.HOST, "--port", str(places.port), "--workers", "1", "--blocking-threads", "4", "--no-ws"]
    command = ["granian", "--interface", "wsgi", *options, "--respawn-failed-workers", "portal.wsgi:application"]
    return _python("web", places, env, command)


def worker(places: Places, env: dict[str, str]) -> Child:
    """The worker for actions, mail and reports."""
    queues = ["-Q", "celery,actions,mail,reports", "-c", "3", "--without-gossip", "--without-mingle"]
    return _python("worker", places, env, ["celery", "-A", "portal.celery", "worker", *queues, "-l", "info"])


def beat(places: Places, env: dict[str, str]) -> Child:
    """The clock that repeats what a lost message left undone."""
    kept = ["-s", str(places.data / "beat-schedule"), "--pidfile="]
    return _python("beat", places, env, ["celery", "-A", "portal.celery", "beat", *kept, "-l", "info"])


def _python(name: str, places: Places, env: dict[str, str], module: list[str], keep: list[int] | None = None) -> Child:
    return Child(name, [sys.executable, "-m", *module], places.log(name), env, keep or ())
