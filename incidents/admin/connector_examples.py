"""An example configuration for each kind of connector, shown beside the form."""

from __future__ import annotations

import json
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from incidents.terms import ConnectorKind

HELP = "The settings of this kind, as a JSON object."
_VALUES = {"attempt": "{attempt}", "revision": "{target}"}
EXAMPLES: dict[ConnectorKind, tuple[dict[str, Any], str]] = {
    ConnectorKind.MANUAL: ({}, "It has no settings: its owner does it and records the outcome."),
    ConnectorKind.WEBHOOK: (
        {"url": "https://deploy.example.org/hooks/roll-back", "wait_for": "callback"},
        "The secret is whsec_ and base64. Without wait_for, an accepting answer is the end.",
    ),
    ConnectorKind.COMMAND: ({"command": "roll-back"}, "The command stands in LASTGOOD_COMMANDS."),
    ConnectorKind.PROBE: (
        {"url": "https://app.example.org/healthz", "expect_status": 200},
        "For gates. A secret goes out as bearer token.",
    ),
    ConnectorKind.GITHUB: (
        {"repository": "acme/app", "workflow": "rollback.yml", "ref": "main", "values": _VALUES},
        "The secret is a token with Actions: read and write. The workflow has an input for each of the values.",
    ),
    ConnectorKind.GITLAB: (
        {"url": "https://gitlab.example.org", "project": "acme/app", "ref": "main", "values": _VALUES},
        "The secret is an access token with the scope api, of a member who is at least Developer.",
    ),
    ConnectorKind.ARGOCD: (
        {"url": "https://argocd.example.org", "application": "shop", "project": "default"},
        "The secret is a token of an account with applications, get and sync. Auto-sync must be off.",
    ),
    ConnectorKind.JENKINS: (
        {"url": "https://jenkins.example.org", "job": "ops/roll-back", "values": _VALUES},
        "The secret is user:token. The job declares a parameter for each of the values.",
    ),
    ConnectorKind.AWX: (
        {"url": "https://awx.example.org", "template": 12, "values": _VALUES},
        "The secret is a token. The template prompts for variables on launch.",
    ),
    ConnectorKind.RUNDECK: (
        {
            "url": "https://rundeck.example.org",
            "job": "c07518ef-b697-4792-9a59-5b4f08855b67",
            "values": _VALUES,
        },
        "The secret is a token that may read and run the job. The job has an option for each of the values.",
    ),
}


def help_text() -> SafeString:
    """What stands below the settings."""
    shown = (
        (kind.label, json.dumps(config, indent=2, ensure_ascii=False), sentence)
        for kind, (config, sentence) in EXAMPLES.items()
    )
    row = "<details><summary>{}</summary><pre>{}</pre><p>{}</p></details>"
    examples = format_html_join("", row, shown)
    return format_html("{} <details><summary>An example of each kind</summary>{}</details>", HELP, examples)
