"""Rundeck's API, as far as jobs go."""

from __future__ import annotations

import json
from typing import Any

from tests.incidents.connectors.servers import Answer, Heard
from tests.incidents.connectors.stubs.base import TOKEN, Stub, said

JOB = "/api/41/job/9a1c-44"


class Rundeck(Stub):
    routes = (
        ("GET", f"{JOB}/info", "info"),
        ("GET", JOB, "definition"),
        ("POST", f"{JOB}/run", "start"),
        ("GET", f"{JOB}/executions", "listed"),
        ("GET", r"/api/41/execution/(\d+)", "execution"),
        ("GET", r"/api/41/execution/(\d+)/output", "output"),
        ("GET", "/api/41/system/executions/status", "mode"),
    )

    def __init__(self) -> None:
        self.executions: list[dict[str, Any]] = []
        self.options = [{"name": "attempt"}, {"name": "revision", "required": True}]
        self.is_enabled = True
        self.is_active = True
        super().__init__()

    def knows(self, heard: Heard) -> bool:
        return heard.headers.get("x-rundeck-auth-token") == TOKEN

    def info(self, heard: Heard) -> Answer:
        return said({"id": "9a1c-44", "name": "roll back", "enabled": self.is_enabled})

    def definition(self, heard: Heard) -> Answer:
        return said([{"id": "9a1c-44", "options": self.options}])

    def start(self, heard: Heard) -> Answer:
        number = 60 + len(self.executions)
        options = json.loads(heard.body)["options"]
        made = {"id": number, "permalink": f"https://rundeck.test/project/ops/execution/show/{number}"}
        made |= {"status": "running", "job": {"id": "9a1c-44", "options": options}}
        self.executions.append(made)
        return said(made)

    def listed(self, heard: Heard) -> Answer:
        return said({"paging": {}, "executions": self.executions[::-1]})

    def execution(self, heard: Heard, number: str) -> Answer:
        return said(next(row for row in self.executions if row["id"] == int(number)))

    def output(self, heard: Heard, number: str) -> Answer:
        entries = [{"log": f"logged in with {TOKEN}", "node": "prod"}, {"log": "rolled back", "node": "prod"}]
        return said({"offset": "99", "completed": False, "entries": entries})

    def mode(self, heard: Heard) -> Answer:
        state = "active" if self.is_active else "passive"
        return said({"executionMode": state}, 200 if self.is_active else 503)
