"""Argo CD's API, as far as rollbacks go."""

from __future__ import annotations

import json
from typing import Any

from tests.incidents.connectors.servers import Answer, Heard
from tests.incidents.connectors.stubs.base import Stub, said

OLD, NEW = "4f1c2d9" + "a" * 33, "99e0b1c" + "b" * 33


class ArgoCD(Stub):
    routes = (
        ("GET", "/api/v1/session/userinfo", "user"),
        ("GET", "/api/v1/account/can-i/applications/sync/default%2Fshop", "may_sync"),
        ("GET", "/api/v1/applications/shop", "application"),
        ("POST", "/api/v1/applications/shop/rollback", "roll_back"),
    )

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.automated: Any = None
        self.may = "yes"
        self.health = "Degraded"
        self.operation: Any = None
        self.state: dict[str, Any] = {"phase": "Succeeded", "startedAt": "2026-11-24T10:00:00Z"}
        super().__init__()

    def user(self, heard: Heard) -> Answer:
        return said({"loggedIn": True, "username": "lastgood"})

    def may_sync(self, heard: Heard) -> Answer:
        return said({"value": self.may})

    def described(self) -> dict[str, Any]:
        history = [{"id": 4, "revision": OLD}, {"id": 5, "revision": OLD}, {"id": 6, "revision": NEW}]
        status = {"history": history, "operationState": self.state, "health": {"status": self.health}}
        found = {"metadata": {"name": "shop"}, "spec": {"project": "default"}, "status": status}
        if self.automated is not None:
            found["spec"]["syncPolicy"] = {"automated": self.automated}  # type: ignore[index]
        return found | ({"operation": self.operation} if self.operation else {})

    def application(self, heard: Heard) -> Answer:
        return said(self.described())

    def roll_back(self, heard: Heard) -> Answer:
        self.asked.append(json.loads(heard.body))
        if self.automated is not None:
            return said({"error": "rollback cannot be initiated when auto-sync is enabled", "code": 9}, 400)
        self.operation = {"sync": {"revision": OLD, "dryRun": self.asked[-1]["dryRun"]}}
        return said(self.described())

    def finish(self, phase: str = "Succeeded", *, revision: str = OLD, message: str = "successfully synced") -> None:
        resources = [{"kind": "Deployment", "name": "shop", "status": "Synced", "message": "configured"}]
        synced = {"revision": revision, "resources": resources}
        began = f"2026-11-24T12:00:{len(self.asked):02}Z"
        self.state = {"phase": phase, "startedAt": began, "message": message, "syncResult": synced}
        self.operation = None
