"""How to speak to an outside system: one module per kind, the same two functions, plain values in and out."""

from __future__ import annotations

from incidents.connectors import command, manual, webhook
from incidents.connectors.base import Connector

registry: dict[str, Connector] = {"manual": manual, "webhook": webhook, "command": command}
