"""What the connector tests start from: a job, generous limits, a census of processes, waiting for a state."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from incidents.connectors.base import Job, Limits

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRET = "s3cr3t-Canary/Value+42"


def always() -> bool:
    return True


def a_job(**changes: Any) -> Job:
    fields: dict[str, Any] = {
        "attempt_id": uuid4(),
        "idempotency_key": "RB-2026-0007.api-rollback.1",
        "epoch": 3,
        "fence": 12,
        "incident": "RB-2026-0007",
        "action_key": "api-rollback",
        "action_title": "Roll the API back",
        "product": "portarium",
        "target": "4f1c2d9",
        "arguments": {},
        "config": {},
        "secret": None,
        "deadline_seconds": 10.0,
    }
    return Job(**(fields | changes))


def a_command(*argv: str, **entry: Any) -> Limits:
    """Limits that allow one command, named `it`, and ask `alive` often."""
    return Limits(commands={"it": {"argv": list(argv)} | entry}, alive_every_seconds=0.05)


def a_run(**changes: Any) -> Job:
    """A job for the command of `a_command`."""
    return a_job(config={"command": "it"}, **changes)


def here(url: str, **changes: Any) -> Limits:
    """Limits that allow one local server, without TLS."""
    place = url.split("/")[2]
    fields: dict[str, Any] = {"allowed_hosts": [place], "allow_plain_http_hosts": [place], "alive_every_seconds": 0.05}
    return Limits(**(fields | changes))


def known(token: str) -> dict[int, bytes]:
    """Return the command lines, by pid, of the running processes that have `token` in theirs; a zombie has none."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if token.encode() in (text := path.read_bytes()):
                found[int(path.parent.name)] = text
    return found


def census(token: str) -> int:
    """Count them."""
    return len(known(token))


def reached(state: Callable[[], object], seconds: float = 10.0) -> bool:
    """Wait until `state` holds; False if it does not in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if state():
            return True
    return False


def a_notification(status: str = "firing", **changes: Any) -> dict[str, Any]:
    """What Alertmanager's webhook receiver sends of one group."""
    labels = {"alertname": "ProjectionLag", "severity": "critical", "service": "projector"}
    alert = {
        "status": status,
        "labels": labels | {"shard": "3"},
        "annotations": {"summary": "Projections are 14 minutes behind"},
        "startsAt": "2026-11-24T14:02:11.123Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=lag",
        "fingerprint": "a1b2c3d4e5f60718",
    }
    sent = {
        "version": "4",
        "groupKey": '{}:{alertname="ProjectionLag"}',
        "truncatedAlerts": 0,
        "receiver": "lastgood",
        "status": status,
        "alerts": [alert],
        "groupLabels": {"alertname": "ProjectionLag"},
        "commonLabels": labels,
        "commonAnnotations": {"summary": "Projections are 14 minutes behind", "description": "Since deploy 1182."},
        "externalURL": "http://alertmanager:9093",
    }
    return sent | changes
