"""What the demo's portal acts on: a redeploy command, a receiver of webhooks, its own health address.

The supervisor starts the receiver and puts `settings` into the environment of every process; the seed wires them.
"""

from __future__ import annotations

import base64
import json
import secrets
import sys

from portal.bootstrap.places import ROOT

COMMAND = "demo-redeploy"
SECRET_NAME = "LASTGOOD_DEMO_WEBHOOK_SECRET"  # noqa: S105
RECEIVER_NAME = "LASTGOOD_DEMO_RECEIVER"


def new_secret() -> str:
    """A signing secret as Standard Webhooks wants it; a new one at each start will do."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def settings(portal: str, receiver: str, secret: str) -> dict[str, str]:
    """The environment that lets the demo's connectors work.

    Args:
        portal: `host:port` of the portal itself, for the health gate.
        receiver: `host:port` of the webhook receiver.
        secret: what both sides sign with.
    """
    hosts = f"{portal},{receiver}"
    return {
        "LASTGOOD_COMMANDS": json.dumps({COMMAND: _redeploy()}),
        "LASTGOOD_OUTBOUND_HOSTS": hosts,
        "LASTGOOD_OUTBOUND_PRIVATE_HOSTS": hosts,
        RECEIVER_NAME: f"http://{receiver}",
        SECRET_NAME: secret,
    }


def _redeploy() -> dict[str, object]:
    return {
        "argv": [sys.executable, str(ROOT / "portal" / "demo" / "redeploy.py"), "{product}", "{target}"],
        "arguments": {
            "product": {"pattern": "[a-z0-9-]+", "max_length": 60},
            "target": {"pattern": r"[A-Za-z0-9][A-Za-z0-9 ._/:@+#-]*", "max_length": 200},
        },
        "timeout_seconds": 60,
    }
