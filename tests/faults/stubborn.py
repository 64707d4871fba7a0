"""Commands that do not want to end. They sleep for `token` seconds, by which a census knows them."""

from __future__ import annotations

from typing import Any

SECONDS = 3
FLOOD_BYTES = 1 << 30
SHAPES = {
    "ignores-term": "trap '' TERM INT HUP; sleep {token}; sleep {token}",
    "children": "sleep {token} & (sleep {token} & sleep {token}) & sleep {token}",
    "daemons": "(setsid sh -c 'sleep {token} & sleep {token} &' &); (setsid sleep {token} >/dev/null &); sleep {token}",
}


def commands(token: str) -> dict[str, Any]:
    """LASTGOOD_COMMANDS."""
    found = {
        name: {"argv": ["/bin/sh", "-c", shape.replace("{token}", token)], "timeout_seconds": SECONDS}
        for name, shape in SHAPES.items()
    }
    flood = {"argv": ["/usr/bin/head", "-c", str(FLOOD_BYTES), "/dev/zero"], "timeout_seconds": 60}
    patient = {"argv": ["/bin/sh", "-c", f"sleep {token} & sleep {token}"], "timeout_seconds": 60}
    return found | {"flood": flood, "patient": patient}
