"""Would a connector work? Its configuration, its secret in this process, and what its system says when it is asked."""

from __future__ import annotations

import os
from typing import Any

from incidents import dispatch
from incidents.connectors import probe, registry, signing
from incidents.connectors.base import Finding, SelfTested
from incidents.connectors.ci import System
from incidents.models import Connector
from incidents.terms import ConnectorKind


def problems_of(kind: str, config: Any, secret: str, *, here: bool = False) -> list[str]:
    """Why a connector cannot work, in sentences; with `here`, also what this process's environment lacks."""
    checker = probe.check if kind == ConnectorKind.PROBE else registry[kind].check
    found = checker(config, dispatch.limits())
    if not secret:
        return found + _without_secret(kind, config)
    if not here:
        return found
    name = secret.removeprefix("env:")
    value = os.environ.get(name)
    if not value:
        return [*found, f"{name} is not set in the environment of this process; the worker needs it as well."]
    return found + _misfits(kind, config, value)


def findings_of(row: Connector) -> list[Finding]:
    """Ask the system whether the connector would work. Starts nothing and changes nothing."""
    if problems := problems_of(row.kind, row.config, row.secret, here=True):
        return [Finding(False, problem) for problem in problems]
    how = registry.get(row.kind)
    if isinstance(how, SelfTested):
        return how.self_test(row.config, dispatch.limits(), os.environ.get(row.secret.removeprefix("env:")))
    return [Finding(True, f"“{row}” is configured as it should be. Nothing was sent.")]


def _without_secret(kind: str, config: Any) -> list[str]:
    how = registry.get(kind)
    if isinstance(how, System):
        return how.secret_problems(config, None)
    if kind == ConnectorKind.WEBHOOK:
        return ["A webhook is signed: name the variable that holds its signing secret, such as env:DEPLOY_SECRET."]
    return []


def _misfits(kind: str, config: Any, value: str) -> list[str]:
    how = registry.get(kind)
    if isinstance(how, System):
        return how.secret_problems(config, value)
    return signing.problems(value) if kind == ConnectorKind.WEBHOOK else []
