"""The demo's outside world is real: a process that prints, and a receiver that believes only signed messages."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from standardwebhooks.webhooks import Webhook

from incidents.connectors import command, webhook
from incidents.connectors.base import Job, Limits
from portal.demo import outside
from portal.demo.receiver import TOLERANCE_SECONDS, is_signed

ROOT = Path(__file__).resolve().parents[2]
SECRET = outside.new_secret()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[str]:
    """A receiver as the supervisor starts it; yields host:port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.set_inheritable(True)
        process = subprocess.Popen(
            [sys.executable, "-m", "portal.demo.receiver", str(listening.fileno()), str(tmp_path)],
            env=os.environ | {outside.SECRET_NAME: SECRET},
            cwd=ROOT,
            pass_fds=[listening.fileno()],
            stdout=subprocess.DEVNULL,
        )
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    process.terminate()
    process.wait(10)


def limits(place: str) -> Limits:
    given = outside.settings("127.0.0.1:1", place, SECRET)
    hosts = given["LASTGOOD_OUTBOUND_HOSTS"].split(",")
    commands = json.loads(given["LASTGOOD_COMMANDS"])
    return Limits(allowed_hosts=hosts, allow_private_hosts=hosts, allow_plain_http_hosts=hosts, commands=commands)


def job(config: dict[str, Any], **changes: Any) -> Job:
    attempt = uuid.uuid4()
    values: dict[str, Any] = {
        "attempt_id": attempt,
        "idempotency_key": str(attempt),
        "epoch": 1,
        "fence": 1,
        "incident": "RB-2026-0001",
        "action_key": "3e-revoke",
        "action_title": "Revoke",
        "product": "portarium",
        "target": "commit dbe79f1",
        "arguments": {},
        "config": config,
        "secret": SECRET,
        "deadline_seconds": 20,
    }
    return Job(**{**values, **changes})


def ledger(place: str) -> list[dict[str, Any]]:
    with urlopen(f"http://{place}/ledger") as answer:
        found: list[dict[str, Any]] = json.load(answer)
        return found


def test_a_signed_message_is_acted_on_once(receiver: str, tmp_path: Path) -> None:
    asked = job({"url": f"http://{receiver}/revoke", "idempotent": True})

    first = webhook.run(asked, limits(receiver), lambda: True)
    again = webhook.run(asked, limits(receiver), lambda: True)

    assert (first.state, first.remote_ref) == ("succeeded", "revocation-1")
    assert (again.state, again.remote_ref) == ("succeeded", "revocation-1")
    (row,) = ledger(receiver)
    assert (row["incident"], row["action"], row["fence"]) == ("RB-2026-0001", "portarium:3e-revoke", 1)
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 1


def test_a_message_that_was_overtaken_is_refused(receiver: str) -> None:
    config = {"url": f"http://{receiver}/revoke"}
    webhook.run(job(config, fence=7), limits(receiver), lambda: True)

    late = webhook.run(job(config, fence=6), limits(receiver), lambda: True)

    assert late.state == "failed"
    assert [row["fence"] for row in ledger(receiver)] == [7]


def test_a_message_by_somebody_else_is_refused(receiver: str) -> None:
    forged = webhook.run(
        job({"url": f"http://{receiver}/revoke"}, secret=outside.new_secret()), limits(receiver), lambda: True
    )
    with pytest.raises(HTTPError) as unsigned:
        urlopen(Request(f"http://{receiver}/revoke", b"{}", method="POST"))

    assert (forged.state, forged.detail["status"]) == ("failed", 401)
    assert unsigned.value.code == 401
    unsigned.value.close()
    assert ledger(receiver) == []


def test_an_old_message_is_not_believed() -> None:
    now, body = int(time.time()), '{"a":1}'
    signature = Webhook(SECRET).sign("m", datetime.fromtimestamp(now, UTC), body)
    headers = {"webhook-id": "m", "webhook-timestamp": str(now), "webhook-signature": f"v1,bm8= {signature}"}
    key = base64.b64decode(SECRET.removeprefix("whsec_"))

    assert is_signed(key, headers, body.encode(), now)
    assert not is_signed(key, headers, b'{"a":2}', now)
    assert not is_signed(key, headers, body.encode(), now + TOLERANCE_SECONDS + 1)
    assert not is_signed(key, {**headers, "webhook-timestamp": "soon"}, body.encode(), now)


def test_the_redeploy_is_a_real_process_that_says_what_it_is() -> None:
    outcome = command.run(job({"command": outside.COMMAND}), limits("127.0.0.1:1"), lambda: True)

    assert (outcome.state, outcome.detail["exit_code"]) == ("succeeded", 0)
    assert "this is a demo, nothing is deployed" in outcome.output
    assert outcome.output.rstrip().endswith("portarium runs commit dbe79f1")


@pytest.mark.parametrize("target", ["--help", "a;b", "$(id)", "a\nb"])
def test_a_target_that_is_no_name_never_reaches_it(target: str) -> None:
    outcome = command.run(job({"command": outside.COMMAND}, target=target), limits("127.0.0.1:1"), lambda: True)

    assert (outcome.state, outcome.detail["reason"]) == ("failed", "settings")
