"""How to speak to an outside system: one module per kind, the same few functions, plain values in and out."""

from __future__ import annotations

from incidents.connectors import argocd, awx, command, github, gitlab, jenkins, manual, rundeck, webhook
from incidents.connectors.base import Connector

registry: dict[str, Connector] = {
    "manual": manual,
    "webhook": webhook,
    "command": command,
    "github": github.CONNECTOR,
    "gitlab": gitlab.CONNECTOR,
    "argocd": argocd.CONNECTOR,
    "jenkins": jenkins.CONNECTOR,
    "awx": awx.CONNECTOR,
    "rundeck": rundeck.CONNECTOR,
}
